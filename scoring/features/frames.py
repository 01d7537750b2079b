"""Frames of clips as the models want them, one decode of a clip for all models, in processes of their own.

PyAV reads all files: for eight moments of a clip it is as fast as decord or faster, which must index the whole file first,
its colours are nearer to what was encoded, and no score depends on which of the two takes a file. No torch comes into these
processes.

Letters: T frames, S side in pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.clip.preprocess import Preprocess
from vidprompter.video.sampling import Uniform
from vidprompter.video.workers import Outcome, WorkerPool

if TYPE_CHECKING:
    from vidprompter.video.clip import Clip

MAX_SIDE = 2048
"""Pixels: larger pictures are shrunk while they are decoded."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Look:
    """One way to look at a clip; models with equal ones share it.

    frames: moments, evenly spaced. whole: the model sees all at once and wants exactly so many: of a clip with fewer, they
    are repeated evenly (3 frames for 8: 0 0 0 1 1 1 2 2); a clip of one frame stays one.
    """

    frames: int
    whole: bool
    preprocess: Preprocess


@dataclass(frozen=True)
class Job:
    """A file, or its part from `start` to `end` (seconds), and how to look at it."""

    path: Path
    start: float | None
    end: float | None
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Seen:
    """pixels: (T, S, S, 3) uint8 for each look. digest: of the file's bytes, as `file_digest` gives it."""

    pixels: tuple[NDArray[np.uint8], ...]
    digest: str


class FramePool:
    """Looks at files in up to `workers` processes, which start with the first file and stay until `close`.

    timeout_seconds: for one file.
    """

    def __init__(self, workers: int, timeout_seconds: float) -> None:
        self._workers, self._limit = workers, timeout_seconds
        self._pool: WorkerPool[Job, Seen] | None = None

    def map(self, jobs: Iterable[Job]) -> Iterator[Outcome[Job, Seen]]:
        """An outcome for each job, as they finish; a bounded number of them is under way."""
        if self._pool is None:
            self._pool = WorkerPool(
                look_at, workers=self._workers, timeout_seconds=self._limit, describe=_describe
            )
        return self._pool.map(jobs)

    def close(self) -> None:
        """Ends the processes; the next `map` starts new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def look_at(job: Job) -> Seen:
    """What the models see of a file; runs in a worker.

    Raises:
        VideoError: one of its kinds says why the file cannot be used.
        InputError: the range lies beyond the end of the video.
    """
    from vidprompter.video.source import VideoSource

    source = VideoSource(job.path, start=job.start, end=job.end, threads=1, use_decord=False)
    counts = list(dict.fromkeys(look.frames for look in job.looks))
    clips = source.sample(*(Uniform(count, max_side=MAX_SIDE) for count in counts))
    by_count = dict(zip(counts, clips, strict=True))
    pixels = tuple(_through(by_count[look.frames].frames, look) for look in job.looks)
    return Seen(pixels, file_digest(job.path) or "")


def look_at_clip(clip: Clip, looks: Sequence[Look]) -> tuple[NDArray[np.uint8], ...]:
    """What the models see of frames in memory: evenly chosen ones, each once."""
    out = []
    for look in looks:
        middles = (np.arange(look.frames) + 0.5) * (len(clip) / look.frames)
        out.append(_through(clip.frames[np.unique(middles.astype(int))], look))
    return tuple(out)


def file_digest(path: Path) -> str | None:
    """SHA-256 of all bytes of a regular file; None where it cannot be read, or is none."""
    try:
        if not path.is_file():  # to open a pipe would wait for its writer
            return None
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            buffer = memoryview(bytearray(_CHUNK))
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
        return digest.hexdigest()
    except (OSError, ValueError):
        return None


def clip_digest(clip: Clip) -> str:
    """SHA-256 of frames in memory and their shape."""
    digest = hashlib.sha256(repr(clip.frames.shape).encode())
    digest.update(np.ascontiguousarray(clip.frames).data)
    return digest.hexdigest()


def _through(frames: NDArray[np.uint8], look: Look) -> NDArray[np.uint8]:
    if look.whole and 1 < len(frames) < look.frames:
        frames = frames[np.arange(look.frames) * len(frames) // look.frames]
    return look.preprocess(frames)


def _describe(job: Job) -> str:
    from vidprompter.video.files import show

    return show(job.path)
