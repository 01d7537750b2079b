"""Scores as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scoring.ranking import Place
from vidprompter.scores import LANGUAGE, TRUNCATED, EvaluatorIdentity, Score, Scored

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPED_COLUMNS = 120
_SHORTEST_CAPTION = 24
_HEAD = 11  # characters of a column's head, such as "-100 to 100"


def console() -> Console:
    """Where answers are printed: as wide as the terminal, or wide enough for a table in a file."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=_PIPED_COLUMNS)


def score_table(scored: Sequence[Scored], identities: Sequence[EvaluatorIdentity], columns: int) -> Table:
    """One line for each caption, in the order given. columns: of the screen; captions take what is left."""
    has_mean = _shows_mean(scored, identities)
    table = _table(identities, has_mean, before=[])
    rows = [_cells(one, identities, has_mean) for one in scored]
    room = _room(rows, columns)
    for number, (one, cells) in enumerate(zip(scored, rows, strict=True), 1):
        table.add_row(str(number), shortened(one.text, room), *cells)
    return table


def rank_table(places: Sequence[Place], identities: Sequence[EvaluatorIdentity], columns: int) -> Table:
    """One line for each caption, the best first, with how far it is ahead of the next."""
    has_mean = _shows_mean([place.scored for place in places], identities)
    table = _table(identities, has_mean, before=["rank"])
    table.add_column("ahead by", justify="right")
    spread = max(digits_of(one) for one in identities)
    rows = [_cells(place.scored, identities, has_mean) for place in places]
    room = _room([[*cells, "ahead by", "rank"] for cells in rows], columns)
    for place, cells in zip(places, rows, strict=True):
        margin = "" if place.margin is None else f"{place.margin:.{spread}f}"
        rank = str(place.rank) if place.value is not None else "-"
        table.add_row(rank, str(place.index + 1), shortened(place.scored.text, room), *cells, margin)
    return table


def cell(score: Score, digits: int) -> str:
    """The number, and what must be known with it: "31.2 (43 tokens not read)"; or why there is none.

    Of a number that is there only what makes it doubtful is shown; `--explain` and `--json` tell all flags.
    """
    if score.value is None:
        notes = [flag for flag in score.flags if flag != TRUNCATED]
    else:
        notes = ["not English"] if LANGUAGE in score.flags else []
    if score.truncated:
        notes.insert(0, f"{score.truncated} {'token' if score.truncated == 1 else 'tokens'} not read")
    number = "-" if score.value is None else f"{score.value:.{digits}f}"
    return f"{number} ({', '.join(notes)})" if notes else number


def digits_of(identity: EvaluatorIdentity) -> int:
    """How many digits behind the point make sense: one where the range is a hundred, more where it is small."""
    width = identity.high - identity.low
    return 1 if width >= 50 else 2 if width >= 5 else 3


def explanations(scored: Scored) -> list[Any]:
    """What rich prints to say why the numbers of one text are what they are."""
    found: list[Any] = []
    for score in scored.scores:
        if score.evaluator == "builtin" and score.value is not None:
            from scoring.builtin.explain import explain

            found.append(explain(score))
        elif any(score.details.values()):
            found += _details(score)
    return found


def _details(score: Score) -> list[Any]:
    """A list of alike things as a table of its own, the rest as names and values."""
    from rich.table import Table
    from rich.text import Text

    found: list[Any] = []
    rest = Table("what", "found", title=score.evaluator, title_justify="left", show_edge=False)
    for name, value in score.details.items():
        if not _is_table(value):
            rest.add_row(Text(str(name).replace("_", " ")), Text(_told(value)))
            continue
        table = Table(title=f"{score.evaluator}: {name}", title_justify="left", show_edge=False)
        for head in value[0]:
            table.add_column(str(head).replace("_", " "))
        for row in value:
            table.add_row(*(Text(_told(one)) for one in row.values()))
        found.append(table)
    return [*found, rest] if rest.row_count else found


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
        and all(list(row) == list(value[0]) for row in value)
    )


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')}: {_told(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value)) or "none"
    return str(value)


def _table(identities: Sequence[EvaluatorIdentity], has_mean: bool, before: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in (*before, "#"):
        table.add_column(name, justify="right")
    table.add_column("caption")
    for identity in identities:
        table.add_column(f"{identity.name}\n{identity.low:g} to {identity.high:g}", justify="right")
    if has_mean:
        table.add_column("mean", justify="right")
    return table


def _cells(scored: Scored, identities: Sequence[EvaluatorIdentity], has_mean: bool) -> list[str]:
    cells = [cell(scored.of(one.name), digits_of(one)) for one in identities]
    if has_mean:
        cells.append("-" if scored.mean is None else f"{scored.mean:.{digits_of(identities[0])}f}")
    return cells


def _shows_mean(scored: Sequence[Scored], identities: Sequence[EvaluatorIdentity]) -> bool:
    return len(identities) > 1 and any(one.mean is not None for one in scored)


def _room(rows: Sequence[Sequence[str]], columns: int) -> int:
    """Characters that a caption can have beside the widest cells."""
    widest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return max(_SHORTEST_CAPTION, columns - sum(max(_HEAD, width) + 3 for width in widest) - 6)


def shortened(text: str, room: int) -> Text:
    """`text` on one line, cut where there is no room for it."""
    from rich.text import Text

    found = Text(" ".join(text[: 4 * room].split()), no_wrap=True)
    found.truncate(room, overflow="ellipsis")  # counts wide characters as two
    return found
