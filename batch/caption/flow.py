"""The engine's loop: measured clips in batches to the writer, every end recorded as it comes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from batch.caption.interrupt import StopRequest
from batch.caption.jobs import CaptionSettings, ClipJob, request_of
from batch.caption.measure import Measure, Read, reader
from batch.caption.prefetch import Measured, Prefetcher
from batch.caption.rows import CaptionRow, done_row, failed_row
from batch.caption.vanished import check_folder
from batch.caption.writing import Result, Writing
from vidprompter.engines.protocol import PromptWriter, Reports, SharesCores, identity_of
from vidprompter.errors import ModelError, RunError, VidPrompterError
from vidprompter.runs.fingerprint import Fingerprint
from vidprompter.tasks import Prompt

BATCH_PATIENCE_SECONDS = 30.0
# The first batch is small: somebody watches, and a run that is killed early has something to show for it.
FIRST_BATCH = 8
# Of decoded frames: as much in a batch, and as much again waiting for the next one.
HELD_BYTES = 2_000_000_000


@dataclass(frozen=True)
class FlowOptions:
    """How the machine is used; nothing here changes a prompt.

    whole: take fingerprints of whole files. clip_bytes: what is held of a clip until it is written, at most.
    """

    workers: int
    batch_size: int
    decode_timeout_seconds: float
    whole: bool = False
    clip_bytes: int = 0

    @property
    def at_once(self) -> int:
        """Clips in a batch: as many as were asked for, or as the memory for frames holds."""
        return min(self.batch_size, max(1, HELD_BYTES // max(1, self.clip_bytes)))


@dataclass(frozen=True, slots=True)
class End:
    """The end of a job. mark: of its file before it was read; None where nobody could take it."""

    job: ClipJob
    row: CaptionRow
    mark: Fingerprint | None


class Sink(Protocol):
    """Where the ends of jobs go."""

    def cut(self, job: ClipJob, read: Read) -> list[ClipJob]:
        """A file was cut into stretches; those that are to be done. Called from another thread than `ended`."""
        ...

    def ended(self, ends: Sequence[End]) -> None:
        """Jobs came to their end, in this order."""
        ...


def caption_clips(
    jobs: Iterable[ClipJob],
    *,
    settings: CaptionSettings,
    options: FlowOptions,
    measure: Measure,
    load: Callable[[Callable[[str], None]], PromptWriter],
    sink: Sink,
    say: Callable[[str], None],
    show: Callable[[str], None] = lambda doing: None,
) -> bool:
    """True when every job came to its end, False when somebody asked to stop.

    jobs: taken as they are needed, in another thread. show: is told what is being done just now.

    Decoding and measuring start at once in worker processes and go on while the writer is loaded and while it
    writes. A clip's error costs its row; an error of the model or of the output ends the run.

    Raises:
        ModelError, RunError: see above.
        KeyboardInterrupt: Ctrl-C before the first batch, or for the second time.
    """
    prefetcher = Prefetcher(
        jobs,
        reader(measure, whole=options.whole),
        expand=sink.cut,
        workers=options.workers,
        timeout_seconds=options.decode_timeout_seconds,
        ahead=min(options.at_once + 2 * options.workers, max(options.workers, 2 * options.at_once)),
    )
    with prefetcher:
        show("loading the model")
        writing = _load(prefetcher, settings, load, say) if prefetcher.wait_for_work() else None
        with StopRequest(say) as stop:
            if options.at_once < options.batch_size:
                say(
                    f"{options.at_once} clips at once, not {options.batch_size}: so many frames fill the memory"
                )
            size = min(FIRST_BATCH, options.at_once)
            while not prefetcher.is_exhausted() and not stop.asked:
                show("measuring")
                taken = prefetcher.take(size, patience_seconds=BATCH_PATIENCE_SECONDS, stopping=stop.is_asked)
                size = options.at_once
                if not stop.asked:
                    _record_broken(taken, settings, sink)
                    show(f"writing {sum(one.seen is not None for one in taken)} prompts")
                    _write(taken, writing, settings, sink)
            if (
                writing is not None
                and isinstance(writing.writer, Reports)
                and (told := writing.writer.summary())
            ):
                say(told)
            return not stop.asked


def _load(
    prefetcher: Prefetcher,
    settings: CaptionSettings,
    load: Callable[[Callable[[str], None]], PromptWriter],
    say: Callable[[str], None],
) -> Writing:
    writer = load(say)
    if (writer.model, writer.revision) != (settings.writer.model, settings.writer.revision):
        raise ModelError(f"{identity_of(writer)} was loaded where {settings.writer} was asked for")
    if isinstance(writer, SharesCores):
        cores = usable_cores()
        writer.spare_cores = lambda: max(1, cores - prefetcher.busy)
    return Writing(writer, say)


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _record_broken(taken: Sequence[Measured], settings: CaptionSettings, sink: Sink) -> None:
    ends = []
    for one in taken:
        if one.error is None:
            continue
        if isinstance(one.error, ModelError | RunError):
            raise one.error  # missing weights are no fault of the clip
        check_folder(one.job.entry, one.error)
        ends.append(End(one.job, failed_row(one.job, one.error, settings, one.seconds), one.mark))
    if ends:
        sink.ended(ends)


def _write(taken: Sequence[Measured], writing: Writing | None, settings: CaptionSettings, sink: Sink) -> None:
    measured = [(one, one.seen) for one in taken if one.seen is not None]
    if not measured:
        return
    assert writing is not None, "a clip was measured that no one sent"
    began = time.perf_counter()
    results = writing.write([request_of(one.job, seen, settings) for one, seen in measured])
    share = (time.perf_counter() - began) / len(measured)
    sink.ended(
        [
            End(one.job, _row(one.job, result, settings, one.seconds + share), one.mark)
            for (one, _), result in zip(measured, results, strict=True)
        ]
    )


def _row(job: ClipJob, result: Result, settings: CaptionSettings, seconds: float) -> CaptionRow:
    if isinstance(result, Prompt):
        return done_row(job, result, settings, seconds)
    assert isinstance(result, VidPrompterError)
    return failed_row(job, result, settings, seconds)
