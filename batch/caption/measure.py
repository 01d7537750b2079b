"""What worker processes run for each clip."""

from __future__ import annotations

from pathlib import Path

from batch.caption.jobs import ClipJob
from vidprompter.sheet.types import SceneSheet


def measure_job(job: ClipJob) -> SceneSheet:
    """The scene sheet of the job's clip. Networks are loaded once in each worker."""
    from vidprompter.sheet.measure import measure_sheet

    return measure_sheet(Path(job.entry.path), start=job.entry.start, end=job.entry.end)
