"""One clip with all that is asked of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.caption.split import Split
from batch.inputs.entry import ClipEntry
from vidprompter.engines.options import EngineOptions, asked_fields
from vidprompter.engines.protocol import WriterIdentity
from vidprompter.runs.judge import Candidate
from vidprompter.runs.keys import ItemName, settings_text
from vidprompter.tasks import Request, Sampling, Task, Wording

if TYPE_CHECKING:
    from vidprompter.sheet.types import SceneSheet
    from vidprompter.video.clip import Clip

Stretch = tuple[float, float]
"""Start and end, seconds of the file."""


@dataclass(frozen=True)
class CaptionSettings:
    """What is the same for every clip of a run.

    variants: how many prompts a clip gets. split: whether files are cut into stretches first.
    """

    writer: WriterIdentity
    sampling: Sampling
    seed: int = 0
    variants: int = 1
    split: Split | None = None
    wording: Wording = field(default_factory=Wording)
    options: EngineOptions = field(default_factory=EngineOptions)

    def key_part(self) -> dict[str, Any]:
        """What of it makes another item. The engine does not: a run may be resumed on another machine."""
        return {
            "model": self.writer.model,
            "revision": self.writer.revision,
            "seed": self.seed,
            **self.asked_fields,
        }

    @cached_property
    def asked_fields(self) -> dict[str, Any]:
        """How prompts are asked for, as rows and keys say it."""
        return asked_fields(self.sampling, self.wording, self.options)

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
    """One clip to do. key: its name in the ledger, "" without one. split: cut it; nothing else is asked yet.

    others: jobs for the same clip, which is looked at once for all.
    """

    entry: ClipEntry
    key: str = ""
    split: Split | None = None
    others: tuple[ClipJob, ...] = ()

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
        variant=entry.variant,
        settings=settings.split_text if is_whole else settings.key_text,
    )
    path = os.path.abspath(entry.path)  # noqa: PTH100 - links stay links
    held_by = entry.member.archive if entry.member is not None else None
    return Candidate(path, entry.root, name, entry, entry.listed, parent, held_by, leave_out)


def file_of(entry: ClipEntry) -> str:
    """The file that the clip lies in: itself, or the archive."""
    return entry.path if entry.member is None else entry.member.archive


def stretches_of(entry: ClipEntry, stretches: list[Stretch], variants: int = 1) -> list[ClipEntry]:
    """The clip's stretches as clips of their own; a picture has one without length, and stays whole."""
    cut = [replace(entry, start=start, end=end) if end > start else entry for start, end in stretches]
    return [one for stretch in cut for one in variants_of(stretch, variants)]


def variants_of(entry: ClipEntry, count: int) -> list[ClipEntry]:
    """The clip once for each of its prompts."""
    return [replace(entry, variant=number) for number in range(count)] if count > 1 else [entry]


def together(jobs: Iterable[ClipJob]) -> Iterator[ClipJob]:
    """Jobs for one clip that follow each other as one job with the others in it: the clip is looked at once."""
    for _, group in groupby(jobs, key=_look):
        first, *others = group
        yield replace(first, others=tuple(others)) if others else first


def _look(job: ClipJob) -> object:
    """What is looked at: jobs with the same may share it."""
    entry = job.entry
    if job.split is not None or entry.problem is not None:
        return object()  # like no other
    return entry.path, entry.start, entry.end, entry.member


def request_of(job: ClipJob, seen: SceneSheet | Clip | Path, settings: CaptionSettings) -> Request:
    """What the writer is asked. seen: the clip's sheet, its frames, or its file."""
    from vidprompter.video.clip import Clip

    entry = job.entry
    video, sheet = (seen, None) if isinstance(seen, Clip | Path) else (Path(entry.path), seen)
    return Request(
        task=job.task,
        video=video,
        short=entry.short,
        sheet=sheet,
        start=entry.start,
        end=entry.end,
        variant=entry.variant,
        seed=settings.seed,
        sampling=settings.sampling,
        wording=settings.wording,
    )
