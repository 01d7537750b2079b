"""One run over one output: lock, ledger and rows, opened together and kept in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vidprompter.errors import InputError
from vidprompter.runs.fingerprint import MISSING, Fingerprint, unchanged
from vidprompter.runs.keys import ItemName, item_key
from vidprompter.runs.ledger import Finished, ItemState, Ledger
from vidprompter.runs.lock import RunLock
from vidprompter.runs.roots import Roots
from vidprompter.runs.rowfile import RowFile

Verdict = Literal["new", "changed", "retry", "done", "failed"]
CHUNK_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item as found: its file, the folder it was found under (both absolute), and the rest of its name."""

    path: str
    root: str
    name: ItemName


class Admitted(NamedTuple):
    """What the ledger says of a candidate.

    relative: its path from its root. unknown: seen for the first time. error_type: of a failure before.
    """

    key: str
    relative: str
    verdict: Verdict
    unknown: bool
    error_type: str | None


def ledger_path(output: Path) -> Path:
    """Where the ledger of an output stands: beside it."""
    return output.with_name(output.name + ".ledger.sqlite")


class Run:
    """A resumable run that writes one JSON-lines output. Use as a context manager."""

    def __init__(self, output: Path, *, stage: str, fresh: bool = False, say: Callable[[str], None]) -> None:
        """Takes the lock, opens or creates the ledger, repairs the output from it.

        fresh: forget an earlier run and its output. say: is told, in one line each, what was repaired.

        Raises:
            InputError: the output exists without a ledger, so that its rows could not be vouched for.
            LedgerError, OutputError: see `Ledger`, `RunLock`, `RowFile`.
        """
        self.output = checked_output(output)
        self.stage = stage
        self._say = say
        self._lock = RunLock(self.output.with_name(self.output.name + ".ledger.lock"))
        try:
            place = ledger_path(self.output)
            if fresh:
                _forget(self.output, place)
            elif not place.exists() and self.output.exists() and self.output.stat().st_size:
                raise InputError(
                    f"{str(output)!r} exists, but its ledger {place.name!r} does not: it cannot be resumed; "
                    f"give another --out, or --fresh to start over"
                )
            self.ledger = Ledger(place)
        except BaseException:
            self._lock.release()
            raise
        try:
            self._rows = RowFile(self.output)
            self._recover()
        except BaseException:
            self.ledger.close()
            self._lock.release()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._rows.close()
        finally:
            self.ledger.close()
            self._lock.release()

    def admit(self, candidates: Iterable[Candidate], *, retry_failed: bool) -> Iterator[Admitted]:
        """What to do with every candidate, in order; new, changed and retried ones wait in the ledger.

        A done or failed item is one whose file has not changed since; the rows of changed and retried ones
        are taken out of the output when the last candidate was seen.
        """
        judge = _Judge(self.ledger, Roots(self.ledger, self._say), self.stage, retry_failed)
        stream = iter(candidates)
        while chunk := [judge(candidate) for candidate in islice(stream, CHUNK_ITEMS)]:
            self.ledger.add(self.stage, [(item.key, item.relative) for item in chunk if item.unknown])
            self.ledger.reopen(
                self.stage, [item.key for item in chunk if item.verdict in ("changed", "retry")]
            )
            yield from chunk
        self._refresh()

    def start(self, items: Sequence[tuple[str, Fingerprint]]) -> None:
        """Marks items as being worked on."""
        self.ledger.start(self.stage, items)

    def finish(self, ended: Sequence[Finished]) -> None:
        """Records ends: in the ledger, then in the output; the next start repairs a crash between the two."""
        self.ledger.finish(self.stage, ended)
        self._rows.append(end.row for end in ended)

    def begin(self, settings: dict[str, Any]) -> int:
        """The number of this run in the ledger."""
        return self.ledger.begin_run(self.stage, settings)

    def end(self, number: int, outcome: str, summary: dict[str, Any]) -> None:
        """Notes how the run ended."""
        self.ledger.end_run(number, outcome, summary)

    def _recover(self) -> None:
        self.ledger.recover(self.stage)
        if self.ledger.output_is_stale(self.stage):
            self._refresh()
        repair = self._rows.repair(lambda: self.ledger.rows(self.stage))
        where = repr(str(self.output))
        if repair.torn:
            self._say(f"dropped a half-written last line of {where}")
        if repair.backup is not None:
            self._say(
                f"{where} held other lines; kept as {repair.backup.name!r} and written anew from the ledger"
            )
        elif repair.added:
            self._say(f"put {repair.added} rows back into {where} from the ledger")

    def _refresh(self) -> None:
        if self.ledger.output_is_stale(self.stage):
            self._rows.rewrite(self.ledger.rows(self.stage))
            self.ledger.output_is_fresh(self.stage)


def peek(
    output: Path, candidates: Iterable[Candidate], *, stage: str, retry_failed: bool
) -> Iterator[Admitted]:
    """What `Run.admit` would say, with nothing written and no lock taken."""
    place = ledger_path(checked_output(output))
    ledger = Ledger(place, read_only=True) if place.exists() else None
    try:
        judge = _Judge(ledger, Roots(ledger, lambda _: None, remember=False), stage, retry_failed)
        for candidate in candidates:
            yield judge(candidate)
    finally:
        if ledger is not None:
            ledger.close()


def checked_output(output: Path) -> Path:
    """The real, absolute path of an output file.

    Raises:
        InputError: its folder does not exist, or it is something else than a file.
    """
    real = output.resolve()
    if not real.parent.is_dir():
        raise InputError(f"the folder of --out {str(output)!r} does not exist; make it first")
    if real.exists() and not real.is_file():
        raise InputError(f"--out {str(output)!r} is not a regular file; leave --out away to write to stdout")
    return real


class _Judge:
    """Names candidates and compares them with the ledger."""

    def __init__(self, ledger: Ledger | None, roots: Roots, stage: str, retry_failed: bool) -> None:
        self._ledger = ledger
        self._roots = roots
        self._stage = stage
        self._retry_failed = retry_failed
        self._seen: Counter[str] = Counter()

    def __call__(self, candidate: Candidate) -> Admitted:
        number, relative = self._roots.name(candidate.path, candidate.root)
        name = replace(candidate.name, root=number, path=relative)
        base = item_key(name)
        key = item_key(name, self._seen[base]) if self._seen[base] else base
        self._seen[base] += 1
        state = self._ledger.state(self._stage, key) if self._ledger is not None else None
        verdict = _verdict(state, candidate.path, self._retry_failed)
        return Admitted(
            key, relative, verdict, state is None, state.error_type if state is not None else None
        )


def _verdict(state: ItemState | None, path: str, retry_failed: bool) -> Verdict:
    if state is None or state.status in ("pending", "running"):
        return "new"
    before = state.fingerprint or MISSING
    if not unchanged(path, before):
        # A done item whose file is gone keeps its row: the folder may just not be mounted.
        return "done" if state.status == "done" and _gone(path) else "changed"
    if state.status == "done":
        return "done"
    return "retry" if retry_failed else "failed"


def _gone(path: str) -> bool:
    return not Path(path).exists()


def _forget(output: Path, ledger: Path) -> None:
    # The log goes before its database: a log beside a new database of the same name would be read into it.
    for path in (output, Path(f"{ledger}-wal"), Path(f"{ledger}-shm"), ledger):
        path.unlink(missing_ok=True)
