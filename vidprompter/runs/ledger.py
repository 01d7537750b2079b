"""The ledger: an SQLite file beside the output. It is the truth of a run; outputs are views of it."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from vidprompter.errors import LedgerError, OutputError
from vidprompter.runs.fingerprint import Fingerprint
from vidprompter.runs.output import Row
from vidprompter.runs.schema import FROM_VERSION_1, SCHEMA, SCHEMA_VERSION

Status = Literal["pending", "done", "failed", "split"]
BUSY_SECONDS = 5.0
FLUSH_SECONDS = 1.0
PAGE_ROWS = 500  # read at a time where all are wanted: memory does not grow with the run


class ItemState(NamedTuple):
    """What the ledger knows of one item.

    mark: its fingerprint as text, None until it came to an end once. entry: its stretches, where the status is "split".
    """

    status: Status
    attempts: int
    mark: str | None
    error_type: str | None = None
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An item to put on a run's list. name: for people; ordinal: its place, None where it is handed over at once.

    parent: key of the item that it is a stretch of. entry: what is needed to work on it.
    """

    key: str
    name: str
    ordinal: int | None
    entry: str
    parent: str | None = None


class Pending(NamedTuple):
    """An item that waits to be worked on. See `Listed`."""

    key: str
    entry: str
    parent: str | None


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
    fingerprint: Fingerprint | None = None


