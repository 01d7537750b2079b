"""Which items are new, done, changed or failed: candidates against the ledger, a chunk at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from vidprompter.errors import OutputError
from vidprompter.runs.fingerprint import MISSING, Fingerprint, fingerprint, looks_unchanged, unchanged
from vidprompter.runs.keys import ItemName, adopted_key, item_key, shard_of
from vidprompter.runs.ledger import ItemState, Ledger
from vidprompter.runs.roots import Roots

Verdict = Literal["new", "changed", "retry", "done", "failed", "split", "elsewhere", "left out"]


class Payload(Protocol):
    """What is needed to work on an item; the ledger keeps it until the item is finished."""

    def to_json(self) -> str:
        """It as one line of ASCII."""
        ...


class Candidate(NamedTuple):
    """An item as found: its file, the folder it was found under (both absolute), and the rest of its name.

    listed: it may be named twice, and is then two items. parent: key of the item that it is a stretch of.
    held_by: the archive that it lies in, whose changes are its changes. leave_out: it needs no work, unless
    the ledger knows better.
    """

    path: str
    root: str
    name: ItemName
    payload: Payload | None = None
    listed: bool = True
    parent: str | None = None
    held_by: str | None = None
    leave_out: bool = False


class Admitted(NamedTuple):
    """What the ledger says of a candidate.

    relative: its path from its root. error_type: of a failure before. stretches: of a split item.
    """

    key: str
    relative: str
    verdict: Verdict
    error_type: str | None = None
    stretches: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How candidates are judged.

    whole: trust digests of whole files alone. shard: (number from 0, count); others belong elsewhere.
    """

    retry_failed: bool = False
    whole: bool = False
    shard: tuple[int, int] | None = None


class _Named(NamedTuple):
    """A candidate's key, its path from the root, whether it is of this shard, and how often it came before."""

    key: str
    relative: str
    is_mine: bool
    times: int


class Judge:
    """Names candidates and compares them with the ledger; one for a whole list, since it counts repeats."""

    def __init__(self, ledger: Ledger | None, roots: Roots, stage: str, rules: Rules) -> None:
        self._ledger = ledger
        self._roots = roots
        self._stage = stage
        self._rules = rules
        self._has_adopted = ledger is not None and ledger.has_adopted(stage)
        # On disk, if it has to be: a list of millions of lines must not fill the memory.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("PRAGMA synchronous=OFF")
        self._seen.execute("PRAGMA journal_mode=OFF")
        self._seen.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")

    def __call__(self, candidates: Sequence[Candidate]) -> list[Admitted]:
        """The verdict on each, in order. candidates: at most 10 000."""
        named = self._named(candidates)
        mine = [one.key for one in named if one.is_mine]
        states = self._ledger.states(self._stage, mine) if self._ledger is not None and mine else {}
        if self._has_adopted and len(states) < len(mine):
            states |= self._adopted(candidates, named, states)
        return [
            self._admit(candidate, one.key, one.relative, states.get(one.key))
            if one.is_mine
            else Admitted(one.key, one.relative, "elsewhere")
            for candidate, one in zip(candidates, named, strict=True)
        ]

    def close(self) -> None:
        """Forgets what was seen."""
        self._seen.close()

    def _adopted(
        self, candidates: Sequence[Candidate], named: Sequence[_Named], known: Mapping[str, ItemState]
    ) -> dict[str, ItemState]:
        """The states of candidates whose rows were adopted; the ledger is told their names."""
        assert self._ledger is not None
        wanted = {
            adopted_key(candidate.name._replace(path=candidate.path), one.times): (one, candidate)
            for one, candidate in zip(named, candidates, strict=True)
            if one.is_mine and one.key not in known
        }
        found = self._ledger.states(self._stage, list(wanted))
        renamed, states = [], {}
        for old, state in found.items():
            one, candidate = wanted[old]
            mark = fingerprint(candidate.held_by or candidate.path, whole=self._rules.whole)
            renamed.append((old, one.key, one.relative, mark))
            states[one.key] = state._replace(mark=mark.to_text())
        if not self._ledger.is_read_only:
            self._ledger.rename(self._stage, renamed)
        return states

    def _named(self, candidates: Sequence[Candidate]) -> list[_Named]:
        """Key, path from the root, and whether it is of this shard, for each."""
        names = []
        for candidate in candidates:
            number, relative = self._roots.name(candidate.path, candidate.root)
            names.append(ItemName(number, relative, *candidate.name[2:]))
        keys = [item_key(name) for name in names]
        repeats = self._repeats([key for key, one in zip(keys, candidates, strict=True) if one.listed])
        named = []
        for key, name, candidate in zip(keys, names, candidates, strict=True):
            times = next(repeats) if candidate.listed else 0
            own = item_key(name, times) if times else key
            named.append(_Named(own, name.path, self._is_mine(name, candidate), times))
        return named

    def _is_mine(self, name: ItemName, candidate: Candidate) -> bool:
        shard = self._rules.shard
        # The stretches of a file stay together.
        return shard is None or candidate.parent is not None or shard_of(name, shard[1]) == shard[0]

    def _repeats(self, keys: Sequence[str]) -> Iterator[int]:
        """How often each key came before."""
        short = [bytes.fromhex(key) for key in keys]
        try:
            query = f"SELECT key, times FROM seen WHERE key IN ({','.join('?' * len(short))})"
            times = dict(self._seen.execute(query, short).fetchall())
            before = []
            for key in short:
                before.append(times.get(key, 0))
                times[key] = before[-1] + 1
            self._seen.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", sorted(times.items()))
        except sqlite3.Error as error:
            raise OutputError(
                f"the folder for temporary files cannot be written ({error}); make room or set TMPDIR"
            ) from error
        return iter(before)

    def _admit(self, candidate: Candidate, key: str, relative: str, state: ItemState | None) -> Admitted:
        verdict = self._verdict(state, candidate.held_by or candidate.path)
        if verdict == "new" and candidate.leave_out:
            return Admitted(key, relative, "left out")
        if state is None:
            return Admitted(key, relative, verdict)
        return Admitted(key, relative, verdict, state.error_type, state.entry)

    def _verdict(self, state: ItemState | None, path: str) -> Verdict:
        if state is None or state.status == "pending":
            return "new"
        if not self._unchanged(path, state.mark):
            # A done item whose file is gone keeps its row: the folder may just not be mounted.
            return state.status if state.status != "failed" and not Path(path).exists() else "changed"
        if state.status == "failed":
            return "retry" if self._rules.retry_failed else "failed"
        return state.status

    def _unchanged(self, path: str, mark: str | None) -> bool:
        whole = self._rules.whole
        if mark and not whole and looks_unchanged(path, mark):
            return True
        return unchanged(path, Fingerprint.from_text(mark) if mark else MISSING, whole=whole)
