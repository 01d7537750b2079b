"""Features that were computed once, kept on disk for the next time.

<folder>/index.sqlite          which row of which shard has which key; SQLite in WAL mode
<folder>/shards/*.safetensors  the features, a file for each batch that was written (shard.py)

The folder is `features` in the user's cache folder, or in $VIDPROMPTER_HOME where that is set. Several processes may use
it at once. It is bounded in bytes: the shards that were not used for the longest time go first. Whatever is damaged or
gone counts as not there: a value is given back only if its checksum is right.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scoring.features.shard import DamagedShard, Feature, Shard, write_shard

VERSION = 1
INDEX_BYTES = 128
"""What an entry of the index is counted with."""
_SMALL_ROWS, _SMALL_SHARDS = 256, 64  # so many shards of fewer rows become one
_ASKED_AT_ONCE = 500
_USED_SECONDS = 60  # how exactly it is known when a shard was last used
_ORPHAN_SECONDS = 3600
_BUSY_SECONDS = 10.0
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS shard (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, used REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS entry (
    key BLOB PRIMARY KEY, shard INTEGER NOT NULL, row INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_shard ON entry (shard);
PRAGMA user_version = {VERSION};
"""


def default_folder() -> Path:
    """Where features are kept unless the user names a folder."""
    from models.fetching.places import home

    return home() / "features"


