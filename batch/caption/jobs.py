"""One clip with all that is asked of it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from batch.inputs.entry import ClipEntry
from vidprompter.engines.protocol import WriterIdentity
from vidprompter.runs.keys import ItemName
from vidprompter.runs.run import Candidate
from vidprompter.sheet.types import SceneSheet
from vidprompter.tasks import Request, Sampling, Task


@dataclass(frozen=True)
class CaptionSettings:
    """What is the same for every clip of a run."""

    writer: WriterIdentity
    sampling: Sampling
    seed: int = 0
    variant: int = 0

    def key_part(self) -> dict[str, Any]:
        """What of it makes another item. The engine does not: a run may be resumed on another machine."""
        return {
            "model": self.writer.model,
            "revision": self.writer.revision,
            "seed": self.seed,
            **asdict(self.sampling),
        }


@dataclass(frozen=True, slots=True)
class ClipJob:
    """One clip to do. key: its name in the ledger, "" without one."""

    entry: ClipEntry
    key: str = ""

    @property
    def task(self) -> Task:
        """Task 2 with a short description, else task 1."""
        return Task.VIDEO_AND_SHORT_TO_PROMPT if self.entry.short else Task.VIDEO_TO_PROMPT


def candidate_of(entry: ClipEntry, settings: CaptionSettings) -> Candidate:
    """The clip as the ledger names it."""
    name = ItemName(
        root=0,  # the ledger numbers roots and finds the relative path
        path=entry.path,
        start=entry.start,
        end=entry.end,
        task=ClipJob(entry).task.value,
        short=entry.short,
        variant=settings.variant,
        settings=settings.key_part(),
    )
    return Candidate(os.path.abspath(entry.path), entry.root, name)  # noqa: PTH100 - links stay links


def request_of(job: ClipJob, sheet: SceneSheet, settings: CaptionSettings) -> Request:
    """What the writer is asked."""
    entry = job.entry
    return Request(
        task=job.task,
        video=Path(entry.path),
        short=entry.short,
        sheet=sheet,
        start=entry.start,
        end=entry.end,
        variant=settings.variant,
        seed=settings.seed,
        sampling=settings.sampling,
    )
