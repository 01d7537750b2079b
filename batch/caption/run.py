"""`vidprompter caption` without its command line: from what was given to an exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from batch.caption.flow import FlowOptions, Sink, caption_clips
from batch.caption.jobs import CaptionSettings, ClipJob, candidate_of, stretches_of, together, variants_of
from batch.caption.measure import Measure, measure_job
from batch.caption.report import Tally
from batch.caption.rows import CaptionRow
from batch.caption.sinks import LedgerSink, StreamSink
from batch.caption.summary import write_summary
from batch.cli import EXIT_FAILED, EXIT_INTERRUPTED
from batch.inputs.entry import ClipEntry
from batch.outputs.choose import HasOne
from batch.progress import Progress
from batch.writers import WriterSource
from vidprompter.errors import VidPrompterError
from vidprompter.runs.output import Output
from vidprompter.runs.rowfile import RowFile
from vidprompter.runs.run import Rules, Run

STAGE = "caption"
FAILURES_SHOWN = 20
CHUNK_CLIPS = 1000


@dataclass(frozen=True)
class CaptionOptions:
    """out: None for stdout. as_json: rows (or the summary) as JSON on stdout. rules: what is done again.

    view: makes the output. needs_none: says of a clip that it has what the output would be.
    label: how people call the output, if not by its path.
    """

    out: Path | None
    flow: FlowOptions
    fresh: bool = False
    as_json: bool = False
    rules: Rules = field(default_factory=Rules)
    view: Callable[[Path], Output] = RowFile
    needs_none: HasOne | None = None
    label: str | None = None


@dataclass(frozen=True)
class Talk:
    """answer: writes a line to stdout. say: writes a line to stderr."""

    answer: Callable[[str], None]
    say: Callable[[str], None]


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

    def _stream(self, entries: Iterable[ClipEntry]) -> bool:
        jobs = [ClipJob(entry, split=self.settings.split) for entry in self.asked(entries)]
        self.tally.given = len(jobs)
        with Progress(len(jobs), "clips", answers_between=True) as progress:
            tell = self._teller(progress)
            sink = StreamSink(
                self.talk.answer,
                self.tally,
                tell,
                progress.grow,
                as_json=self.options.as_json,
                variants=self.settings.variants,
            )
            finished = self._flow(jobs, sink, progress)
        if self.tally.failed_total or self.tally.given > 1:
            self.talk.say(f"{self.tally.done} done, {self.tally.failed_total} failed")
        return finished

    def _keep(self, entries: Iterable[ClipEntry], out: Path) -> bool:
        options = self.options
        with Run(out, stage=STAGE, fresh=options.fresh, say=self.talk.say, view=options.view) as run:
            run.begin(self.settings.key_part(), options.rules)
            began = time.time()
            outcome = "failed"
            try:
                finished = self._work(entries, run)
                outcome = "finished" if finished else "interrupted"
            except BaseException:
                # What went wrong is the news. A full disk will not take these either, and nothing depends on them.
                with suppress(VidPrompterError):
                    self._close(run, outcome, began)
                raise
            self._close(run, outcome, began)
        if options.as_json:
            self.talk.answer(json.dumps({"out": str(out), **self.tally.to_json()}))
        else:
            self.talk.answer("\n".join([shown(options.label or str(out)), *self.tally.lines()]))
        return finished

    def _work(self, entries: Iterable[ClipEntry], run: Run) -> bool:
        try:
            self._admit(entries, run)
        except KeyboardInterrupt:
            return False
        run.settle()
        with Progress(self.tally.left, "clips") as progress:
            sink = LedgerSink(run, self.settings, self.tally, self._teller(progress), progress.grow)
            finished = self._flow(self._pending(run), sink, progress)
        run.complete()
        return finished

    def _close(self, run: Run, outcome: str, began: float) -> None:
        run.end(outcome, self.tally.to_json())
        write_summary(run.output, self.tally, self.settings.key_part(), outcome, began)

    def _admit(self, entries: Iterable[ClipEntry], run: Run) -> None:
        """Puts on the list what is to do, and counts the rest; a chunk at a time, so that memory stays flat."""
        stream = iter(entries)
        while chunk := list(islice(stream, CHUNK_CLIPS)):
            asked = list(self.asked(chunk))
            candidates = [
                candidate_of(entry, self.settings, leave_out=self._needs_none(entry, run.view))
                for entry in asked
            ]
            stretches: list[tuple[ClipEntry, str]] = []
            for entry, item in zip(asked, run.admit(candidates), strict=True):
                if item.verdict == "split":
                    parts = stretches_of(entry, json.loads(item.stretches or "[]"), self.settings.variants)
                    stretches += [(part, item.key) for part in parts]
                elif item.verdict != "elsewhere":
                    self.tally.grow(1)
                    self.tally.admit(item)
            self.tally.grow(len(stretches))
            cut = (candidate_of(part, self.settings, parent=key) for part, key in stretches)
            for item in run.admit(cut):
                self.tally.admit(item)

    def asked(self, entries: Iterable[ClipEntry]) -> Iterator[ClipEntry]:
        """The clips, each once for each of its prompts; files that are cut first, once."""
        for entry in entries:
            yield from variants_of(entry, self.settings.variants if self.settings.split is None else 1)

    def _needs_none(self, entry: ClipEntry, output: Output) -> bool:
        asks = self.options.needs_none
        return asks is not None and self.settings.split is None and asks(entry, output)

    def _pending(self, run: Run) -> Iterator[ClipJob]:
        for key, entry, parent in run.pending():
            split = self.settings.split if parent is None else None
            yield ClipJob(ClipEntry.from_json(entry), key, split)

    def _flow(self, jobs: Iterable[ClipJob], sink: Sink, progress: Progress) -> bool:
        try:
            return caption_clips(
                together(jobs),
                settings=self.settings,
                options=self.options.flow,
                measure=self.measure,
                load=self.source.load,
                sink=sink,
                say=progress.say,
                show=progress.show,
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
            f"all of it is in {shown(self.options.label or str(self.options.out))}: "
            f"the same command goes on from there"
        )


def shown(path: str) -> str:
    """A path as a terminal can print it."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
