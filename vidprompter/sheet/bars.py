"""What of the frames is picture: black bars are cut off, black frames are set aside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

BLACK_LUMA = 20  # 0-255; video black is 16 and compression adds a little
MIN_BARS = 0.03  # of height or width, both sides together; less is an ordinary dark rim
MAX_BAR = 0.4  # of height or width, one side


class Crop(NamedTuple):
    """The picture inside the frame: rows top:bottom, columns left:right, in fractions of the frame."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0

    def apply(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frames (T, H, W, 3) without the bars."""
        height, width = frames.shape[1:3]
        rows = slice(round(self.top * height), max(round(self.bottom * height), 1))
        columns = slice(round(self.left * width), max(round(self.right * width), 1))
        return frames[:, rows, columns]

    def aspect_factor(self) -> float:
        """Aspect of the picture over the aspect of the frame."""
        return (self.right - self.left) / (self.bottom - self.top)


def luma(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gamma-coded brightness 0-255 (Rec. 601), float32, of frames (..., 3) uint8 sRGB."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(frames.astype(np.float32) @ weights)


def blank_frames(frames: NDArray[np.uint8]) -> Mask:
    """(T,) True where a frame is black, a title on black included.

    A clip that is black throughout has no picture to prefer: then all are False.
    """
    small = luma(frames[:, ::4, ::4])
    dark = dark_lines(small.reshape(len(small), -1), 95)
    return np.zeros(len(frames), np.bool_) if dark.all() else dark


def dark_lines(lines: NDArray[np.float32], percent: float) -> Mask:
    """(N,) True where the percentile of a line of brightness (N, M) is below `BLACK_LUMA`.

    The same as `np.percentile(lines, percent, axis=1) < BLACK_LUMA`, but counted rather than sorted: only lines
    in which the border falls between the two neighbours of the percentile are sorted.
    """
    count = lines.shape[1]
    below = int((count - 1) * np.true_divide(percent, 100))  # pixels surely under the percentile
    lit = np.count_nonzero(lines >= BLACK_LUMA, axis=1)
    dark = np.asarray(lit < count - 1 - below)
    unsure = lit == count - 1 - below
    if unsure.any():
        dark[unsure] = np.percentile(lines[unsure], percent, axis=1) < BLACK_LUMA
    return dark


def find_bars(frames: NDArray[np.uint8]) -> Crop:
    """The picture without letterbox or pillarbox bars; a bar is black in all frames that show anything."""
    if min(frames.shape[1:3]) < 8:
        return Crop()
    rows, columns = (np.ones(size, np.bool_) for size in frames.shape[1:3])
    for number in np.flatnonzero(~blank_frames(frames)):
        gray = luma(frames[number])
        # the 98th percentile along a line forgives a few pixels of noise or a thin watermark
        rows[rows] = dark_lines(gray[rows], 98)
        columns[columns] = dark_lines(gray.T[columns], 98)
        if not (rows[0] or rows[-1] or columns[0] or columns[-1]):
            return Crop()  # what lies inside is no bar, whatever the other frames show
    top, bottom = _inside(rows)
    left, right = _inside(columns)
    return Crop(top, bottom, left, right)


def _inside(dark: Mask) -> tuple[float, float]:
    lit = np.flatnonzero(~dark)
    if not lit.size:
        return 0.0, 1.0
    count = len(dark)
    before, after = int(lit[0]), int(count - 1 - lit[-1])
    if before + after < MIN_BARS * count or max(before, after) > MAX_BAR * count:
        return 0.0, 1.0
    # bars end in a blurred line: one more line goes with each of them
    first = before + 1 if before else 0
    last = count - after - 1 if after else count
    return first / count, last / count