class Ledger:
    """One SQLite file in WAL mode. Every method is one transaction: all of it is kept, or nothing.

    It may be used from several threads. A killed process loses nothing that was committed. Against a power
    cut, a commit is flushed to the disk if the last flush is more than a second ago: at most that second's
    items are done again.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens `path`, creating it if it is not there (unless `read_only`).

        Raises:
            LedgerError: locked, corrupt, not a ledger, or of another version.
            OutputError: it cannot be created or written.
        """
        self.path = path
        self.is_read_only = read_only
        self._flushed = float("-inf")
        self._lock = threading.RLock()
        with self._typed():
            if read_only:
                self._db = sqlite3.connect(
                    f"file:{quote(str(path))}?mode=ro",
                    uri=True,
                    timeout=BUSY_SECONDS,
                    check_same_thread=False,
                )
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
            self._script(SCHEMA)
        elif version == 1 and not read_only:
            self._script(FROM_VERSION_1.format(schema=SCHEMA))
        elif version != SCHEMA_VERSION:
            raise LedgerError(
                f"{str(self.path)!r} is a ledger of version {version}; this VidPrompter reads "
                f"{SCHEMA_VERSION}: give another --out, or --fresh to start over"
            )
        if not read_only:
            self._db.execute("PRAGMA journal_mode=WAL")

    def _script(self, script: str) -> None:
        self._db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")

    def _tables(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def close(self) -> None:
        """Closes the file; the write-ahead log is folded in."""
        self._db.close()

    # --- items ---------------------------------------------------------------------------------------------

    def states(self, stage: str, keys: Sequence[str]) -> dict[str, ItemState]:
        """What is known of items; those that were never added are not in it. keys: at most 30 000."""
        query = (
            "SELECT key, status, attempts, fingerprint, error_type, CASE status WHEN 'split' THEN entry END "
            f"FROM items WHERE stage=? AND key IN ({','.join('?' * len(keys))})"
        )
        with self._typed():
            found = self._db.execute(query, (stage, *keys)).fetchall()
        return {key: ItemState(*state) for key, *state in found}

    def put(self, stage: str, run: int, items: Sequence[Listed], *, again: Sequence[str] = ()) -> None:
        """Puts items on the list of `run`, pending. again: those among them that had come to an end.

        Their rows are taken out, and with them the stretches that they were cut into; see `output_is_stale`.
        """
        if not items:
            return
        with self._transaction():
            if again:
                self._take_back(stage, again)
            self._list(stage, run, items)

    def _take_back(self, stage: str, keys: Sequence[str]) -> None:
        marks = [(stage, key) for key in keys]
        for which in ("key", "parent"):
            self._db.executemany(
                f"DELETE FROM rows WHERE seq IN (SELECT seq FROM items WHERE stage=? AND {which}=?)", marks
            )
        self._db.executemany("DELETE FROM items WHERE stage=? AND parent=?", marks)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, '1')", (f"stale:{stage}",))

    def _list(self, stage: str, run: int, items: Sequence[Listed]) -> None:
        self._db.executemany(
            "INSERT INTO items (key, stage, name, status, parent, run, ordinal, entry) "
            "VALUES (?, ?, ?, 'pending', ?, ?, ?, ?) ON CONFLICT (key, stage) DO UPDATE SET "
            "status='pending', error_type=NULL, error_message=NULL, seq=NULL, parent=excluded.parent, "
            "run=excluded.run, ordinal=excluded.ordinal, entry=excluded.entry",
            ((i.key, stage, printable(i.name), i.parent, run, i.ordinal, i.entry) for i in items),
        )

    def pending(self, stage: str, run: int) -> Iterator[Pending]:
        """What is on the list of `run`, in its order; may be read while items are finished."""
        after = -1
        while True:
            with self._typed():
                page = self._db.execute(
                    "SELECT ordinal, key, entry, parent FROM items WHERE run=? AND ordinal>? AND status='pending' AND "
                    "stage=? AND ordinal IS NOT NULL ORDER BY ordinal LIMIT ?",
                    (run, after, stage, PAGE_ROWS),
                ).fetchall()
            if not page:
                return
            yield from (Pending(*found) for _, *found in page)
            after = page[-1][0]

    def split(
        self, stage: str, run: int, key: str, stretches: str, mark: Fingerprint, parts: Sequence[Listed]
    ) -> None:
        """Notes that an item was cut into `parts`, which are put on the list. stretches: kept as they are."""
        with self._transaction():
            self._db.execute(
                "UPDATE items SET status='split', entry=?, fingerprint=?, finished_at=?, attempts=attempts+1 "
                "WHERE key=? AND stage=?",
                (stretches, mark.to_text(), time.time(), key, stage),
            )
            self._list(stage, run, parts)

    def finish(self, stage: str, ended: Sequence[Finished]) -> list[Row]:
        """Records ends with their rows; gives the rows with their places in the output."""
        if not ended:
            return []
        now = time.time()
        rows = []
        with self._transaction():
            for end in ended:
                seq = self._db.execute(
                    "INSERT INTO rows (stage, row) VALUES (?, ?)", (stage, end.row)
                ).lastrowid
                assert seq is not None
                mark = end.fingerprint.to_text() if end.fingerprint is not None else None
                values = (end.status, end.error_type, printable(end.error_message), end.revision, now)
                changed = self._db.execute(
                    "UPDATE items SET status=?, error_type=?, error_message=?, revision=?, finished_at=?, "
                    "seconds=?, seq=?, fingerprint=coalesce(?, fingerprint), attempts=attempts+1, entry=NULL "
                    "WHERE key=? AND stage=?",
                    (*values, end.seconds, seq, mark, end.key, stage),
                ).rowcount
                if changed != 1:
                    raise LedgerError(f"item {end.key} of stage {stage!r} was finished but never added")
                rows.append(Row(seq, end.row))
        return rows

    def adopt(self, stage: str, ended: Iterable[tuple[str, Finished]]) -> int:
        """Takes finished rows from elsewhere, with a name for people each; gives how many.

        Their items go by the keys given until `rename` tells what they are.
        """
        count = 0
        with self._transaction():
            for name, end in ended:
                seq = self._db.execute(
                    "INSERT INTO rows (stage, row) VALUES (?, ?)", (stage, end.row)
                ).lastrowid
                message = printable(end.error_message)
                values = (end.key, stage, printable(name), end.status, end.error_type, message)
                self._db.execute(
                    "INSERT INTO items (key, stage, name, status, attempts, error_type, error_message, revision, "
                    "seconds, seq) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
                    (*values, end.revision, end.seconds, seq),
                )
                count += 1
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, '1')", (f"adopted:{stage}",))
        return count

    def has_adopted(self, stage: str) -> bool:
        """Whether items came by `adopt`."""
        return self._has(f"adopted:{stage}")

    def rename(self, stage: str, items: Sequence[tuple[str, str, str, Fingerprint]]) -> None:
        """Gives adopted items their own keys: (key so far, key, name for people, fingerprint)."""
        with self._transaction():
            self._db.executemany(
                "UPDATE items SET key=?, name=?, fingerprint=? WHERE key=? AND stage=?",
                ((key, printable(name), mark.to_text(), old, stage) for old, key, name, mark in items),
            )

    def take_over(self, other: Path, stage: str) -> int:
        """Adds the items and rows of another ledger of the same version; gives how many were here already.

        Raises:
            LedgerError: it cannot be read.
        """
        columns = (
            "key, stage, name, status, attempts, error_type, error_message, fingerprint, revision, finished_at, "
            "seconds, parent, entry"
        )
        with self._typed():
            self._db.execute("ATTACH ? AS other", (str(other),))
        try:
            with self._transaction():
                run = "SELECT * FROM other.items i WHERE stage=?1 AND NOT EXISTS"
                same = "(SELECT 1 FROM main.items m WHERE m.key=i.key AND m.stage=i.stage)"
                base = self._db.execute("SELECT coalesce(max(seq), 0) FROM main.rows").fetchone()[0]
                total = self._db.execute(
                    "SELECT count(*) FROM other.items WHERE stage=?", (stage,)
                ).fetchone()[0]
                self._db.execute(
                    f"INSERT INTO main.rows (seq, stage, row) SELECT seq + ?2, stage, row FROM other.rows "
                    f"WHERE seq IN (SELECT seq FROM ({run} {same})) ORDER BY seq",
                    (stage, base),
                )
                added = self._db.execute(
                    f"INSERT INTO main.items ({columns}, seq) SELECT {columns}, seq + ?2 FROM ({run} {same})",
                    (stage, base),
                ).rowcount
                self._db.execute(
                    "INSERT INTO main.runs (stage, started_at, ended_at, outcome, settings, summary) SELECT stage, "
                    "started_at, ended_at, outcome, settings, summary FROM other.runs WHERE stage=?",
                    (stage,),
                )
                self._db.execute(
                    "INSERT OR IGNORE INTO main.roots (id, path) SELECT id, path FROM other.roots"
                )
        finally:
            with self._typed():
                self._db.execute("DETACH other")
        return int(total - added)

    # --- views ---------------------------------------------------------------------------------------------

    def rows(self, stage: str, after: int = 0) -> Iterator[Row]:
        """The finished output rows behind place `after`, in output order."""
        while True:
            with self._typed():
                page = self._db.execute(
                    "SELECT seq, row FROM rows WHERE stage=? AND seq>? ORDER BY seq LIMIT ?",
                    (stage, after, PAGE_ROWS),
                ).fetchall()
            if not page:
                return
            yield from (Row(seq, row) for seq, row in page)
            after = page[-1][0]

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
        return self._has(f"stale:{stage}")

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

    def _has(self, name: str) -> bool:
        with self._typed():
            return bool(self._db.execute("SELECT count(*) FROM meta WHERE name=?", (name,)).fetchone()[0])

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
                with suppress(sqlite3.Error):  # a full disk has often rolled it back already
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """One thread at a time, and SQLite's errors as ours."""
        try:
            with self._lock:
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
            f"the ledger {where} is damaged ({error}); `vidprompter runs repair OUTPUT` makes it again from the "
            f"output, --fresh starts over"
        )
    return LedgerError(f"the ledger {where}: {error}")
