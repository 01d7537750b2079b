"""Outputs of one file that cannot grow: finished part files while the run goes on, merged when it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from batch.outputs.mark import Mark, between, mark_of
from batch.outputs.whole import temporary_name, write_whole, writing
from vidprompter.runs.output import Row, Rows
from vidprompter.video.files import show

PART_ROWS = 1000
PART_SECONDS = 60.0
PART_BYTES = 256 << 20
Say = Callable[[str], None]


class Form(Protocol):
    """A file format that outputs of parts can have."""

    suffix: str

    def mark(self, path: Path) -> Mark | None:
        """What the file says of its rows, None if it cannot be read or does not come from here."""
        ...

    def weight(self, row: Row) -> int:
        """Bytes that the row brings into a part besides its text."""
        ...

    def write(
        self, file: BinaryIO, rows: Iterator[Row], *, mark: Mark, sources: Sequence[Path], say: Say
    ) -> None:
        """Writes a whole file. sources: earlier files that hold some of the rows, by rising place."""
        ...


class Part(NamedTuple):
    """A part file by its name: it is about the places `first` to `last`."""

    first: int
    last: int
    path: Path


def parts_folder(output: Path) -> Path:
    """Where the parts of an output stand until they are merged: beside it."""
    return output.with_name(output.name + ".parts")


def forget_parts(output: Path) -> None:
    """Removes the parts of an earlier run, and nothing else that stands in their folder.

    Raises:
        OutputError: they cannot be removed.
    """
    folder = parts_folder(output)
    with writing(folder):
        for path in _listing(folder):
            if _NAME.match(path.name) or path.name.endswith(_TEMPORARY):
                path.unlink()
        if folder.is_dir():
            with suppress(OSError):  # somebody keeps files of theirs in it
                folder.rmdir()


class PartedOutput:
    """An `Output` of one file at `path`; the file's format is handed in.

    Rows wait until there are `part_rows` of them, or their clips come to `part_bytes`, or the last part is
    `part_seconds` old: then a part is written. The parts are whole, readable files at every moment. `finish`
    writes the one file from the ledger, with the bytes of the clips from the parts, and removes these; it
    leaves a file alone that holds just the ledger's rows already.
    """

    def __init__(
        self,
        path: Path,
        form: Form,
        *,
        part_rows: int = PART_ROWS,
        part_seconds: float = PART_SECONDS,
        part_bytes: int = PART_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._folder = parts_folder(path)
        self._form = form
        self._part_rows = part_rows
        self._part_seconds = part_seconds
        self._part_bytes = part_bytes
        self._clock = clock
        self._waiting: list[Row] = []
        self._weight = 0
        self._last_part = clock()
        self._say: Say = _silent

    def recover(self, rows: Rows, *, stale: bool, say: Say) -> None:
        """Brings the parts in step with the ledger; may be called again. See `Output.recover`.

        Parts are compared with the ledger whether `stale` or not: a power cut may have taken the ledger's
        last second. A final file that lost step stays as it is until `finish` puts the new one in its place.
        """
        self._say = say
        self._waiting.clear()
        self._weight = 0
        self._last_part = self._clock()
        cursor = self._final_last()
        parts = self._parts(cursor)
        mended = 0
        for part in parts:
            self._fill(between(rows, cursor, part.first))
            self._write_part()
            mended += self._mend(part, rows)
            cursor = max(cursor, part.last)
        if mended:
            say(f"brought {mended} part files of {show(self.path)} in step with the ledger")
        self._fill(rows.after(cursor))

    def add(self, rows: Sequence[Row]) -> None:
        """Keeps rows back until a part is due, then writes it."""
        self._fill(rows)
        if self._waiting and self._clock() - self._last_part >= self._part_seconds:
            self._write_part()

    def finish(self, rows: Rows) -> None:
        """Writes the final file, unless it holds the ledger's rows already, and removes the parts."""
        wanted = mark_of(rows.after(0))
        if self._form.mark(self.path) != wanted:
            sources = [self.path] if self.path.exists() else []
            sources += [part.path for part in self._parts(0)]
            self._write(self.path, rows.after(0), wanted, sources)
        self._waiting.clear()
        self._weight = 0
        forget_parts(self.path)

    def close(self) -> None:
        """Nothing is held open; rows that wait stand in the ledger."""
        self._waiting.clear()

    # --- inside --------------------------------------------------------------------------------------------

    def _fill(self, rows: Sequence[Row] | Iterator[Row]) -> None:
        for row in rows:
            self._waiting.append(row)
            self._weight += self._form.weight(row)
            if len(self._waiting) >= self._part_rows or self._weight >= self._part_bytes:
                self._write_part()

    def _write_part(self) -> None:
        if not self._waiting:
            return
        with writing(self._folder):
            self._folder.mkdir(exist_ok=True)
        first, last = self._waiting[0].seq, self._waiting[-1].seq
        path = self._folder / f"{first:012d}-{last:012d}{self._form.suffix}"
        self._write(path, iter(self._waiting), mark_of(self._waiting), [])
        self._waiting.clear()
        self._weight = 0
        self._last_part = self._clock()

    def _mend(self, part: Part, rows: Rows) -> bool:
        """Whether the part had to be written anew, or removed because none of its rows is left."""
        wanted = mark_of(between(rows, part.first - 1, part.last + 1))
        if self._form.mark(part.path) == wanted:
            return False
        if wanted.rows:
            self._write(part.path, between(rows, part.first - 1, part.last + 1), wanted, [part.path])
        else:
            with writing(part.path):
                part.path.unlink()
        return True

    def _write(self, path: Path, rows: Iterator[Row], mark: Mark, sources: Sequence[Path]) -> None:
        # What a part lacks is told when it is merged: by then it may be there again.
        say = self._say if path == self.path else _silent
        write_whole(path, lambda file: self._form.write(file, rows, mark=mark, sources=sources, say=say))

    def _final_last(self) -> int:
        """The last place that the final file covers; a file that does not come from here is put aside."""
        with writing(self.path):
            with suppress(FileNotFoundError):
                self.path.with_name(temporary_name(self.path.name)).unlink()
            if not self.path.exists():
                return 0
        mark = self._form.mark(self.path)
        if mark is not None:
            return mark.last
        with writing(self.path):
            if self.path.stat().st_size:
                backup = _free_name(self.path)
                self.path.rename(backup)
                self._say(
                    f"{show(self.path)} was not as VidPrompter writes it; it is kept as {show(backup.name)}"
                )
            else:
                self.path.unlink()
        return 0

    def _parts(self, after: int) -> list[Part]:
        """The parts with places behind `after`, in order. Those that were merged already are removed."""
        found, kept = [], list[Part]()
        with writing(self._folder):
            for path in _listing(self._folder):
                match = _NAME.match(path.name)
                if path.name.endswith(_TEMPORARY):
                    path.unlink()
                elif match and match[3] == self._form.suffix:
                    found.append(Part(int(match[1]), int(match[2]), path))
            for part in sorted(found):
                if part.last <= after or (kept and part.first <= kept[-1].last):
                    part.path.unlink()
                else:
                    kept.append(part)
        return kept


_NAME = re.compile(r"(\d{12,})-(\d{12,})(\.\w+)$")
_TEMPORARY = temporary_name("")[1:]


def _silent(_: str) -> None:
    """Tells nobody."""


def _listing(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _free_name(path: Path) -> Path:
    """The first of `path.bak`, `path.bak2`, ... that is free."""
    names = chain([".bak"], (f".bak{number}" for number in count(2)))
    return next(name for name in (path.with_name(path.name + end) for end in names) if not name.exists())
