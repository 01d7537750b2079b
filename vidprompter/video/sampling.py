"""Which moments of a clip to look at: `Uniform` for words, `AtRate` for motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vidprompter.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SIDE_LIMIT = 16384
# Samples at a rate fall on start + i / fps; this much room keeps float error from adding one past the end.
_EDGE = 1e-9


class SamplingPlan(Protocol):
    """Chooses moments and bounds the pictures taken there."""

    @property
    def max_side(self) -> int:
        """The longer side of a picture in pixels, at most; smaller pictures are never enlarged."""
        ...

    def times(self, start: float, end: float) -> NDArray[np.float64]:
        """The moments to look at, seconds, strictly increasing, all in [start, end)."""
        ...


@dataclass(frozen=True)
class Uniform:
    """`count` moments, one in the middle of each of `count` equal parts of the range."""

    count: int = 8
    max_side: int = 512

    def __post_init__(self) -> None:
        _check_at_least("count", self.count, 1)
        _check_side(self.max_side)

    def times(self, start: float, end: float) -> NDArray[np.float64]:
        """`start + (i + 1/2) (end - start) / count`; the single moment `start` for an empty range."""
        if end <= start:
            return np.array([start])
        middles = np.arange(self.count, dtype=np.float64) + 0.5
        return _increasing(start + middles * ((end - start) / self.count), start, end)


@dataclass(frozen=True)
class AtRate:
    """`fps` moments a second over the whole range.

    Where that is more than `max_frames`, evenly spaced bursts of `burst_frames` consecutive moments at the
    same rate stand for the whole, each in the middle of its part: motion can still be measured inside a
    burst, and the gap between bursts shows in the timestamps.
    """

    fps: float = 8.0
    max_frames: int = 480
    max_side: int = 320
    burst_frames: int = 16

    def __post_init__(self) -> None:
        if not (0 < self.fps <= 1000):
            raise InputError(f"fps is {self.fps}; it must be above 0 and at most 1000")
        _check_at_least("max_frames", self.max_frames, 1)
        _check_at_least("burst_frames", self.burst_frames, 1)
        if self.burst_frames > self.max_frames:
            raise InputError(
                f"burst_frames is {self.burst_frames}; it must be at most max_frames ({self.max_frames})"
            )
        _check_side(self.max_side)

    def times(self, start: float, end: float) -> NDArray[np.float64]:
        """`start + i / fps` below `end`, or bursts of such; the single moment `start` for an empty range."""
        span = end - start
        if span <= 0:
            return np.array([start])
        wanted = max(1, int(np.ceil(span * self.fps - _EDGE)))
        if wanted <= self.max_frames:
            return _increasing(start + np.arange(wanted) / self.fps, start, end)
        return _increasing(self._bursts(start, span), start, end)

    def _bursts(self, start: float, span: float) -> NDArray[np.float64]:
        bursts = self.max_frames // self.burst_frames
        part = span / bursts
        # span * fps > max_frames >= bursts * burst_frames, so a burst always fits into its part.
        lead = (part - self.burst_frames / self.fps) / 2
        starts = start + np.arange(bursts) * part + max(lead, 0.0)
        return np.asarray((starts[:, None] + np.arange(self.burst_frames)[None, :] / self.fps).ravel())


def fit_within(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) shrunk, aspect kept, so that the longer side is at most `max_side`; never enlarged."""
    longer = max(width, height)
    if longer <= max_side:
        return width, height
    scale = max_side / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def _increasing(times: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """`times` without repeats that float rounding makes in a range of almost no length."""
    inside = np.unique(times[(times >= start) & (times < end)])
    return inside if inside.size else np.array([start])


def _check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{name} is {value}; it must be at least {least}")


def _check_side(max_side: int) -> None:
    if not 16 <= max_side <= MAX_SIDE_LIMIT:
        raise InputError(f"max_side is {max_side}; it must be between 16 and {MAX_SIDE_LIMIT} pixels")
