"""What worker processes run for each clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from batch.caption.jobs import ClipJob, Stretch, file_of
from batch.inputs.stored import on_disk
from vidprompter.errors import VidPrompterError
from vidprompter.heap import trim_heap
from vidprompter.runs.fingerprint import MISSING, Fingerprint, fingerprint
from vidprompter.sheet.types import SceneSheet

Measure: TypeAlias = Callable[[ClipJob], SceneSheet]


@dataclass(frozen=True, slots=True)
class Read:
    """What a worker found out about a clip. mark: taken before it was read. One of the others is not None."""

    mark: Fingerprint
    sheet: SceneSheet | None = None
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


def _read(job: ClipJob, *, measure: Measure, whole: bool) -> Read:
    if job.entry.problem is not None:
        return Read(MISSING, error=job.entry.problem)
    mark = fingerprint(file_of(job.entry), whole=whole)
    try:
        if job.split is None:
            return Read(mark, sheet=measure(job))
        from batch.caption.split import find_segments

        with on_disk(job.entry) as path:
            stretches = find_segments(path, job.split, job.entry.start, job.entry.end)
        return Read(mark, stretches=stretches)
    except VidPrompterError as error:
        return Read(mark, error=error)
    finally:
        trim_heap()  # clips of all sizes come by
