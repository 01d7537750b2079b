"""`score --captions` without its command line: from a file of rows to an exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from batch.caption.report import DONE_EARLIER, Tally
from batch.caption.run import FAILURES_SHOWN, Talk, shown
from batch.caption.summary import write_summary
from batch.cli import EXIT_FAILED, EXIT_INTERRUPTED
from batch.progress import Progress
from batch.score.flat import nested
from batch.score.flow import BATCH_CLIPS, End, score_rows
from batch.score.jobs import Places, ScoreJob, ScoreSettings, candidate_of, job_of
from batch.score.report import Report, report_of, report_table
from batch.score.rows import row_text
from batch.score.tables import Numbered
from vidprompter.engines.protocol import Reports
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.runs.ledger import Finished
from vidprompter.runs.output import Output
from vidprompter.runs.run import Rules, Run, StageRows
from vidprompter.scores import Evaluator
from vidprompter.video.files import show

STAGE, RANK_STAGE = "score", "rank"
CHUNK_ROWS = 1000


@dataclass(frozen=True)
class ScoreOptions:
    """source: where the rows come from, for messages. root: relative paths start there. out: its view is made by `view`.

    completes: whether the view is written also when the run was interrupted. tells_others: whether rows of other runs in
    it are worth a word. is_kept: whether `out` is there for the next call. as_json: the summary as JSON on stdout.
    stage: in the ledger. batch_clips: scored and recorded at once.
    """

    source: Path
    root: Path
    out: Path
    view: Callable[[Path], Output]
    fresh: bool = False
    retry_failed: bool = False
    as_json: bool = False
    is_quiet: bool = False
    completes: bool = True
    tells_others: bool = True
    is_kept: bool = True
    stage: str = STAGE
    batch_clips: int = BATCH_CLIPS


Expand = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


@dataclass
class ScoreRun:
    """One call over one file. expand: makes rows of a row, such as one for each beam. admitted: is told every row."""

    settings: ScoreSettings
    options: ScoreOptions
    evaluator: Evaluator
    talk: Talk
    expand: Expand | None = None
    admitted: Callable[[dict[str, Any]], None] | None = None
    tally: Tally = field(default_factory=lambda: Tally(noun="rows"))
    report: Report | None = None

    def execute(self, rows: Iterator[Numbered]) -> int:
        """The exit code: 0 all scored, 1 some failed (now or earlier), 130 interrupted.

        Raises:
            VidPrompterError: the run cannot start or go on; what was finished is kept.
        """
        options = self.options
        stream = self._checked(rows)
        with Run(
            options.out, stage=options.stage, fresh=options.fresh, say=self.talk.say, view=options.view
        ) as run:
            run.begin(self.settings.key_part(), Rules(options.retry_failed))
            began = time.time()
            outcome = "failed"
            try:
                finished = self._work(stream, run)
                outcome = "finished" if finished else "interrupted"
            except BaseException:
                with suppress(VidPrompterError):  # what went wrong is the news
                    self._close(run, outcome, began)
                raise
            self._close(run, outcome, began)
            self.report = report_of(StageRows(run.ledger, options.stage), self.settings)
        if isinstance(self.evaluator, Reports) and (told := self.evaluator.summary()):
            self.talk.say(told)
        if not options.is_quiet:
            self._tell(self.report)
        if not finished:
            if options.is_kept:
                self.talk.say(self._how_to_resume())
            return EXIT_INTERRUPTED
        return EXIT_FAILED if self.tally.failed_total else 0

    def _checked(self, rows: Iterator[Numbered]) -> Iterator[ScoreJob]:
        """The jobs; a file without the columns that are needed is refused before anything is written."""
        source = show(self.options.source)
        first = next(rows, None)
        if first is None:
            raise InputError(f"{source} has no rows; write one with a {self.settings.text_column!r}")
        check_columns(first, source, self.settings)
        places = Places(source, self.options.root, self.settings, ranks=self.options.stage == RANK_STAGE)
        self._check_root(first.row)

        def jobs() -> Iterator[ScoreJob]:
            for number, row, file in chain([first], rows):
                told = nested(row)
                for one in self.expand(told) if self.expand else [told]:
                    yield places.job(number, one, file)

        return jobs()

    def _check_root(self, row: dict[str, Any]) -> None:
        """Refuses where the first clip stands where the user does, and not where all would be looked for in vain."""
        given = row.get(self.settings.path_column)
        if not self.settings.needs_video or not isinstance(given, str) or not given or "\0" in given:
            return
        root = self.options.root
        if not Path(given).is_absolute() and not (root / given).exists() and Path(given).exists():
            raise InputError(
                f"{show(given)} is not under {show(root)}, but it is under the folder you are in; add --root ."
            )

    def _work(self, jobs: Iterator[ScoreJob], run: Run) -> bool:
        try:
            self._admit(jobs, run)
        except KeyboardInterrupt:
            return False
        run.settle()
        with Progress(self.tally.left, self.tally.noun) as progress:
            finished = self._flow(run, progress)
        if finished or self.options.completes:
            run.complete()
        return finished

    def _admit(self, jobs: Iterator[ScoreJob], run: Run) -> None:
        """Puts on the list what is to do, and counts the rest; a chunk at a time, so that memory stays flat."""
        while chunk := list(islice(jobs, CHUNK_ROWS)):
            if self.admitted is not None:
                for job in chunk:
                    self.admitted(job.row)
            for item in run.admit(candidate_of(job, self.settings) for job in chunk):
                self.tally.grow(1)
                self.tally.admit(item)
        there = run.ledger.counts(self.options.stage)
        known = self.tally.skipped[DONE_EARLIER] + self.tally.failed_earlier
        others = there.get("done", 0) + there.get("failed", 0) - known
        if others > 0 and self.options.completes and self.options.tells_others:
            self.talk.say(
                f"{shown(str(self.options.out))} keeps {others} rows of earlier runs with other evaluators, settings "
                f"or texts; --fresh leaves them out"
            )

    def _flow(self, run: Run, progress: Progress) -> bool:
        pending = (job_of(one.entry, one.key) for one in run.pending())

        def ended(ends: Sequence[End]) -> None:
            run.finish([_finished(end) for end in ends])
            for end in ends:
                self._count(end, progress)

        try:
            return score_rows(
                pending,
                settings=self.settings,
                evaluator=self.evaluator,
                sink=ended,
                say=progress.say,
                show=progress.show,
                batch_clips=self.options.batch_clips,
            )
        except KeyboardInterrupt:
            return False

    def _count(self, end: End, progress: Progress) -> None:
        """Moves the bar on; shows failures as they come, the first twenty."""
        error = end.error
        self.tally.ended(type(error).__name__ if error else None, end.row["score_flags"])
        progress.step(failed=error is not None)
        if error is None:
            return
        shown_so_far = self.tally.failed_total - self.tally.failed_earlier
        if shown_so_far <= FAILURES_SHOWN:
            clip, message = str(end.row.get(self.settings.path_column) or ""), " ".join(str(error).split())
            where = f"{show(clip)}: " if clip and clip not in message and "\0" not in clip else ""
            progress.say(shown(f"failed: {where}{type(error).__name__}: {message}"))
        if shown_so_far == FAILURES_SHOWN:
            progress.say("more failures are not shown here; every row says why")

    def _close(self, run: Run, outcome: str, began: float) -> None:
        run.end(outcome, self.tally.to_json())
        write_summary(run.output, self.tally, self.settings.key_part(), outcome, began)

    def _tell(self, report: Report) -> None:
        out = str(self.options.out)
        if self.options.as_json:
            told = {"out": out, **self.tally.to_json(), "evaluators": report.to_json()}
            self.talk.answer(json.dumps(told))
            return
        from batch.score.show import console

        self.talk.answer("\n".join([shown(out), *self.tally.lines(), ""]))
        console().print(report_table(report))

    def _how_to_resume(self) -> str:
        ended = self.tally.given - self.tally.left
        return (
            f"interrupted after {ended} of {self.tally.given} rows; nothing of it is lost: "
            f"the same command goes on from there"
        )


def _finished(end: End) -> Finished:
    error = end.error
    return Finished(
        key=end.job.key,
        status="failed" if error else "done",
        row=row_text(end.row),
        seconds=round(end.seconds, 4),
        error_type=type(error).__name__ if error else None,
        error_message=" ".join(str(error).split()) if error else None,
        fingerprint=end.mark,
    )


def check_columns(first: Numbered, shown: str, settings: ScoreSettings) -> None:
    """Nothing. first: row of a file that messages call `shown`.

    Raises:
        InputError: it has no column of texts, or none of clips where these are needed.
    """
    wanted = {"text": settings.text_column} | ({"path": settings.path_column} if settings.needs_video else {})
    for what, column in wanted.items():
        if column not in first.row:
            there = ", ".join(map(repr, list(first.row)[:12])) or "none"
            blind = ", or choose evaluators of texts alone (rubric, judge)" if what == "path" else ""
            raise InputError(
                f"{shown} row {first.number} has no column {column!r}; its columns are {there}: "
                f"say which one with --{what}-column NAME{blind}"
            )


def default_out(captions: Path, word: str) -> Path:
    """Beside the input: `captions.scored.jsonl`; a JSON list becomes lines, which can grow."""
    suffix = ".jsonl" if captions.suffix.lower() == ".json" else captions.suffix
    return captions.with_name(f"{captions.stem}.{word}{suffix}")


def check_out(out: Path, captions: Path) -> None:
    """Nothing.

    Raises:
        InputError: the output would be the input.
    """
    if out.resolve() == captions.resolve():
        raise InputError(
            f"--out {show(out)} is the file of captions itself, which is never written over; name another"
        )
