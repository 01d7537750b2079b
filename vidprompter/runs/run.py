"""One run over one output: lock, ledger and view, opened together and kept in step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from vidprompter.errors import InputError, OutputError, VidPrompterError
from vidprompter.runs.fingerprint import Fingerprint
from vidprompter.runs.judge import Admitted, Candidate, Judge, Rules, Verdict
from vidprompter.runs.ledger import Finished, Ledger, Listed, Pending
from vidprompter.runs.lock import RunLock
from vidprompter.runs.output import Output, Row
from vidprompter.runs.roots import Roots
from vidprompter.runs.rowfile import RowFile

__all__ = ["Admitted", "Candidate", "Rules", "Run", "Verdict", "ledger_path", "peek"]
CHUNK_ITEMS = 1000
LIVE: frozenset[Verdict] = frozenset(("new", "changed", "retry"))
"""Verdicts on items that are to be worked on."""


def ledger_path(output: Path) -> Path:
    """Where the ledger of an output stands: beside it."""
    return output.with_name(output.name + ".ledger.sqlite")


class StageRows:
    """The finished rows of one stage, for its view."""

    def __init__(self, ledger: Ledger, stage: str) -> None:
        self._ledger = ledger
        self._stage = stage

    def after(self, seq: int) -> Iterator[Row]:
        """See `vidprompter.runs.output.Rows`."""
        return self._ledger.rows(self._stage, seq)


class Run:
    """A resumable run of one stage, with one output. Use as a context manager.

    `begin` it, `admit` all that is wanted, `settle`, work on `pending`, `finish` each, `complete` at the end.
    """

    def __init__(
        self,
        output: Path,
        *,
        stage: str,
        fresh: bool = False,
        say: Callable[[str], None],
        view: Callable[[Path], Output] = RowFile,
    ) -> None:
        """Takes the lock, opens or creates the ledger, repairs the output from it.

        fresh: forget an earlier run and its output. say: is told, in one line each, what was repaired.
        view: makes the output from its real path; JSON lines unless told otherwise.

        Raises:
            InputError: the output exists without a ledger, so that its rows could not be vouched for.
            LedgerError, OutputError: see `Ledger`, `RunLock`, `Output`.
        """
        self.output = checked_output(output)
        self.stage = stage
        self._say = say
        self._number = 0
        self._ordinal = 0
        self._judge: Judge | None = None
        self._lock = RunLock(self.output.with_name(self.output.name + ".ledger.lock"))
        try:
            place = ledger_path(self.output)
            if fresh:
                forget(self.output)
            elif not place.exists() and _has_rows(self.output):
                raise InputError(
                    f"{str(output)!r} exists, but its ledger {place.name!r} does not: give another --out, make the "
                    f"ledger again with `vidprompter runs repair`, or start over with --fresh"
                )
            self.ledger = Ledger(place)
        except BaseException:
            self._lock.release()
            raise
        try:
            self._rows = StageRows(self.ledger, stage)
            self.view = view(self.output)
            try:
                self._refresh()
            except BaseException:
                self.view.close()
                raise
        except BaseException:
            self.ledger.close()
            self._lock.release()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._judge is not None:
            self._judge.close()
        try:
            # One clear line: what went wrong first is the news, not that closing fails of the same.
            with suppress(*([VidPrompterError] if kind else [])):
                self.view.close()
        finally:
            self.ledger.close()
            self._lock.release()

    def begin(self, settings: dict[str, Any], rules: Rules | None = None) -> int:
        """The number of this run in the ledger. rules: how `admit` judges."""
        self._number = self.ledger.begin_run(self.stage, settings)
        roots = Roots(self.ledger, self._say)
        self._judge = Judge(self.ledger, roots, self.stage, rules or Rules())
        return self._number

    def admit(self, candidates: Iterable[Candidate]) -> Iterator[Admitted]:
        """What to do with every candidate, in order; new, changed and retried ones are put on the list.

        A done or failed item is one whose file has not changed since.
        """
        for chunk, found in _judged(candidates, self._asked()):
            listed = [
                self._listed(c, item) for c, item in zip(chunk, found, strict=True) if item.verdict in LIVE
            ]
            again = [item.key for item in found if item.verdict in ("changed", "retry")]
            self.ledger.put(self.stage, self._number, listed, again=again)
            yield from found

    def settle(self) -> None:
        """Called when all was admitted: takes the rows of what is done again out of the output."""
        if self.ledger.output_is_stale(self.stage):
            self._refresh()

    def pending(self) -> Iterator[Pending]:
        """What is to do, in the order admitted; streams."""
        return self.ledger.pending(self.stage, self._number)

    def split(
        self, key: str, stretches: str, mark: Fingerprint, candidates: Sequence[Candidate]
    ) -> list[Admitted]:
        """Notes that an item was cut; what to do with its stretches, which `pending` does not hand out."""
        found = self._asked()(candidates)
        listed = [
            self._listed(c, item, handed_over=True)
            for c, item in zip(candidates, found, strict=True)
            if item.verdict in LIVE
        ]
        self.ledger.split(self.stage, self._number, key, stretches, mark, listed)
        return found

    def finish(self, ended: Sequence[Finished]) -> None:
        """Records ends: in the ledger, then in the output; the next start repairs a crash between the two."""
        self.view.add(self.ledger.finish(self.stage, ended))

    def complete(self) -> None:
        """Writes what the output kept back; called at the end, also after an interruption."""
        self.view.finish(self._rows)

    def end(self, outcome: str, summary: dict[str, Any]) -> None:
        """Notes how the run ended."""
        self.ledger.end_run(self._number, outcome, summary)

    def _asked(self) -> Judge:
        assert self._judge is not None, "begin comes first"
        return self._judge

    def _listed(self, candidate: Candidate, item: Admitted, *, handed_over: bool = False) -> Listed:
        self._ordinal += 1
        entry = candidate.payload.to_json() if candidate.payload is not None else ""
        ordinal = None if handed_over else self._ordinal
        return Listed(item.key, item.relative, ordinal, entry, candidate.parent)

    def _refresh(self) -> None:
        stale = self.ledger.output_is_stale(self.stage)
        self.view.recover(self._rows, stale=stale, say=self._say)
        if stale:
            self.ledger.output_is_fresh(self.stage)


def peek(
    output: Path, candidates: Iterable[Candidate], *, stage: str, rules: Rules, forget: bool = False
) -> Iterator[Admitted]:
    """What `Run.admit` would say, with nothing written and no lock taken. forget: as if there were no ledger."""
    place = ledger_path(checked_output(output))
    ledger = Ledger(place, read_only=True) if place.exists() and not forget else None
    judge = Judge(ledger, Roots(ledger, lambda _: None, remember=False), stage, rules)
    try:
        for _, found in _judged(candidates, judge):
            yield from found
    finally:
        judge.close()
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


def _has_rows(output: Path) -> bool:
    """Whether there is an output, or parts of one."""
    parts = Path(f"{output}.parts")
    return (output.exists() and output.stat().st_size > 0) or (parts.is_dir() and any(parts.iterdir()))


def _judged(
    candidates: Iterable[Candidate], judge: Judge
) -> Iterator[tuple[list[Candidate], list[Admitted]]]:
    stream = iter(candidates)
    while chunk := list(islice(stream, CHUNK_ITEMS)):
        yield chunk, judge(chunk)


def forget(output: Path) -> None:
    """Removes an output with its parts and its ledger.

    Raises:
        OutputError: it cannot be removed.
    """
    ledger = ledger_path(output)
    try:
        shutil.rmtree(f"{output}.parts", ignore_errors=True)
        # The log goes before its database: a log beside a new database of the same name would be read into it.
        for path in (output, Path(f"{ledger}-wal"), Path(f"{ledger}-shm"), ledger):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{str(output)!r} cannot be removed ({error.strerror}); give another --out"
        ) from error
