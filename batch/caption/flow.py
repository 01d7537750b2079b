"""The engine's loop: measured clips in batches to the writer, every end recorded as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from batch.caption.interrupt import StopRequest
from batch.caption.jobs import CaptionSettings, ClipJob, request_of
from batch.caption.prefetch import Measure, Measured, Prefetcher
from batch.caption.rows import CaptionRow, done_row, failed_row
from vidprompter.engines.protocol import PromptWriter, identity_of
from vidprompter.errors import GenerationError, ModelError, RunError, VidPrompterError
from vidprompter.tasks import Prompt

BATCH_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class FlowOptions:
    """How the machine is used; nothing here changes a prompt."""

    workers: int
    batch_size: int
    decode_timeout_seconds: float


class Sink(Protocol):
    """Where the ends of jobs go."""

    def started(self, job: ClipJob) -> None:
        """A job is about to be read; called from another thread than `ended`."""
        ...

    def ended(self, ends: Sequence[tuple[ClipJob, CaptionRow]]) -> None:
        """Jobs came to their end, in this order."""
        ...


def caption_clips(
    jobs: Sequence[ClipJob],
    *,
    settings: CaptionSettings,
    options: FlowOptions,
    measure: Measure,
    load: Callable[[Callable[[str], None]], PromptWriter],
    sink: Sink,
    say: Callable[[str], None],
) -> bool:
    """True when every job came to its end, False when somebody asked to stop.

    Decoding and measuring start at once in worker processes and go on while the writer is loaded and while it
    writes. A clip's error costs its row; an error of the model or of the output ends the run.

    Raises:
        ModelError, RunError: see above.
        KeyboardInterrupt: Ctrl-C before the first batch, or for the second time.
    """
    _fail_hopeless(jobs, settings, sink)
    hopeful = [job for job in jobs if job.entry.problem is None]
    if not hopeful:
        return True
    ahead = max(2 * options.workers, options.batch_size + options.workers)
    prefetcher = Prefetcher(
        _announced(hopeful, sink),
        measure,
        workers=options.workers,
        timeout_seconds=options.decode_timeout_seconds,
        ahead=ahead,
    )
    with prefetcher:
        writer = load(say)
        if (writer.model, writer.revision) != (settings.writer.model, settings.writer.revision):
            raise ModelError(f"{identity_of(writer)} was loaded where {settings.writer} was asked for")
        with StopRequest(say) as stop:
            while not prefetcher.is_exhausted() and not stop.asked:
                taken = prefetcher.take(
                    options.batch_size, patience_seconds=BATCH_PATIENCE_SECONDS, stopping=stop.is_asked
                )
                if not stop.asked:
                    _write(taken, writer, settings, sink)
            return not stop.asked


def _announced(jobs: Iterable[ClipJob], sink: Sink) -> Iterable[ClipJob]:
    for job in jobs:
        sink.started(job)
        yield job


def _fail_hopeless(jobs: Sequence[ClipJob], settings: CaptionSettings, sink: Sink) -> None:
    ends = [
        (job, failed_row(job, job.entry.problem, settings, 0.0))
        for job in jobs
        if job.entry.problem is not None
    ]
    for job, _ in ends:
        sink.started(job)
    if ends:
        sink.ended(ends)


def _write(taken: Sequence[Measured], writer: PromptWriter, settings: CaptionSettings, sink: Sink) -> None:
    """Records what could not be measured, then writes prompts for the rest and records them."""
    broken = [outcome for outcome in taken if outcome.error is not None]
    for outcome in broken:
        if isinstance(outcome.error, ModelError | RunError):
            raise outcome.error  # missing weights are no fault of the clip
    if broken:
        sink.ended(
            [
                (o.item, failed_row(o.item, o.error, settings, o.seconds))
                for o in broken
                if o.error is not None
            ]
        )
    measured = [(outcome, outcome.unwrap()) for outcome in taken if outcome.error is None]
    if not measured:
        return
    began = time.perf_counter()
    results = writer.generate_batch([request_of(o.item, sheet, settings) for o, sheet in measured])
    share = (time.perf_counter() - began) / len(measured)
    if len(results) != len(measured):
        raise GenerationError(f"{writer.model} gave {len(results)} results for {len(measured)} requests")
    sink.ended(
        [
            (outcome.item, _row(outcome.item, result, settings, outcome.seconds + share))
            for (outcome, _), result in zip(measured, results, strict=True)
        ]
    )


def _row(
    job: ClipJob, result: Prompt | VidPrompterError, settings: CaptionSettings, seconds: float
) -> CaptionRow:
    if isinstance(result, Prompt):
        return done_row(job, result, settings, seconds)
    return failed_row(job, result, settings, seconds)
