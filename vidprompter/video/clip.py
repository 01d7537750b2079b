"""A clip: the frames of one sampling of one source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class VideoInfo:
    """What the container says. Sizes are of the displayed picture (rotation applied); times in seconds.

    frame_count is the container's own figure and may be an estimate. backend: "decord", "pyav" or "image".
    damaged: part of the file did not decode; the clip holds the rest.
    """

    path: str
    width: int
    height: int
    fps: float
    duration: float
    frame_count: int
    rotation: int
    codec: str
    backend: str
    damaged: bool = False


@dataclass(frozen=True)
class Clip:
    """One sampling.

    frames: (T, H, W, 3) uint8 0-255, sRGB, displayed orientation.
    timestamps: (T,) float64, seconds of the file, strictly increasing, the true presentation times.
    """

    frames: NDArray[np.uint8]
    timestamps: NDArray[np.float64]
    info: VideoInfo

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def rate(self) -> float:
        """Mean frames per second of this sampling; 0 for a single frame."""
        span = float(self.timestamps[-1] - self.timestamps[0])
        return (len(self) - 1) / span if span > 0 else 0.0
