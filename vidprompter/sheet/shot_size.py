"""Shot size from how much of the frame the main subject fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vidprompter.sheet.types import ShotSize
from vidprompter.sheet.views import Box, area

EDGE = 0.03
# An adult is about 7.5 heads tall and, arms at the sides, 2.1 heads wide.
HEADS_TALL, HEADS_WIDE = 7.5, 2.1
LANDSCAPES = frozenset("mountains,coast,sea,lake,river,field,beach,snow,castle,town,sky,village".split(","))


class SizeFact(NamedTuple):
    """Word and confidence."""

    size: ShotSize
    confidence: float


class Subject(NamedTuple):
    """A box of the main subject: its kind, box and confidence, and the frame's width over height."""

    kind: str
    box: Box
    confidence: float


def measure_size(subjects: Sequence[Subject], aspect: float, scene: str) -> SizeFact:
    """The size of a shot from the largest subject of each of its frames; landscapes are wide."""
    votes: dict[ShotSize, float] = {}
    for subject in subjects:
        size = _person(subject.box, aspect) if subject.kind == "person" else _other(subject.box)
        votes[size] = votes.get(size, 0.0) + subject.confidence
    if not votes:
        return SizeFact("wide shot", 0.6) if scene in LANDSCAPES else SizeFact("unknown", 0.0)
    order: tuple[ShotSize, ...] = (
        "extreme wide shot", "wide shot", "full shot", "medium shot", "medium close-up", "close-up"
    )  # fmt: skip
    best = max(order, key=lambda s: votes.get(s, 0.0))
    share = votes[best] / sum(votes.values())
    certainty = float(np.mean([s.confidence for s in subjects]))
    return SizeFact(best, round(certainty * (0.4 + 0.6 * share), 3))


def _person(box: Box, aspect: float) -> ShotSize:
    width, height = (box[2] - box[0]) * aspect, box[3] - box[1]
    cut = box[3] > 1 - EDGE or height / max(width, 1e-6) < 1.6
    if not cut or height / max(width, 1e-6) > 2.6:
        return "full shot" if height > 0.62 else "wide shot" if height > 0.22 else "extreme wide shot"
    head = max(width / HEADS_WIDE, height / HEADS_TALL)
    visible = height / head
    if head > 0.52 or (visible < 1.9 and head > 0.3):
        return "close-up"
    if head > 0.25:
        return "medium close-up"
    if head > 0.13:
        return "medium shot"
    return "wide shot"


def _other(box: Box) -> ShotSize:
    side = max(box[2] - box[0], box[3] - box[1])
    touched = sum((box[0] < EDGE, box[1] < EDGE, box[2] > 1 - EDGE, box[3] > 1 - EDGE))
    if area(box) > 0.55 and touched >= 2:
        return "close-up"
    if side > 0.85 and touched >= 2:
        return "medium shot"
    if side > 0.5:
        return "full shot"
    return "wide shot" if side > 0.15 else "extreme wide shot"
