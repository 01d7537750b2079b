"""`vidprompter caption` without its command line: from what was given to an exit code."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path

from batch.caption.flow import FlowOptions, Sink, caption_clips
from batch.caption.jobs import CaptionSettings, ClipJob, candidate_of
from batch.caption.measure import measure_job
from batch.caption.prefetch import Measure
from batch.caption.report import Tally
from batch.caption.rows import CaptionRow, row_json
from batch.caption.sinks import LedgerSink, StreamSink
from batch.cli import EXIT_FAILED, EXIT_INTERRUPTED
from batch.inputs.entry import ClipEntry
from batch.progress import Progress
from batch.writers import WriterSource
from vidprompter.runs.run import Run, Verdict, peek

STAGE = "caption"
FAILURES_SHOWN = 20


@dataclass(frozen=True)
class CaptionOptions:
    """out: None for stdout. as_json: rows (or the summary) as JSON on stdout."""

    out: Path | None
    flow: FlowOptions
    retry_failed: bool = False
    fresh: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Talk:
    """answer: writes a line to stdout. say: writes a line to stderr."""

    answer: Callable[[str], None]
    say: Callable[[str], None]


def default_workers() -> int:
    """Worker processes for decoding: one core is left to the writer, and more than eight help nobody."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores - 1))


@dataclass
class CaptionRun:
    """One call of `caption`."""

    settings: CaptionSettings
    options: CaptionOptions
    source: WriterSource
    talk: Talk
    measure: Measure = measure_job
    tally: Tally = field(default_factory=Tally)

    def execute(self, entries: Iterable[ClipEntry]) -> int:
        """The exit code: 0 all done, 1 some failed (now or earlier), 130 interrupted.

        Raises:
            VidPrompterError: the run cannot start or go on; what was finished is kept.
        """
        out = self.options.out
        finished = self._stream(entries) if out is None else self._keep(entries, out)
        if not finished:
            self.talk.say(self._how_to_resume())
            return EXIT_INTERRUPTED
        return EXIT_FAILED if self.tally.failed_total else 0

    def dry(self, entries: Iterable[ClipEntry]) -> int:
        """0; shows what `execute` would do with each clip and writes nothing."""
        counts: Counter[str] = Counter()
        for entry, verdict in self._foreseen(entries):
            todo = {"done": "skip", "failed": "failed earlier"}.get(verdict, "write")
            counts[todo] += 1
            if self.options.as_json:
                row = {"path": entry.path, "task": ClipJob(entry).task.value, "would": todo}
                self.talk.answer(row_json(row))
            else:
                self.talk.answer(f"{todo}  {shown(entry.path)}")
        self.talk.say(
            "dry run: " + (", ".join(f"{number} {what}" for what, number in counts.items()) or "nothing")
        )
        return 0

    def _foreseen(self, entries: Iterable[ClipEntry]) -> Iterator[tuple[ClipEntry, Verdict]]:
        out = self.options.out
        if out is None or self.options.fresh:
            yield from ((entry, "new") for entry in entries)
            return
        first, second = tee(entries)
        candidates = (candidate_of(entry, self.settings) for entry in second)
        judged = peek(out, candidates, stage=STAGE, retry_failed=self.options.retry_failed)
        yield from ((entry, item.verdict) for entry, item in zip(first, judged, strict=True))

    def _stream(self, entries: Iterable[ClipEntry]) -> bool:
        jobs = [ClipJob(entry) for entry in entries]
        self.tally.given = len(jobs)
        with Progress(len(jobs), "clips", answers_between=True) as progress:
            sink = StreamSink(
                self.talk.answer, self.tally, self._teller(progress), as_json=self.options.as_json
            )
            finished = self._flow(jobs, sink, progress)
        if self.tally.failed_total or len(jobs) > 1:
            self.talk.say(f"{self.tally.done} done, {self.tally.failed_total} failed")
        return finished

    def _keep(self, entries: Iterable[ClipEntry], out: Path) -> bool:
        with Run(out, stage=STAGE, fresh=self.options.fresh, say=self.talk.say) as run:
            number = run.begin(self.settings.key_part())
            outcome = "failed"
            try:
                jobs = list(self._admitted(entries, run))
                with Progress(len(jobs), "clips") as progress:
                    sink = LedgerSink(run, self.tally, self._teller(progress))
                    finished = self._flow(jobs, sink, progress)
                outcome = "finished" if finished else "interrupted"
            finally:
                run.end(number, outcome, self.tally.to_json())
        if self.options.as_json:
            self.talk.answer(json.dumps({"out": str(out), **self.tally.to_json()}))
        else:
            self.talk.answer("\n".join([shown(str(out)), *self.tally.lines()]))
        return finished

    def _admitted(self, entries: Iterable[ClipEntry], run: Run) -> Iterator[ClipJob]:
        """The clips that are still to do; the others are counted."""
        first, second = tee(entries)
        candidates = (candidate_of(entry, self.settings) for entry in second)
        judged = run.admit(candidates, retry_failed=self.options.retry_failed)
        for entry, item in zip(first, judged, strict=True):
            self.tally.given += 1
            if item.verdict == "done":
                self.tally.skipped += 1
            elif item.verdict == "failed":
                self.tally.failed[item.error_type or "unknown"] += 1
                self.tally.failed_earlier += 1
            else:
                self.tally.changed += item.verdict == "changed"
                self.tally.retried += item.verdict == "retry"
                yield ClipJob(entry, item.key)

    def _flow(self, jobs: Sequence[ClipJob], sink: Sink, progress: Progress) -> bool:
        try:
            return caption_clips(
                jobs,
                settings=self.settings,
                options=self.options.flow,
                measure=self.measure,
                load=self.source.load,
                sink=sink,
                say=progress.say,
            )
        except KeyboardInterrupt:
            return False

    def _teller(self, progress: Progress) -> Callable[[CaptionRow], None]:
        """Moves the bar on; shows failures as they come, the first twenty."""

        def tell(row: CaptionRow) -> None:
            progress.step(failed=row["error"] is not None)
            if row["error"] is None:
                return
            shown_so_far = self.tally.failed_total - self.tally.failed_earlier
            if shown_so_far <= FAILURES_SHOWN:
                progress.say(f"failed: {row['error']['type']}: {row['error']['message']}")
            if shown_so_far == FAILURES_SHOWN:
                progress.say("more failures are not shown here; every row says why")

        return tell

    def _how_to_resume(self) -> str:
        ended = self.tally.given - self.tally.left
        if self.options.out is None:
            return (
                f"interrupted after {ended} of {self.tally.given} clips; with --out FILE it could be resumed"
            )
        return (
            f"interrupted after {ended} of {self.tally.given} clips; "
            f"all of it is in {shown(str(self.options.out))}: the same command goes on from there"
        )


def shown(path: str) -> str:
    """A path as a terminal can print it."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
