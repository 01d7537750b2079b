"""Small clips of moving squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def moving_square(seed: int = 0, *, frames: int = 12, size: tuple[int, int] = (96, 64)) -> NDArray[np.uint8]:
    """(frames, H, W, 3) uint8; another picture for each seed."""
    draw = np.random.default_rng(seed)
    wide, high = size
    ground, square = draw.integers(0, 256, (2, 3))
    out = np.empty((frames, high, wide, 3), np.uint8)
    out[:] = ground
    for number in range(frames):
        left = number * (wide - 24) // max(frames - 1, 1)
        out[number, 8 + 3 * (seed % 5) : 40, left : left + 24] = square
    return out


def write_clip(path: Path, seed: int = 0, *, frames: int = 12, size: tuple[int, int] = (96, 64)) -> Path:
    """An H.264 file of `moving_square`, 12 frames a second."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        for picture in moving_square(seed, frames=frames, size=size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path
