"""What worker processes run for each clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from batch.caption.jobs import ClipJob, Stretch, file_of
from batch.inputs.stored import on_disk
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.heap import trim_heap
from vidprompter.runs.fingerprint import MISSING, Fingerprint, fingerprint

if TYPE_CHECKING:
    from vidprompter.engines.options import EngineOptions
    from vidprompter.engines.protocol import Capabilities
    from vidprompter.sheet.types import SceneSheet
    from vidprompter.video.clip import Clip

Seen: TypeAlias = "SceneSheet | Clip | Path"
"""What the writer gets of a clip: its scene sheet, its frames, or the file itself."""
Measure: TypeAlias = "Callable[[ClipJob], Seen]"
"""Looks at a job's clip for the writer."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a worker found out about a clip. mark: taken before it was read. One of the others is not None."""

    mark: Fingerprint
    seen: Seen | None = None
    stretches: list[Stretch] | None = None
    error: VidPrompterError | None = None


def reader(measure: Measure, *, whole: bool) -> Callable[[ClipJob], Read]:
    """The function for worker processes. whole: take fingerprints of whole files."""
    return partial(_read, measure=measure, whole=whole)


def measure_job(job: ClipJob) -> SceneSheet:
    """The scene sheet of the job's clip. Networks are loaded once in each worker."""
    from vidprompter.sheet.measure import measure_sheet

    with on_disk(job.entry) as path:
        sheet = measure_sheet(path, start=job.entry.start, end=job.entry.end)
    return sheet if job.entry.member is None else replace(sheet, path=job.entry.path)


def measure_for(capabilities: Capabilities, options: EngineOptions) -> Measure:
    """How clips are looked at for a writer that can do that."""
    if not capabilities.frames:
        return measure_job
    return look_at_file if options.send == "file" else look_at_frames(options.frames, options.max_side)


def held_bytes(capabilities: Capabilities, options: EngineOptions) -> int:
    """Bytes that are held of a clip until it is written, at most; 0 where it is next to nothing."""
    if not capabilities.frames or options.send == "file":
        return 0
    return options.frames * options.max_side**2 * 3


def look_at_frames(count: int, max_side: int) -> Measure:
    """For writers that look themselves: `count` frames of a clip, their longer side at most `max_side` pixels."""
    return partial(_frames, count=count, max_side=max_side)


def look_at_file(job: ClipJob) -> Path:
    """For servers that are sent whole files: the file, which can be opened.

    Raises:
        InputError: it is no file of its own.
    """
    from vidprompter.video.source import VideoSource

    if job.entry.member is not None:
        raise InputError(f"{job.entry.path!r} lies in an archive, and --send file sends files; send frames")
    VideoSource(job.entry.path).info  # noqa: B018 - raises what is wrong with it
    return Path(job.entry.path)


def _frames(job: ClipJob, *, count: int, max_side: int) -> Clip:
    from vidprompter.video.sampling import Uniform
    from vidprompter.video.source import VideoSource

    with on_disk(job.entry) as path:
        source = VideoSource(path, start=job.entry.start, end=job.entry.end, threads=1)
        (clip,) = source.sample(Uniform(count, max_side=max_side))
    return clip


def _read(job: ClipJob, *, measure: Measure, whole: bool) -> Read:
    if job.entry.problem is not None:
        return Read(MISSING, error=job.entry.problem)
    mark = fingerprint(file_of(job.entry), whole=whole)
    try:
        if job.split is None:
            return Read(mark, seen=measure(job))
        from batch.caption.split import find_segments

        with on_disk(job.entry) as path:
            stretches = find_segments(path, job.split, job.entry.start, job.entry.end)
        return Read(mark, stretches=stretches)
    except VidPrompterError as error:
        return Read(mark, error=error)
    finally:
        trim_heap()  # clips of all sizes come by
