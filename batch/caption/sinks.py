"""Where finished rows go: an output with its ledger, or straight to stdout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from batch.caption.flow import End
from batch.caption.jobs import CaptionSettings, ClipJob, candidate_of, file_of, stretches_of
from batch.caption.measure import Read
from batch.caption.report import Tally
from batch.caption.rows import CaptionRow, row_json
from vidprompter.runs.fingerprint import fingerprint
from vidprompter.runs.ledger import Finished
from vidprompter.runs.run import Run

Told = Callable[[CaptionRow], None]


class LedgerSink:
    """Records in the ledger, then in the output, then tells."""

    def __init__(
        self, run: Run, settings: CaptionSettings, tally: Tally, told: Told, grown: Callable[[int], None]
    ) -> None:
        """grown: is told how many clips more there are than was thought."""
        self._run = run
        self._settings = settings
        self._tally = tally
        self._told = told
        self._grown = grown

    def cut(self, job: ClipJob, read: Read) -> list[ClipJob]:
        """Notes the stretches in the ledger, in one transaction; gives those that are to be done."""
        stretches = read.stretches or []
        entries = stretches_of(job.entry, stretches, self._settings.variants)
        candidates = [candidate_of(entry, self._settings, parent=job.key) for entry in entries]
        found = self._run.split(job.key, json.dumps(stretches), read.mark, candidates)
        self._tally.grow(len(found) - 1)
        todo = []
        for entry, item in zip(entries, found, strict=True):
            if self._tally.admit(item):
                todo.append(ClipJob(entry, item.key))
        self._grown(len(todo) - 1)
        return todo

    def ended(self, ends: Sequence[End]) -> None:
        """One transaction, then one line of output each."""
        self._run.finish([_finished(end) for end in ends])
        for end in ends:
            self._tally.count(end.row)
            self._told(end.row)


class StreamSink:
    """Writes each row to stdout as it comes; nothing is kept."""

    def __init__(
        self,
        write: Callable[[str], None],
        tally: Tally,
        told: Told,
        grown: Callable[[int], None],
        *,
        as_json: bool,
        variants: int,
    ) -> None:
        self._write = write
        self._tally = tally
        self._told = told
        self._grown = grown
        self._as_json = as_json
        self._variants = variants

    def cut(self, job: ClipJob, read: Read) -> list[ClipJob]:
        """All of the stretches."""
        entries = stretches_of(job.entry, read.stretches or [], self._variants)
        self._tally.grow(len(entries) - 1)
        self._grown(len(entries) - 1)
        return [ClipJob(entry) for entry in entries]

    def ended(self, ends: Sequence[End]) -> None:
        """JSON lines hold failures too; for people those go to stderr."""
        for end in ends:
            row = end.row
            self._tally.count(row)
            if self._as_json:
                self._write(row_json(row))
            elif row["prompt"] is not None:
                self._write(f"{_title(row)}\n{row['prompt']}\n")
            self._told(row)


def _title(row: CaptionRow) -> str:
    if row["start"] is None and row["end"] is None:
        return row["path"]
    end = "end" if row["end"] is None else f"{row['end']:.2f}"
    return f"{row['path']} {row['start'] or 0:.2f}-{end} s"


def _finished(end: End) -> Finished:
    row, error = end.row, end.row["error"]
    return Finished(
        key=end.job.key,
        status="failed" if error else "done",
        row=row_json(row),
        seconds=row["seconds"],
        revision=row["revision"],
        error_type=error["type"] if error else None,
        error_message=error["message"] if error else None,
        # A worker that hung or died took no mark; without one the clip would count as changed next time.
        fingerprint=end.mark if end.mark is not None else fingerprint(file_of(end.job.entry)),
    )
