"""One clip with all that is asked of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from batch.caption.split import Split
from batch.inputs.entry import ClipEntry
from vidprompter.engines.protocol import WriterIdentity
from vidprompter.runs.judge import Candidate
from vidprompter.runs.keys import ItemName, settings_text
from vidprompter.sheet.types import SceneSheet
from vidprompter.tasks import Request, Sampling, Task

Stretch = tuple[float, float]
"""Start and end, seconds of the file."""


@dataclass(frozen=True)
class CaptionSettings:
    """What is the same for every clip of a run. split: whether files are cut into stretches first."""

    writer: WriterIdentity
    sampling: Sampling
    seed: int = 0
    variant: int = 0
    split: Split | None = None

    def key_part(self) -> dict[str, Any]:
        """What of it makes another item. The engine does not: a run may be resumed on another machine."""
        return {
            "model": self.writer.model,
            "revision": self.writer.revision,
            "seed": self.seed,
            **self.sampling_fields,
        }

    @cached_property
    def sampling_fields(self) -> dict[str, Any]:
        """The sampling options by name."""
        return self.sampling.fields()

    @cached_property
    def key_text(self) -> str:
        """`key_part` as a part of keys."""
        return settings_text(self.key_part())

    @cached_property
    def split_text(self) -> str:
        """`key_text` of files that are to be cut: one cut otherwise is another item, its stretches are not."""
        cut = self.split.settings() if self.split is not None else {}
        return settings_text({**self.key_part(), **cut})


@dataclass(frozen=True, slots=True)
class ClipJob:
    """One clip to do. key: its name in the ledger, "" without one. split: cut it; nothing else is asked yet."""

    entry: ClipEntry
    key: str = ""
    split: Split | None = None

    @property
    def task(self) -> Task:
        """Task 2 with a short description, else task 1."""
        return task_of(self.entry)


def task_of(entry: ClipEntry) -> Task:
    """Task 2 with a short description, else task 1."""
    return Task.VIDEO_AND_SHORT_TO_PROMPT if entry.short else Task.VIDEO_TO_PROMPT


def candidate_of(
    entry: ClipEntry, settings: CaptionSettings, *, parent: str | None = None, leave_out: bool = False
) -> Candidate:
    """The clip as the ledger names it. parent: key of the file that it is a stretch of."""
    is_whole = settings.split is not None and parent is None
    name = ItemName(
        root=0,  # the ledger numbers roots and finds the relative path
        path=entry.path,
        start=entry.start,
        end=entry.end,
        task=task_of(entry).value,
        short=entry.short,
        variant=settings.variant,
        settings=settings.split_text if is_whole else settings.key_text,
    )
    path = os.path.abspath(entry.path)  # noqa: PTH100 - links stay links
    held_by = entry.member.archive if entry.member is not None else None
    return Candidate(path, entry.root, name, entry, entry.listed, parent, held_by, leave_out)


def file_of(entry: ClipEntry) -> str:
    """The file that the clip lies in: itself, or the archive."""
    return entry.path if entry.member is None else entry.member.archive


def stretches_of(entry: ClipEntry, stretches: list[Stretch]) -> list[ClipEntry]:
    """The clip's stretches as clips of their own; a picture has one without length, and stays whole."""
    return [replace(entry, start=start, end=end) if end > start else entry for start, end in stretches]


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
