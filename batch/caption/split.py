"""Long files as several clips: one for each shot, or windows of equal length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprompter.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_EVERY_SECONDS = 0.5
# As `AtRate` samples for the scene sheet: the limits of `find_shots` are for this.
_FPS = 8.0
_MAX_SIDE = 320
# Frames looked at together. A cut is judged by three frames before and after it, so some are seen twice.
_CHUNK_FRAMES = 240
_OVERLAP_FRAMES = 16
_TICK = 1e-3  # seconds are rounded to this


@dataclass(frozen=True)
class Split:
    """How files are cut: `per_shot` at their cuts, or into windows of `every` seconds.

    Raises:
        InputError: both, or windows that are too short.
    """

    per_shot: bool = False
    every: float | None = None

    def __post_init__(self) -> None:
        if self.every is None:
            return
        if self.per_shot:
            raise InputError("--per-shot and --every were both given; choose one")
        if not MIN_EVERY_SECONDS <= self.every < math.inf:
            raise InputError(f"--every is {self.every:g} s; it must be at least {MIN_EVERY_SECONDS:g} s")

    def __bool__(self) -> bool:
        return self.per_shot or self.every is not None

    def settings(self) -> dict[str, Any]:
        """What of it makes another item of a file; nothing where it is not cut."""
        if self.per_shot:
            return {"per_shot": True}
        return {} if self.every is None else {"every": float(self.every)}


def find_segments(
    path: str | Path, split: Split, start: float | None = None, end: float | None = None
) -> list[tuple[float, float]]:
    """Start and end, seconds of the file, of each part of the file or of its range `start` to `end`.

    They touch, cover all of it, and are rounded to milliseconds; black between two shots belongs to the first. A
    still picture is one part of no length, (0.0, 0.0). For worker processes: beats as long as it decodes.

    Raises:
        VideoError: one of its kinds says why the file cannot be used.
        InputError: no range, or one beyond the end of the video.
    """
    from vidprompter.video.stream import FrameStream

    stream = FrameStream(path, start=start, end=end)
    if stream.end <= stream.start:
        return [(round(stream.start, 3), round(stream.end, 3))]
    if split.per_shot:
        from vidprompter.sheet.shots import MIN_SHOT_SECONDS

        starts = list(_shot_starts(stream.frames(_FPS, _MAX_SIDE)))  # only then is `stream.end` sure
        return _between(starts, stream.start, stream.end, least=MIN_SHOT_SECONDS)
    windows = [] if split.every is None else _window_starts(stream.start, stream.end, split.every)
    return _between(windows, stream.start, stream.end)


def _window_starts(start: float, end: float, every: float) -> list[float]:
    """Where the second window and those after it begin; a rest below half a window begins none."""
    span = end - start
    count = math.floor(span / every + 1e-9)
    rest = span - count * every
    return [start + number * every for number in range(1, count + (rest >= every / 2))]


def _between(
    starts: Iterable[float], start: float, end: float, *, least: float = 0.0
) -> list[tuple[float, float]]:
    """The parts that begin at `starts`; one shorter than `least` joins the one before it, the first the next."""
    least = max(least, _TICK) - _TICK / 2  # rounding
    kept = [round(start, 3)]
    last = round(end, 3)
    for one in starts:
        moment = round(one, 3)
        if moment - kept[-1] >= least and last - moment >= least:
            kept.append(moment)
    return list(zip(kept, [*kept[1:], last], strict=True))


def _shot_starts(frames: Iterable[tuple[float, NDArray[np.uint8]]]) -> Iterator[float]:
    """When the second shot and those after it begin, from all frames of a file in their order."""
    import numpy as np

    from vidprompter.video.workers import beat

    room = _CHUNK_FRAMES + 2 * _OVERLAP_FRAMES
    pictures: NDArray[np.uint8] | None = None
    times = np.zeros(room)
    held = judged = 0  # frames in the buffer; how many of them need no more judgement
    is_first = True
    for time, picture in frames:
        beat()
        if pictures is None:
            pictures = np.empty((room, *picture.shape), np.uint8)
        if held == room:
            sure = room - _OVERLAP_FRAMES
            yield from _starts_in(pictures, times, judged, sure, is_first)
            is_first = False
            keep = 2 * _OVERLAP_FRAMES
            pictures[:keep], times[:keep] = pictures[room - keep :], times[room - keep :].copy()
            held, judged = keep, _OVERLAP_FRAMES
            beat()
        pictures[held], times[held] = picture, time
        held += 1
    if pictures is not None:
        yield from _starts_in(pictures[:held], times[:held], judged, held, is_first)


def _starts_in(
    pictures: NDArray[np.uint8], times: NDArray[np.float64], first: int, after: int, is_first: bool
) -> Iterator[float]:
    """Times of the frames first <= i < after that open a shot; what opens the file's first shot is no cut."""
    from vidprompter.sheet.bars import find_bars
    from vidprompter.sheet.shots import find_shots

    shown = find_bars(pictures).apply(pictures)
    shots = find_shots(shown, times, start=float(times[0]), end=float(times[-1]) + 1 / _FPS)
    for shot in shots[1:] if is_first else shots:
        if first <= shot.first < after and shot.first > 0:
            yield shot.start
