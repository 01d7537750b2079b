"""Pictures and clips that tests draw for themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidprompter.video.clip import Clip, VideoInfo


def texture(
    seed: int, height: int = 120, width: int = 160, tint: tuple[int, int, int] = (0, 0, 0)
) -> NDArray[np.uint8]:
    """A blotchy picture full of corners, another one for each seed."""
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    return np.asarray(np.clip(picture * 0.7 + np.array(tint), 0, 255), np.uint8)


def clip_of(frames: NDArray[np.uint8], rate: float = 8.0) -> Clip:
    times = np.arange(len(frames)) / rate
    height, width = frames.shape[1:3]
    info = VideoInfo("clip.mp4", width, height, rate, len(frames) / rate, len(frames), 0, "h264", "pyav")
    return Clip(frames, times, info)


def solid(
    color: tuple[int, int, int], count: int = 1, height: int = 60, width: int = 80
) -> NDArray[np.uint8]:
    return np.full((count, height, width, 3), color, np.uint8)
