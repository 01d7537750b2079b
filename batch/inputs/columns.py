"""Which columns of a list of clips mean what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vidprompter.errors import InputError

COLUMNS = ("path", "short", "start", "end")


def parse_columns(values: Sequence[str]) -> dict[str, str]:
    """Our column names to the user's, from `--column path=video_path` and the like.

    Raises:
        InputError: no `=`, a column that we do not have, no name, or one column twice.
    """
    columns: dict[str, str] = {}
    for value in values:
        ours, equals, theirs = value.partition("=")
        if not equals or not theirs:
            raise InputError(f"--column {value!r} is no pair; write for example --column path=video_path")
        if ours not in COLUMNS:
            raise InputError(
                f"--column {value!r}: there is no column {ours!r}; choose from {', '.join(COLUMNS)}"
            )
        if ours in columns:
            raise InputError(
                f"--column gives {ours!r} twice ({columns[ours]!r} and {theirs!r}); give it once"
            )
        columns[ours] = theirs
    return columns


def find_columns(there: Sequence[str], chosen: Mapping[str, str], shown: str) -> dict[str, int]:
    """Where in `there` each of our columns stands; those that are not there are left out.

    shown: the list's name, for messages. Of two columns of one name, the last counts.

    Raises:
        InputError: there is none for `path`, or none of a name that the user chose.
    """
    places = {name: number for number, name in enumerate(there)}
    for ours in ("path", *chosen):
        name = chosen.get(ours, ours)
        if name not in places:
            raise InputError(
                f"{shown} has no column {name!r}; its columns are {_listed(there)}: "
                f"say which one with --column {ours}=NAME"
            )
    named = {ours: chosen.get(ours, ours) for ours in COLUMNS}
    return {ours: places[name] for ours, name in named.items() if name in places}


def _listed(names: Iterable[str], most: int = 12) -> str:
    names = [repr(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
