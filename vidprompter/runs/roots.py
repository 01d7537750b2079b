"""Folders that items are named from, so that a moved collection or another working folder changes no name."""

from __future__ import annotations

import os
from collections.abc import Callable

from vidprompter.runs.ledger import Ledger


class Roots:
    """Gives (root number, relative path) for files; folders are registered in the ledger as they come."""

    def __init__(self, ledger: Ledger | None, say: Callable[[str], None], *, remember: bool = True) -> None:
        """`say` is told when a folder was found moved; `remember` False leaves the ledger alone."""
        self._ledger = ledger if remember else None
        self._say = say
        self._numbers = ledger.roots() if ledger is not None else {}
        self._last: str | None = None  # the folder asked for last, and who holds it
        self._held: str | None = None

    def name(self, path: str, root: str) -> tuple[int, str]:
        """The name of `path`, which was found under `root`; both absolute and without "..".

        A folder that is registered already and holds `path` names it, so that a clip has one name whether it
        was given by folder, by glob or alone.
        """
        found = self._holder(path)
        if found is None:  # `path` need not stand under `root`: a list may name what it must not
            if root not in self._numbers:
                self._register(root)
            found = root
        inside = found if found.endswith(os.sep) else found + os.sep
        relative = path[len(inside) :] if path.startswith(inside) else os.path.relpath(path, found)
        return self._numbers[found], relative.replace(os.sep, "/")

    def _holder(self, path: str) -> str | None:
        folder = os.path.dirname(path)  # noqa: PTH120 - once per item
        if folder == self._last:  # most files stand beside the one before
            return self._held
        self._last, self._held = folder, self._search(folder)
        return self._held

    def _search(self, folder: str) -> str | None:
        while folder not in self._numbers:
            parent = os.path.dirname(folder)  # noqa: PTH120
            if parent == folder:
                return None
            folder = parent
        return folder

    def _register(self, root: str) -> None:
        """Adds `root`: as the new place of a folder of the same name that is gone, or else as a new one."""
        gone = [
            old
            for old in self._numbers
            if os.path.basename(old) == os.path.basename(root) and not os.path.isdir(old)  # noqa: PTH112, PTH119
        ]
        if len(gone) == 1:
            number = self._numbers.pop(gone[0])
            if self._ledger is not None:
                self._ledger.move_root(number, root)
            self._say(f"{gone[0]!r} is gone; its clips are now looked for under {root!r}")
        elif self._ledger is not None:
            number = self._ledger.add_root(root)
        else:
            number = 1 + max(self._numbers.values(), default=0)
        self._numbers[root] = number
        self._last = None