class FeatureCache:
    """Features by key. Never raises: where it cannot be used it says so once, and keeps and finds nothing.

    folder: None for `default_folder()`. limit_bytes: how large it may grow, the index counted; 0 switches it off. say: is
    told when it is damaged or given up. Opened with the first `get` or `put`.
    """

    def __init__(self, folder: Path | None, limit_bytes: int, say: Callable[[str], None]) -> None:
        self.folder = folder or default_folder()
        self._limit = limit_bytes
        self._say = say
        self._said_damaged = False
        self._off = limit_bytes <= 0
        self._db: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether it still keeps anything."""
        return not self._off

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Feature]:
        """Those of `keys` that are there."""
        found: dict[bytes, Feature] = {}
        wanted = list(dict.fromkeys(keys))

        def read(db: sqlite3.Connection) -> None:
            for shard, name, rows in _places(db, wanted):
                found.update(self._read(db, shard, name, rows))

        if wanted:
            self._use(read)
        return found

    def put(self, features: Mapping[bytes, Feature]) -> None:
        """Keeps them: one shard for each length of vector."""
        by_width: dict[int, list[tuple[bytes, Feature]]] = {}
        for key, feature in features.items():
            by_width.setdefault(len(feature.vector), []).append((key, feature))

        def write(db: sqlite3.Connection) -> None:
            for rows in by_width.values():
                self._write(db, rows)
            self._merge(db)
            self._shrink(db)

        if by_width:
            self._use(write)

    def close(self) -> None:
        """Closes the index; the next use opens it again."""
        with self._lock:
            self._disconnect()

    # ---- reading and writing ----------------------------------------------------------------------------------

    def _read(
        self, db: sqlite3.Connection, shard: int, name: str, rows: Sequence[tuple[bytes, int]]
    ) -> dict[bytes, Feature]:
        found: dict[bytes, Feature] = {}
        try:
            with Shard(self._shards / name) as opened:
                for key, row in rows:
                    found[key] = opened.read(row, key)
        except FileNotFoundError:
            self._drop(db, shard, name)  # another process dropped it
        except DamagedShard as error:
            self._tell_damaged(f"{name} ({error})")
            self._drop(db, shard, name)
        now = time.time()
        with db:
            db.execute(
                "UPDATE shard SET used = ? WHERE id = ? AND used < ?", (now, shard, now - _USED_SECONDS)
            )
        return found

    def _write(self, db: sqlite3.Connection, rows: Sequence[tuple[bytes, Feature]]) -> None:
        name = f"{secrets.token_hex(12)}.safetensors"
        size = write_shard(self._shards / name, rows)
        with db:  # the file is whole before the index knows it
            cursor = db.execute(
                "INSERT INTO shard (name, rows, bytes, used) VALUES (?, ?, ?, ?)",
                (name, len(rows), size + INDEX_BYTES * len(rows), time.time()),
            )
            db.executemany(
                "INSERT OR REPLACE INTO entry (key, shard, row) VALUES (?, ?, ?)",
                [(key, cursor.lastrowid, row) for row, (key, _) in enumerate(rows)],
            )

    def _merge(self, db: sqlite3.Connection) -> None:
        """Makes one shard of many small ones: whoever scores one clip at a time has no million files."""
        small = db.execute(
            "SELECT id, name FROM shard WHERE rows < ? ORDER BY id LIMIT ?", (_SMALL_ROWS, 4 * _SMALL_SHARDS)
        ).fetchall()
        if len(small) < _SMALL_SHARDS:
            return
        by_width: dict[int, list[tuple[bytes, Feature]]] = {}
        for shard, name in small:
            rows = db.execute("SELECT key, row FROM entry WHERE shard = ?", (shard,)).fetchall()
            for key, feature in self._read(db, shard, name, rows).items():
                by_width.setdefault(len(feature.vector), []).append((key, feature))
        for kept in by_width.values():
            self._write(db, kept)
        for shard, name in small:
            self._drop(db, shard, name)

    def _shrink(self, db: sqlite3.Connection) -> None:
        total = db.execute("SELECT COALESCE(SUM(bytes), 0) FROM shard").fetchone()[0]
        while total > self._limit:
            oldest = db.execute("SELECT id, name, bytes FROM shard ORDER BY used, id LIMIT 1").fetchone()
            if oldest is None:
                return
            self._drop(db, oldest[0], oldest[1])
            total -= oldest[2]

    def _drop(self, db: sqlite3.Connection, shard: int, name: str) -> None:
        with db:
            db.execute("DELETE FROM entry WHERE shard = ?", (shard,))
            db.execute("DELETE FROM shard WHERE id = ?", (shard,))
        (self._shards / name).unlink(missing_ok=True)

    # ---- opening, and what can go wrong -----------------------------------------------------------------------

    @property
    def _shards(self) -> Path:
        return self.folder / "shards"

    def _use(self, action: Callable[[sqlite3.Connection], None]) -> None:
        """Has `action` done on the index, where the cache is on; an error ends what is done, and no more."""
        with self._lock:
            if self._off:
                return
            try:
                if self._db is None or self._process != os.getpid():
                    self._db = self._connect()
                action(self._db)
            except sqlite3.DatabaseError as error:
                self._index_failed(error)
            except OSError as error:
                self._give_up(os.strerror(error.errno) if error.errno else str(error.args[-1]))

    def _connect(self) -> sqlite3.Connection:
        self._process = os.getpid()
        self._shards.mkdir(parents=True, exist_ok=True)
        if not os.access(self._shards, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        # A connection of the process that this one was forked from is left alone.
        db = sqlite3.connect(self._index, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise OSError(0, f"its index is of version {version}, this VidPrompter writes {VERSION}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            if version == 0:
                db.executescript(_SCHEMA)
            self._sweep(db)
        except BaseException:
            db.close()
            raise
        return db

    @property
    def _index(self) -> Path:
        return self.folder / "index.sqlite"

    def _sweep(self, db: sqlite3.Connection) -> None:
        """Deletes what a killed process left: files that no index knows, and old enough that none is being written."""
        known = {name for (name,) in db.execute("SELECT name FROM shard")}
        latest = time.time() - _ORPHAN_SECONDS
        for file in os.scandir(self._shards):
            with suppress(FileNotFoundError):  # another process has just renamed or dropped it
                if file.name not in known and file.stat().st_mtime < latest:
                    Path(file.path).unlink(missing_ok=True)

    def _index_failed(self, error: sqlite3.DatabaseError) -> None:
        code = getattr(error, "sqlite_errorcode", None)
        code = code & 0xFF if code is not None else None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return  # others write for longer than we wait: this time nothing is kept
        self._disconnect()
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) and not self._said_damaged:
            self._tell_damaged("index.sqlite")
            for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
                try:
                    (self.folder / name).unlink(missing_ok=True)
                except OSError as failure:
                    self._give_up(os.strerror(failure.errno or 0))
        else:
            self._give_up(str(error))

    def _tell_damaged(self, what: str) -> None:
        if not self._said_damaged:
            self._said_damaged = True
            self._say(f"kept features in {self.folder} are damaged: {what}; they are computed again")

    def _give_up(self, reason: str) -> None:
        self._disconnect()
        self._off = True
        self._say(f"features are not kept: {self.folder}: {reason}; every run computes them anew")

    def _disconnect(self) -> None:
        if self._db is not None and self._process == os.getpid():
            self._db.close()
        self._db = None


def _places(
    db: sqlite3.Connection, keys: Sequence[bytes]
) -> Iterator[tuple[int, str, list[tuple[bytes, int]]]]:
    """Shard, its file and (key, row) of those that the index knows, shard by shard."""
    by_shard: dict[tuple[int, str], list[tuple[bytes, int]]] = {}
    for first in range(0, len(keys), _ASKED_AT_ONCE):
        some = keys[first : first + _ASKED_AT_ONCE]
        marks = ",".join("?" * len(some))
        query = f"SELECT e.key, e.row, s.id, s.name FROM entry e JOIN shard s ON s.id = e.shard WHERE e.key IN ({marks})"
        for key, row, shard, name in db.execute(query, some):
            by_shard.setdefault((shard, name), []).append((key, row))
    for (shard, name), rows in by_shard.items():
        yield shard, name, rows
