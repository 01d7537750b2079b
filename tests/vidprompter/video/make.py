"""Tiny videos whose frames tell their own number, so that timestamps can be checked against the picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BITS = 8
TICK = Fraction(1, 1000)


def numbered(number: int, width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """A picture of 8 columns, black or white: the bits of `number`, lowest on the left."""
    columns = np.arange(width) * BITS // width
    row = np.where((number >> columns) & 1, 235, 20).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def number_of(image: NDArray[np.uint8]) -> int:
    """The number that `numbered` put into the picture, whatever its size."""
    grey = image.mean(axis=(0, 2))
    middles = ((np.arange(BITS) + 0.5) * len(grey) / BITS).astype(int)
    return int(sum(1 << bit for bit, at in enumerate(middles) if grey[at] > 128))


def numbers_of(frames: NDArray[np.uint8]) -> list[int]:
    return [number_of(frame) for frame in frames]


def quadrants(width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """Red, green over blue, white: tells which way up a picture is."""
    image = np.full((height, width, 3), 235, np.uint8)
    image[: height // 2, : width // 2] = (220, 20, 20)
    image[: height // 2, width // 2 :] = (20, 200, 20)
    image[height // 2 :, : width // 2] = (20, 20, 220)
    return image


def corners(image: NDArray[np.uint8]) -> str:
    """The quadrants of a picture, left to right, top to bottom: "rgbw" for an upright one."""
    height, width = image.shape[:2]
    letters = ""
    for y in (height // 4, height * 3 // 4):
        for x in (width // 4, width * 3 // 4):
            pixel = image[y, x].astype(int)
            letters += "w" if pixel.min() > 150 else "rgb"[int(pixel.argmax())]
    return letters


def write_video(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    times: Sequence[float] | None = None,
    rate: int | Fraction = 10,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_format: str | None = None,
    aspect: Fraction | None = None,
    matrix: tuple[int, ...] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Writes `images` at `times` (seconds; default: evenly at `rate`)."""
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
        fast = {"deadline": "realtime", "cpu-used": "8"} if codec.startswith("libvpx") else {}
        stream: Any = container.add_stream(codec, rate=rate, options={**fast, **(options or {})})
        stream.codec_context.thread_count = 1  # threads waiting for each other are slow on a busy machine
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixel_format
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if times is not None:
            stream.time_base = stream.codec_context.time_base = TICK
        if matrix is not None:
            stream.set_display_matrix(list(matrix))
        for number, image in enumerate(images):
            has_alpha = image.shape[2] == 4
            frame = av.VideoFrame.from_ndarray(image, format="rgba" if has_alpha else "rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] / TICK), TICK
            else:
                frame.pts, frame.time_base = number, Fraction(1) / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path, codec: str = "aac", seconds: float = 1.0) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=44100)
        for _ in range(int(seconds * 44100 / 1024)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_numbered(path: Path, count: int, **more: Any) -> Path:
    return write_video(path, [numbered(n % 256) for n in range(count)], **more)
