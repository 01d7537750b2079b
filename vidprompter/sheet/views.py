"""What the networks are shown: boxes, crops of them, and the types of the two networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Frame = NDArray[np.uint8]


class Detection(Protocol):
    """One box of the detector: label, score 0-1, box (x0, y0, x1, y1) in fractions of the frame."""

    @property
    def label(self) -> str:
        """The detector's own class name."""
        ...

    @property
    def score(self) -> float:
        """0-1."""
        ...

    @property
    def box(self) -> Box:
        """Left, top, right, bottom in fractions of the frame."""
        ...


class Detector(Protocol):
    """Finds objects in frames."""

    def detect(self, frames: NDArray[np.uint8]) -> Sequence[Sequence[Detection]]:
        """The boxes in each of the frames (T, H, W, 3) uint8 sRGB."""
        ...


class Classifier(Protocol):
    """Names what fills a picture."""

    def probabilities(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(N, 1000), rows sum to 1, for pictures (H, W, 3) uint8 sRGB of any size."""
        ...


def area(box: Box) -> float:
    """Share of the frame."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Box, b: Box) -> float:
    """Shared area of two boxes in fractions of the frame."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0-1."""
    shared = overlap(a, b)
    return shared / max(area(a) + area(b) - shared, 1e-9)


def inside(a: Box, b: Box) -> float:
    """Share of box a that lies in box b."""
    return overlap(a, b) / max(area(a), 1e-9)


def crop(frame: Frame, box: Box, *, pad: float, square: bool) -> Frame:
    """The picture in a box, `pad` wider on each side; `square` adds surroundings rather than squeezing."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    wide, high = (x1 - x0) * (1 + 2 * pad), (y1 - y0) * (1 + 2 * pad)
    if square:
        wide = high = max(wide, high)
    wide, high = min(max(wide, 8.0), width), min(max(high, 8.0), height)
    left = min(max((x0 + x1 - wide) / 2, 0.0), width - wide)
    top = min(max((y0 + y1 - high) / 2, 0.0), height - high)
    part: Frame = frame[round(top) : round(top + high), round(left) : round(left + wide)]
    return part if part.size else frame


def scene_views(frame: Frame) -> list[Frame]:
    """A frame as a whole and its two end squares: what a square network sees without squeezing."""
    height, width = frame.shape[:2]
    short, long = min(height, width), max(height, width)
    if long < 1.15 * short:
        return [frame]
    if width >= height:
        return [frame, frame[:, :short], frame[:, width - short :]]
    return [frame, frame[:short], frame[height - short :]]
