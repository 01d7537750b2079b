"""Reads the imports of our packages and says which of them go the wrong way.

    {tui} -> {batch} -> {scoring, t2v_bridge} -> {vidprompter} -> {models}

A room may use the rooms below it, never one above or beside it. Three kinds of door are looked at:
import statements (also inside functions and under TYPE_CHECKING), names handed to `import_module` and its
like, and lazy "room.module:object" strings. Only `batch` may hold lazy names of `tui`: that is how the
command starts the app.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAY_USE: dict[str, frozenset[str]] = {
    "models": frozenset(),
    "vidprompter": frozenset({"models"}),
    "scoring": frozenset({"vidprompter", "models"}),
    "t2v_bridge": frozenset({"vidprompter", "models"}),
    "batch": frozenset({"scoring", "t2v_bridge", "vidprompter", "models"}),
    "tui": frozenset({"batch", "scoring", "t2v_bridge", "vidprompter", "models"}),
}
# Folders of this repository that no package may import: an installed VidPrompter does not have them.
NOT_INSTALLED = frozenset({"tests", "benchmarks", "examples", "docs"})
LAZY_UP = {"batch": "tui"}

_LOADERS = frozenset({"import_module", "__import__", "find_spec", "run_module", "resolve_name", "reload"})
_DOTTED = re.compile(r"([a-z_]\w*)((?:\.\w+)*)(?::([A-Za-z_][\w.]*))?")


@dataclass(frozen=True)
class Door:
    """One use of a room: where it stands, which module it names, and how ("import", "string")."""

    file: str
    line: int
    room: str
    target: str
    how: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.room} must not use {self.target!r} ({self.how})"


def back_doors(root: Path) -> list[Door]:
    """Every door of the packages under `root` that goes the wrong way, in file order."""
    rooms = [room for room in MAY_USE if (root / room).is_dir()]
    return [
        door
        for room in rooms
        for file in sorted((root / room).rglob("*.py"))
        for door in doors_of(file, root)
        if not _allowed(door)
    ]


def doors_of(file: Path, root: Path) -> Iterator[Door]:
    """Every mention of one of our top-level names in `file` that loads, or can load, a module."""
    relative = file.relative_to(root)
    room = relative.parts[0]
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        for target, how in _targets(node, relative, root, docstrings):
            if target.split(".")[0].split(":")[0] in MAY_USE.keys() | NOT_INSTALLED:
                yield Door(relative.as_posix(), getattr(node, "lineno", 0), room, target, how)


def _allowed(door: Door) -> bool:
    target_room = door.target.split(".")[0].split(":")[0]
    if target_room == door.room or target_room in MAY_USE[door.room]:
        return True
    return door.how == "string" and ":" in door.target and LAZY_UP.get(door.room) == target_room


def _targets(node: ast.AST, relative: Path, root: Path, docstrings: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, "import") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield _absolute(node, relative), "import"
    elif isinstance(node, ast.Call) and _callee(node) in _LOADERS and node.args:
        text = _leading_text(node.args[0])
        if text:
            yield text.rstrip("."), "loader call"
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and _names_a_module(node.value, root)
    ):
        yield node.value, "string"


def _absolute(node: ast.ImportFrom, relative: Path) -> str:
    """The dotted name that `from x import y` asks for, relative imports resolved against the folder."""
    if node.level == 0:
        return node.module or ""
    package = list(relative.parent.parts)
    kept = package[: len(package) - (node.level - 1)]
    if not kept:  # climbs out of its room: Python refuses it too, and the name after it is what was meant
        return node.module or ",".join(alias.name for alias in node.names)
    return ".".join([*kept, *([node.module] if node.module else [])])


def _callee(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _leading_text(node: ast.expr) -> str:
    """The constant text that `node` starts with: a whole string, or the head of an f-string or a sum."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and node.values:
        return _leading_text(node.values[0])
    return _leading_text(node.left) if isinstance(node, ast.BinOp) else ""


def _names_a_module(text: str, root: Path) -> bool:
    """Whether `text` is "room.module", "room.module:object" or "room:object" of one of our rooms.

    "models.json" and plain words like "models" are not: a dotted name without an object has to exist.
    """
    match = _DOTTED.fullmatch(text)
    if not match or match[1] not in MAY_USE.keys() | NOT_INSTALLED:
        return False
    if match[3]:
        return True
    parts = match[2].split(".")[1:]
    first = root / match[1] / parts[0] if parts else None
    return first is not None and (first.is_dir() or first.with_name(f"{parts[0]}.py").is_file())
