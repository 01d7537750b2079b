"""The ledger: an SQLite file beside the output. It is the truth of a run; outputs are views of it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from vidprompter.errors import LedgerError, OutputError
from vidprompter.runs.fingerprint import Fingerprint
from vidprompter.runs.schema import SCHEMA, SCHEMA_VERSION

Status = Literal["pending", "running", "done", "failed"]
BUSY_SECONDS = 10.0
FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ItemState:
    """What the ledger knows of one item; `fingerprint` is None until it was started once."""

    status: Status
    attempts: int
    fingerprint: Fingerprint | None
    error_type: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one item. row: its output row, one line of JSON without the line break."""

    key: str
    status: Literal["done", "failed"]
    row: str
    seconds: float
    revision: str = ""
    error_type: str | None = None
    error_message: str | None = None


class Ledger:
    """One SQLite file in WAL mode. Every method is one transaction: all of it is kept, or nothing.

    A killed process loses nothing that was committed. Against a power cut, a commit is flushed to the disk if
    the last flush is more than a second ago: at most that second's items are done again.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens `path`, creating it if it is not there (unless `read_only`).

        Raises:
            LedgerError: locked, corrupt, not a ledger, or of another version.
            OutputError: it cannot be created or written.
        """
        self.path = path
        self._flushed = float("-inf")
        with self._typed():
            if read_only:
                self._db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_SECONDS)
            else:
                self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
            self._db.isolation_level = None
            try:
                self._prepare(read_only)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, read_only: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not read_only and not self._tables():
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise LedgerError(
                f"{str(self.path)!r} is a ledger of version {version}; this VidPrompter reads "
                f"{SCHEMA_VERSION}: give another --out, or --fresh to start over"
            )
        if not read_only:
            self._db.execute("PRAGMA journal_mode=WAL")

    def _tables(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def close(self) -> None:
        """Closes the file; the write-ahead log is folded in."""
        self._db.close()

    # --- items ---------------------------------------------------------------------------------------------

    def state(self, stage: str, key: str) -> ItemState | None:
        """What is known of an item, None if it was never added."""
        with self._typed():
            found = self._db.execute(
                "SELECT status, attempts, fingerprint, error_type FROM items WHERE key=? AND stage=?",
                (key, stage),
            ).fetchone()
        if found is None:
            return None
        status, attempts, mark, error_type = found
        return ItemState(status, attempts, Fingerprint.from_text(mark) if mark else None, error_type)

    def add(self, stage: str, items: Sequence[tuple[str, str]]) -> None:
        """Adds (key, name for people) as pending; an item that is there already is left as it is."""
        if not items:
            return
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO items (key, stage, name, status) VALUES (?, ?, ?, 'pending')",
                ((key, stage, printable(name)) for key, name in items),
            )

    def reopen(self, stage: str, keys: Sequence[str]) -> None:
        """Makes items pending again and takes their rows out; see `output_is_stale`."""
        if not keys:
            return
        with self._transaction():
            self._db.executemany(
                "UPDATE items SET status='pending', error_type=NULL, error_message=NULL, seq=NULL, row=NULL "
                "WHERE key=? AND stage=?",
                ((key, stage) for key in keys),
            )
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, '1')", (f"stale:{stage}",))

    def start(self, stage: str, items: Sequence[tuple[str, Fingerprint]]) -> None:
        """Marks items as running, counts the attempt, keeps the fingerprint of the file about to be read."""
        if not items:
            return
        now = time.time()
        with self._transaction():
            self._db.executemany(
                "UPDATE items SET status='running', attempts=attempts+1, fingerprint=?, started_at=? "
                "WHERE key=? AND stage=? AND status IN ('pending', 'running')",
                ((mark.to_text(), now, key, stage) for key, mark in items),
            )

    def finish(self, stage: str, ended: Sequence[Finished]) -> None:
        """Records ends with their rows, in this order of output."""
        if not ended:
            return
        now = time.time()
        with self._transaction():
            last = self._db.execute("SELECT max(seq) FROM items WHERE stage=?", (stage,)).fetchone()[0] or 0
            for seq, end in enumerate(ended, last + 1):
                values = (end.status, end.error_type, printable(end.error_message), end.revision, now)
                changed = self._db.execute(
                    "UPDATE items SET status=?, error_type=?, error_message=?, revision=?, finished_at=?, "
                    "seconds=?, seq=?, row=? WHERE key=? AND stage=?",
                    (*values, end.seconds, seq, end.row, end.key, stage),
                ).rowcount
                if changed != 1:
                    raise LedgerError(f"item {end.key} of stage {stage!r} was finished but never added")

    def recover(self, stage: str) -> int:
        """How many items a killed run left running; they are pending again."""
        with self._transaction():
            return self._db.execute(
                "UPDATE items SET status='pending' WHERE stage=? AND status='running'", (stage,)
            ).rowcount

    # --- views ---------------------------------------------------------------------------------------------

    def rows(self, stage: str) -> Iterator[str]:
        """The finished output rows in output order, one line of JSON each."""
        with self._typed():
            for (row,) in self._db.execute(
                "SELECT row FROM items WHERE stage=? AND seq IS NOT NULL ORDER BY seq", (stage,)
            ):
                yield row

    def counts(self, stage: str) -> dict[str, int]:
        """Number of items by status."""
        with self._typed():
            query = "SELECT status, count(*) FROM items WHERE stage=? GROUP BY status"
            return dict(self._db.execute(query, (stage,)).fetchall())

    def failures(self, stage: str) -> Counter[str]:
        """Number of failed items by type of error."""
        with self._typed():
            query = (
                "SELECT error_type, count(*) FROM items WHERE stage=? AND status='failed' GROUP BY error_type"
            )
            return Counter(dict(self._db.execute(query, (stage,)).fetchall()))

    def failed(self, stage: str) -> Iterator[dict[str, Any]]:
        """Failed items with `name`, `attempts`, `error_type`, `error_message`."""
        with self._typed():
            query = (
                "SELECT name, attempts, error_type, error_message FROM items "
                "WHERE stage=? AND status='failed' ORDER BY seq"
            )
            for name, attempts, kind, message in self._db.execute(query, (stage,)):
                yield {"name": name, "attempts": attempts, "error_type": kind, "error_message": message}

    def finished_since(self, stage: str, moment: float) -> int:
        """Number of items that came to their end since `moment` (Unix seconds)."""
        with self._typed():
            query = "SELECT count(*) FROM items WHERE stage=? AND finished_at>=?"
            return int(self._db.execute(query, (stage, moment)).fetchone()[0])

    def working_seconds(self, stage: str) -> float:
        """Time that runs were at work; one that was killed, or still is at work, counts to its last item."""
        last_item = (
            "SELECT max(finished_at) FROM items WHERE stage=r.stage AND finished_at>=r.started_at AND finished_at"
            "<coalesce((SELECT min(started_at) FROM runs WHERE stage=r.stage AND id>r.id), 1e18)"
        )
        query = f"SELECT total(coalesce(ended_at, ({last_item}), started_at) - started_at) FROM runs r WHERE stage=?"
        with self._typed():
            return float(self._db.execute(query, (stage,)).fetchone()[0])

    def stages(self) -> list[str]:
        """The stages that have items, in alphabetical order."""
        with self._typed():
            query = "SELECT DISTINCT stage FROM items ORDER BY stage"
            return [stage for (stage,) in self._db.execute(query)]

    def output_is_stale(self, stage: str) -> bool:
        """Whether rows were taken out since the view was last written."""
        with self._typed():
            query = "SELECT count(*) FROM meta WHERE name=?"
            return bool(self._db.execute(query, (f"stale:{stage}",)).fetchone()[0])

    def output_is_fresh(self, stage: str) -> None:
        """Notes that the view was written anew."""
        with self._transaction():
            self._db.execute("DELETE FROM meta WHERE name=?", (f"stale:{stage}",))

    # --- roots and runs ------------------------------------------------------------------------------------

    def roots(self) -> dict[str, int]:
        """The registered folders, absolute path -> number."""
        with self._typed():
            found = self._db.execute("SELECT path, id FROM roots ORDER BY id").fetchall()
        return {json.loads(path): number for path, number in found}

    def add_root(self, path: str) -> int:
        """The number of a newly registered folder."""
        with self._transaction():
            number = self._db.execute("INSERT INTO roots (path) VALUES (?)", (json.dumps(path),)).lastrowid
        assert number is not None
        return number

    def move_root(self, number: int, path: str) -> None:
        """Notes that a registered folder now stands at `path`."""
        with self._transaction():
            self._db.execute("UPDATE roots SET path=? WHERE id=?", (json.dumps(path), number))

    def begin_run(self, stage: str, settings: dict[str, Any]) -> int:
        """The number of a new run."""
        with self._transaction():
            number = self._db.execute(
                "INSERT INTO runs (stage, started_at, settings) VALUES (?, ?, ?)",
                (stage, time.time(), json.dumps(settings)),
            ).lastrowid
        assert number is not None
        return number

    def end_run(self, number: int, outcome: str, summary: dict[str, Any]) -> None:
        """Notes how a run ended; a run without an end was killed."""
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET ended_at=?, outcome=?, summary=? WHERE id=?",
                (time.time(), outcome, json.dumps(summary), number),
            )

    def runs(self) -> list[dict[str, Any]]:
        """All runs, oldest first: `id`, `stage`, `started_at`, `ended_at` (Unix), `outcome`, `summary`."""
        with self._typed():
            query = "SELECT id, stage, started_at, ended_at, outcome, summary FROM runs ORDER BY id"
            found = self._db.execute(query).fetchall()
        names = ("id", "stage", "started_at", "ended_at", "outcome", "summary")
        rows = [dict(zip(names, run, strict=True)) for run in found]
        return [row | {"summary": json.loads(row["summary"]) if row["summary"] else None} for row in rows]

    # --- inside --------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._typed():
            flush = time.monotonic() - self._flushed >= FLUSH_SECONDS
            self._db.execute(f"PRAGMA synchronous={'FULL' if flush else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
                if flush:
                    self._flushed = time.monotonic()
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _as_ours(self.path, error) from error


def printable(text: str | None) -> str | None:
    """`text` as UTF-8 can carry it: bytes of odd file names become escapes."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _as_ours(path: Path, error: sqlite3.DatabaseError) -> LedgerError | OutputError:
    where, code = repr(str(path)), getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return OutputError(
            f"the ledger {where} cannot be written ({error}); make room, then run the same again"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return OutputError(f"the ledger {where} cannot be opened for writing ({error}); give another --out")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerError(
            f"the ledger {where} is locked by another program; close it and run the same again"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LedgerError(
            f"the ledger {where} is damaged ({error}); give another --out, or --fresh to start over"
        )
    return LedgerError(f"the ledger {where}: {error}")
