"""Which objects a picture holds and where: SSD MobileNetV3, the 80 classes of COCO, through OpenCV's dnn module."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, WeightsCorrupt
from models.labels import read_labels
from models.registry import registry

ENTRY = "ssd-mobilenet-v3"
SIDE = 320

_GREY = 127  # the middle of the network's range: nothing to see in the bars
_SAME_CLASS_IOU = 0.5  # two boxes of one class that overlap more are one object
_INSIDE = 0.85  # so are two of which the smaller lies inside the other by this share ...
_INSIDE_AREA = 0.3  # ... and is not much smaller: below this share it is another, farther away
_ANY_CLASS_IOU = 0.7  # two names for one place: the surer one stays

# Real objects are found again when the frame is shown smaller, false alarms often are not. Measured on 96 frames
# of 12 clips: as many classes right, half as many wrong (docs/models.md).
_SMALLER = 0.8
_LOWEST_SCORE = 0.2  # what either look must give to count at all
_AGAIN_IOU = 0.45
_NOT_AGAIN = 0.1  # the second look's score of what it does not find

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detection:
    """One object. score: 0-1; box: left, top, right, bottom as fractions of the frame, 0-1."""

    label: str
    score: float
    box: Box


class Detector:
    """Finds objects. Not for use by two threads at once."""

    def __init__(self, net: Any, revision: str) -> None:
        self._net = net
        self.revision = revision
        self.labels: tuple[str, ...] = read_labels("coco")

    def detect(
        self, frames: NDArray[np.uint8], *, min_score: float = 0.5, confirm: bool = True
    ) -> list[list[Detection]]:
        """For each frame its objects, the surest first.

        frames: (N, H, W, 3) uint8 0-255, sRGB. Frames are shrunk into the network's square with grey bars, which
        finds far more than squeezing them (docs/models.md). With `confirm` each frame is looked at a second time,
        smaller, and a score is the mean of both looks: twice the time, half the false alarms.

        Raises:
            ModelError: Another shape or dtype.
        """
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape[1:]:
            raise ModelError(f"frames must be (N, H, W, 3) uint8, not {frames.shape} {frames.dtype}")
        found: list[list[Detection]] = []
        for frame in frames:  # several at once are slower on a CPU, and hold more memory
            look = self._look(frame, 1.0)
            if confirm:
                look = confirmed(look, self._look(frame, _SMALLER))
            found.append(merged([d for d in look if d.score >= min_score]))
        return found

    def _look(self, frame: NDArray[np.uint8], size: float) -> list[Detection]:
        """All that the network sees of the frame when its longer side fills `size` of the square."""
        import cv2

        square, content = _fit(frame, size)
        middle = (127.5, 127.5, 127.5)
        self._net.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, (SIDE, SIDE), middle, swapRB=False))
        rows = self._net.forward().reshape(-1, 7)  # picture, class, score, left, top, right, bottom
        mine = rows[rows[:, 2] >= _LOWEST_SCORE]
        return [d for row in mine if (d := self._detection(row, content)) is not None]

    def _detection(self, row: NDArray[np.float32], content: Box) -> Detection | None:
        """The row in words and in fractions of the frame; None when nothing of it lies on the frame."""
        label = coco_label(int(row[1]), self.labels)
        left, top, right, bottom = content
        spans = np.array([right - left, bottom - top] * 2)
        box = np.clip((row[3:7].astype(np.float64) - [left, top, left, top]) / spans, 0.0, 1.0)
        if label is None or box[2] <= box[0] or box[3] <= box[1]:
            return None
        return Detection(label, float(row[2]), (float(box[0]), float(box[1]), float(box[2]), float(box[3])))


def load_detector(threads: int = 1) -> Detector:
    """The detector.

    NOTE: `threads` is set for OpenCV as a whole, in this process.

    Raises:
        WeightsMissing: Not fetched yet.
        WeightsCorrupt: OpenCV cannot read the graph.
    """
    import cv2

    if threads < 1:
        raise ModelError(f"threads is {threads}; it must be at least 1")
    entry = registry().get(ENTRY)
    folder = entry.path()
    cv2.setNumThreads(threads)
    return Detector(_read(folder / "frozen_inference_graph.pb", folder / "graph.pbtxt"), entry.revision)


def coco_label(number: int, labels: Sequence[str]) -> str | None:
    """The name of COCO class `number`, which counts from 1 to 90 with ten gaps; None for a gap or beyond."""
    return (labels[number - 1] or None) if 1 <= number <= len(labels) else None


def confirmed(first: Sequence[Detection], second: Sequence[Detection]) -> list[Detection]:
    """The detections of `first`, each with the mean of its score and that of its like in `second`."""

    def again(one: Detection) -> float:
        like = (d.score for d in second if d.label == one.label and _iou(d.box, one.box) > _AGAIN_IOU)
        return max(like, default=_NOT_AGAIN)

    return [Detection(one.label, (one.score + again(one)) / 2, one.box) for one in first]


def merged(found: Sequence[Detection]) -> list[Detection]:
    """`found` without second boxes of an object that a surer box already names, the surest first."""
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda d: (-d.score, d.label, d.box)):
        if not any(_same_object(detection, other) for other in kept):
            kept.append(detection)
    return kept


def _same_object(one: Detection, other: Detection) -> bool:
    iou = _iou(one.box, other.box)
    if one.label != other.label:
        return iou > _ANY_CLASS_IOU
    small, large = sorted((_area(one.box), _area(other.box)))
    inside = _overlap(one.box, other.box) > _INSIDE * small and small > _INSIDE_AREA * large
    return iou > _SAME_CLASS_IOU or inside


def _iou(one: Box, other: Box) -> float:
    common = _overlap(one, other)
    return common / (_area(one) + _area(other) - common)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _fit(frame: NDArray[np.uint8], size: float) -> tuple[NDArray[np.uint8], Box]:
    """The frame inside a grey square, its longer side `size` of the square; and where it lies (fractions)."""
    import cv2

    high, wide = frame.shape[:2]
    scale = size * SIDE / max(high, wide)
    new_wide, new_high = max(round(wide * scale), 1), max(round(high * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (SIDE - new_wide) // 2, (SIDE - new_high) // 2
    square = np.full((SIDE, SIDE, 3), _GREY, np.uint8)
    square[top : top + new_high, left : left + new_wide] = cv2.resize(
        frame, (new_wide, new_high), interpolation=how
    )
    return square, (left / SIDE, top / SIDE, (left + new_wide) / SIDE, (top + new_high) / SIDE)


def _read(graph: Path, text: Path) -> Any:
    """The network. Its last layer, which sorts out double boxes, keeps none that is never looked at.

    By the files' own border it sorts all 180,000 pairs of box and class, for a fifth of the network's time; what
    lies above `_LOWEST_SCORE` comes out the same.
    """
    import cv2

    border = f"{_LOWEST_SCORE - 1e-6:.6f}".encode()
    config = re.sub(
        rb'(key: "confidence_threshold"\s+value \{\s+f: )[0-9.e+-]+', rb"\g<1>" + border, text.read_bytes()
    )
    try:
        return cv2.dnn.readNetFromTensorflow(
            np.frombuffer(graph.read_bytes(), np.uint8), np.frombuffer(config, np.uint8)
        )
    except cv2.error as error:
        raise WeightsCorrupt(f"OpenCV {cv2.__version__} cannot read {graph.name}: {error.err}") from error
