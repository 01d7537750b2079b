"""Finding a target profile: by its name, among ours and the user's, or by the path of its file."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from models.fetching.places import config_home
from vidprompter.errors import InputError
from vidprompter.targets.profile import Target, read_target

_OURS = Path(__file__).parent
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def target(name: str) -> Target:
    """The target called `name`; a user's file of that name goes before ours. Or that of a file, "my/own.toml".

    Raises:
        InputError: There is none of that name (near ones are named), or its file cannot be used.
    """
    if name.endswith(".toml") or "/" in name or "\\" in name:
        path = Path(name).expanduser()
        return _read(path, path.stem.lower(), _age(path))
    listed = _files().get(name.lower())
    if listed is None:
        near = get_close_matches(name.lower(), _files(), n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(
            f"no target called {name!r}; {hint}there are: {', '.join(names())}; or give the path of a .toml file"
        )
    return _read(listed, name.lower(), _age(listed))


def names() -> tuple[str, ...]:
    """All names that `target` knows, ours and the user's, in alphabetical order."""
    return tuple(sorted(_files()))


def user_folder() -> Path:
    """Where a user's own profiles lie, NAME.toml each. May not exist."""
    return config_home() / "targets"


def _files() -> dict[str, Path]:
    found = {path.stem: path for path in sorted(_OURS.glob("*.toml"))}
    if user_folder().is_dir():
        own = {path.stem.lower(): path for path in sorted(user_folder().glob("*.toml"))}
        found |= {name: path for name, path in own.items() if _NAME.fullmatch(name)}
    return found


def _age(path: Path) -> int:
    """Something that changes with the file; 0 where there is none."""
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=64)
def _read(path: Path, name: str, age: int) -> Target:
    """The file's target. `age` is there to read a changed file again."""
    return read_target(path, name)
