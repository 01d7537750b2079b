"""What is known of the text files that a run has written: a small SQLite file beside its ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vidprompter.errors import LedgerError, OutputError
from vidprompter.video.files import show

_PAGE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS placed (
    owner TEXT PRIMARY KEY,  -- clip, stretch and variant, JSON
    target BLOB UNIQUE NOT NULL,
    seq INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    before BLOB,  -- what stood there without us, NULL: nothing
    replaced TEXT NOT NULL  -- sha256 of what it was written over
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS placed_seq ON placed (seq, owner);
CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER, text TEXT);
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A text file. owner: whose it is; seq: the row; size, sha256: as written.

    before: what stood there without us. replaced: sha256 of what it was written over, which still stands
    there if the run was killed just then.
    """

    owner: str
    target: bytes
    seq: int
    size: int
    sha256: str
    before: bytes | None
    replaced: str


class PlacedTexts:
    """Which file holds which row's text, and up to which row all are written.

    It is told before a file is written, so that after a kill what stands in a file is known to be ours. A
    kill loses nothing; a power cut may lose the last moments, see `SidecarOutput`.
    """

    def __init__(self, path: Path) -> None:
        """Opens `path`, creating it if need be.

        Raises:
            LedgerError: locked or corrupt.
            OutputError: it cannot be created or written.
        """
        self._path = path
        with self._typed():
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.isolation_level = None
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._db.executescript(_SCHEMA)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def progress(self) -> tuple[int, str]:
        """The last row whose text was dealt with: its place, and the sha256 of the row; (0, "") at first."""
        with self._typed():
            return self._db.execute("SELECT seq, text FROM progress").fetchone() or (0, "")

    def reached(self, seq: int, sha256: str) -> None:
        """Notes that all rows up to `seq` were dealt with."""
        with self._typed():
            self._db.execute("INSERT OR REPLACE INTO progress VALUES (1, ?, ?)", (seq, sha256))

    def of_owner(self, owner: str) -> Placed | None:
        """The file of an owner."""
        return self._one("owner", owner)

    def at(self, target: bytes) -> Placed | None:
        """The file at a place."""
        return self._one("target", target)

    def note(self, files: Sequence[Placed]) -> None:
        """Notes files that are about to be written."""
        with self._typed():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(
                    "INSERT OR REPLACE INTO placed VALUES (?, ?, ?, ?, ?, ?, ?)",
                    ((f.owner, f.target, f.seq, f.size, f.sha256, f.before, f.replaced) for f in files),
                )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def forget(self, owner: str) -> None:
        """The file of that owner is no longer ours."""
        with self._typed():
            self._db.execute("DELETE FROM placed WHERE owner=?", (owner,))

    def all(self) -> Iterator[Placed]:
        """All files by rising row; they may be forgotten meanwhile."""
        after = (0, "")
        while True:
            with self._typed():
                query = "SELECT * FROM placed WHERE (seq, owner) > (?, ?) ORDER BY seq, owner LIMIT ?"
                page = [Placed(*found) for found in self._db.execute(query, (*after, _PAGE))]
            if not page:
                return
            yield from page
            after = (page[-1].seq, page[-1].owner)

    def _one(self, column: str, value: str | bytes) -> Placed | None:
        with self._typed():
            found = self._db.execute(f"SELECT * FROM placed WHERE {column}=?", (value,)).fetchone()
        return Placed(*found) if found else None

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise LedgerError(
                    f"{show(self._path)}, which knows the text files written so far, is damaged ({error}); remove "
                    f"it and run the same again: texts that stand there already are recognised"
                ) from error
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise LedgerError(
                    f"{show(self._path)} is locked by another program; close it and run the same again"
                ) from error
            raise OutputError(
                f"{show(self._path)} cannot be written ({error}); nothing that was finished is lost: "
                f"put that right and run the same command again"
            ) from error


def forget_texts(state: Path) -> None:
    """Removes what is known of written text files, not the files."""
    for path in (Path(f"{state}-wal"), Path(f"{state}-shm"), state):
        with suppress(FileNotFoundError):
            path.unlink()
