"""A file as a source of clips: several samplings from one decode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidprompter.errors import CorruptVideo, InputError
from vidprompter.video.clip import Clip, VideoInfo
from vidprompter.video.decord_reader import DecordReader, suits_decord
from vidprompter.video.files import identify, show
from vidprompter.video.image_reader import ImageReader
from vidprompter.video.probe import Probe, probe_video, scan_packets
from vidprompter.video.pyav_reader import PyavReader
from vidprompter.video.reader import CannotRead, FrameReader, Moment, Size
from vidprompter.video.sampling import SamplingPlan, fit_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A damaged file is worth describing from this many frames on.
MIN_FRAMES_OF_DAMAGED = 3
# A container's length is often a few frames off; more than this missing at the end: the file is cut.
_SHORTFALL_SECONDS = 1.0


class VideoSource:
    """A video or picture file, or the part of it between `start` and `end` (seconds).

    Nothing is read before `info` or `sample` is asked for. threads: of the decoder, 0 for one per core;
    take 1 where several workers decode at once. use_decord: False goes to PyAV at once.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        start: float | None = None,
        end: float | None = None,
        threads: int = 0,
        use_decord: bool = True,
    ) -> None:
        self.path = Path(path)
        self.start = _seconds("start", start)
        self.end = _seconds("end", end)
        if self.end is not None and self.end <= (self.start or 0.0):
            raise InputError(f"end is {self.end:g} s; it must be above start ({self.start or 0:g} s)")
        self.threads = threads
        self.use_decord = use_decord

    @cached_property
    def info(self) -> VideoInfo:
        """What the file says about itself.

        Raises:
            VideoError: one of its kinds says why the file cannot be used.
        """
        return self._probe.info if self._probe is not None else ImageReader(self.path).info()

    @cached_property
    def _probe(self) -> Probe | None:
        """None for a picture."""
        return probe_video(self.path) if identify(self.path) == "video" else None

    def sample(self, *plans: SamplingPlan) -> tuple[Clip, ...]:
        """One clip for each plan, all from one pass over the file.

        A clip holds the pictures on screen at the moments of its plan, each once; so it may hold fewer than
        the plan asks for where the video has fewer. Of a file that breaks off, what decodes is sampled.

        Raises:
            VideoError: one of its kinds says why the file cannot be used.
            InputError: the range lies beyond the end of the video.
        """
        if not plans:
            raise InputError("sample() got no plan; give Uniform() or AtRate()")
        info = self.info
        clips, reader = self._decode(plans, info.duration)
        if reader.ended_at is not None and self._is_cut(reader.ended_at, info.duration):
            # What is there is sampled as if it were the whole.
            clips, reader = self._decode(plans, self._real_duration())
        frames = reader.frames_in_all
        if reader.damaged and frames is not None and frames < MIN_FRAMES_OF_DAMAGED:
            raise CorruptVideo(
                f"{show(self.path)} is damaged: only {frames} of its frames decode, and at least "
                f"{MIN_FRAMES_OF_DAMAGED} are needed; copy it again"
            )
        return clips

    def _decode(self, plans: Sequence[SamplingPlan], duration: float) -> tuple[tuple[Clip, ...], FrameReader]:
        start, end = self._range(duration)
        sizes = [fit_within(self.info.width, self.info.height, plan.max_side) for plan in plans]
        times = [plan.times(start, end) for plan in plans]
        moments = _merge(times)
        for reader in self._readers():
            shelves = [_Shelf(len(t), size) for t, size in zip(times, sizes, strict=True)]
            try:
                for picture in reader.read(moments, sizes):
                    for plan, image in picture.images.items():
                        shelves[plan].put(picture.time, image)
            except CannotRead:
                continue
            info = replace(self.info, backend=reader.name, duration=duration, damaged=reader.damaged)
            return tuple(shelf.clip(info) for shelf in shelves), reader
        raise AssertionError("the last reader does not give up")

    def _readers(self) -> list[FrameReader]:
        if self._probe is None:
            return [ImageReader(self.path)]
        readers: list[FrameReader] = []
        if self.use_decord and suits_decord(self._probe):
            readers.append(DecordReader(self.path, self._probe, threads=self.threads))
        return [*readers, PyavReader(self.path, self._probe, threads=self.threads)]

    def _range(self, duration: float) -> tuple[float, float]:
        first = self._probe.first_time if self._probe is not None else 0.0
        last = first + duration
        start = first if self.start is None else max(self.start, first)
        if self.start is not None and self.start >= last and self.start > 0:
            raise InputError(
                f"start is {self.start:g} s, but {show(self.path)} ends at {last:.3f} s; start earlier"
            )
        return start, last if self.end is None else min(self.end, last)

    def _is_cut(self, ended_at: float, duration: float) -> bool:
        assert self._probe is not None
        return self._probe.first_time + duration - ended_at > max(_SHORTFALL_SECONDS, 0.02 * duration)

    def _real_duration(self) -> float:
        assert self._probe is not None
        end = scan_packets(self.path, self._probe.info.fps).end
        return max(end - self._probe.first_time, self._probe.frame_seconds)


class _Shelf:
    """Collects the pictures of one plan into one array."""

    def __init__(self, capacity: int, size: Size) -> None:
        self._frames = np.empty((capacity, size[1], size[0], 3), np.uint8)
        self._times: list[float] = []

    def put(self, time: float, image: NDArray[np.uint8]) -> None:
        self._frames[len(self._times)] = image
        self._times.append(time)

    def clip(self, info: VideoInfo) -> Clip:
        frames: NDArray[np.uint8] = self._frames[: len(self._times)]
        return Clip(frames, np.array(self._times), info)


def _merge(times: list[NDArray[np.float64]]) -> list[Moment]:
    """All moments of all plans in order, each once, with the numbers of the plans that want it."""
    wanted: dict[float, set[int]] = {}
    for plan, plan_times in enumerate(times):
        for time in plan_times.tolist():
            wanted.setdefault(time, set()).add(plan)
    return [Moment(time, frozenset(wanted[time])) for time in sorted(wanted)]


def _seconds(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if not math.isfinite(value) or value < 0:
        raise InputError(f"{name} is {value}; it must be a number of seconds, 0 or more")
    return float(value)
