"""Where finished rows go: an output with its ledger, or straight to stdout."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from batch.caption.jobs import ClipJob
from batch.caption.report import Tally
from batch.caption.rows import CaptionRow, row_json
from vidprompter.runs.fingerprint import Fingerprint, fingerprint
from vidprompter.runs.ledger import Finished
from vidprompter.runs.run import Run

Told = Callable[[CaptionRow], None]


class LedgerSink:
    """Records in the ledger, then in the output, then tells."""

    def __init__(self, run: Run, tally: Tally, told: Told) -> None:
        self._run = run
        self._tally = tally
        self._told = told
        self._announced: deque[tuple[str, Fingerprint]] = deque()

    def started(self, job: ClipJob) -> None:
        """Takes the file's fingerprint before it is read; the ledger hears of it with the next end."""
        self._announced.append((job.key, fingerprint(job.entry.path)))

    def ended(self, ends: Sequence[tuple[ClipJob, CaptionRow]]) -> None:
        """One transaction, then one line of output each."""
        self._run.start([self._announced.popleft() for _ in range(len(self._announced))])
        self._run.finish([_finished(job, row) for job, row in ends])
        for _, row in ends:
            self._tally.count(row)
            self._told(row)


class StreamSink:
    """Writes each row to stdout as it comes; nothing is kept."""

    def __init__(self, write: Callable[[str], None], tally: Tally, told: Told, *, as_json: bool) -> None:
        self._write = write
        self._tally = tally
        self._told = told
        self._as_json = as_json

    def started(self, job: ClipJob) -> None:
        """Nothing to note."""

    def ended(self, ends: Sequence[tuple[ClipJob, CaptionRow]]) -> None:
        """JSON lines hold failures too; for people those go to stderr."""
        for _, row in ends:
            self._tally.count(row)
            if self._as_json:
                self._write(row_json(row))
            elif row["prompt"] is not None:
                self._write(f"{row['path']}\n{row['prompt']}\n")
            self._told(row)


def _finished(job: ClipJob, row: CaptionRow) -> Finished:
    error = row["error"]
    return Finished(
        key=job.key,
        status="failed" if error else "done",
        row=row_json(row),
        seconds=row["seconds"],
        revision=row["revision"],
        error_type=error["type"] if error else None,
        error_message=error["message"] if error else None,
    )
