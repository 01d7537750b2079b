"""A JSON-lines output: whole lines by single appends, brought back in step with the ledger on start.

The `Output` (vidprompter/runs/output.py) that a run has unless told otherwise.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from vidprompter.errors import OutputError
from vidprompter.runs.output import Row, Rows


@dataclass(frozen=True, slots=True)
class Repair:
    """What `RowFile.repair` found and did.

    kept: lines that were right. added: rows of the ledger that were missing. torn: a half-written last line
    was dropped. backup: where a file that held other lines was put aside before it was written anew.
    """

    kept: int
    added: int
    torn: bool = False
    backup: Path | None = None


class RowFile:
    """One JSON-lines file, opened for appending until `close`."""

    def __init__(self, path: Path) -> None:
        """Opens `path`, creating it if need be.

        Raises:
            OutputError: it cannot be written.
        """
        self.path = path
        self._file = self._open()

    def recover(self, rows: Rows, *, stale: bool, say: Callable[[str], None]) -> None:
        """See `Output`. A file that somebody edited is put aside and written anew."""
        if stale:
            self.rewrite(row.text for row in rows.after(0))
            return
        repair = self.repair(lambda: (row.text for row in rows.after(0)))
        where = repr(str(self.path))
        if repair.torn:
            say(f"dropped a half-written last line of {where}")
        if repair.backup is not None:
            say(f"{where} held other lines; kept as {repair.backup.name!r} and written anew from the ledger")
        elif repair.added:
            say(f"put {repair.added} rows back into {where} from the ledger")

    def add(self, rows: Sequence[Row]) -> None:
        """See `Output`."""
        self.append(row.text for row in rows)

    def finish(self, rows: Rows) -> None:
        """Nothing: every row is there already."""

    def append(self, rows: Iterable[str]) -> None:
        """Adds rows, each with one write of the whole line, so that readers never see half of one.

        Raises:
            OutputError: the disk is full or the file cannot be written; half a line is taken back.
        """
        for row in rows:
            line = row.encode("utf-8") + b"\n"
            try:
                written = os.write(self._file, line)
                if written != len(line):
                    os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                raise self._failed(error) from error

    def repair(self, expected: Callable[[], Iterator[str]]) -> Repair:
        """Makes the file hold exactly the `expected` rows, in order, and says what was needed.

        A torn last line is dropped and missing rows are appended. A file with other lines (somebody edited
        it) is put aside as a backup and written anew: the ledger is the truth.
        """
        rows = expected()
        kept = good_bytes = 0
        with self.path.open("rb") as file:
            for row in rows:
                line = row.encode("utf-8") + b"\n"
                found = file.readline()
                if found == line:
                    kept += 1
                    good_bytes += len(line)
                elif found.endswith(b"\n"):
                    return self._replace(kept, expected)
                else:  # the file ends here, perhaps in half a line
                    self._truncate(good_bytes)
                    added = self._append_counting(chain([row], rows))
                    return Repair(kept, added, torn=bool(found))
            rest = file.readline()
            if rest.endswith(b"\n"):
                return self._replace(kept, expected)
            if rest:
                self._truncate(good_bytes)
            return Repair(kept, 0, torn=bool(rest))

    def rewrite(self, rows: Iterable[str]) -> None:
        """Writes the file anew: a temporary file beside it, flushed to the disk, then renamed over it."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                for row in rows:
                    file.write(row.encode("utf-8") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._failed(error) from error
        os.close(self._file)
        self._file = self._open()

    def close(self) -> None:
        """Flushes to the disk and closes."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            os.close(self._file)

    def _replace(self, kept: int, expected: Callable[[], Iterator[str]]) -> Repair:
        backup = _free_name(self.path)
        try:
            shutil.copyfile(self.path, backup)
        except OSError as error:
            raise self._failed(error) from error
        self.rewrite(expected())
        return Repair(kept, sum(1 for _ in expected()) - kept, backup=backup)

    def _append_counting(self, rows: Iterable[str]) -> int:
        added = 0
        for row in rows:
            self.append([row])
            added += 1
        return added

    def _truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._file, size)
        except OSError as error:
            raise self._failed(error) from error

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> OutputError:
        reason = error.strerror or type(error).__name__
        return OutputError(
            f"{str(self.path)!r} cannot be written ({reason}); nothing that was finished is lost: "
            f"put that right and run the same command again"
        )


def _free_name(path: Path) -> Path:
    """The first of `path.bak`, `path.bak2`, ... that is free."""
    names = chain([".bak"], (f".bak{number}" for number in count(2)))
    return next(name for name in (path.with_name(path.name + end) for end in names) if not name.exists())
