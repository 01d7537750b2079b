"""Detections of single frames gathered into evidence about the clip, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.views import Box, Classifier, Detection, Detector, Frame, area, crop, inside, iou
from vidprompter.sheet.vocabulary import DetectorClass, classifier_classes, detector_classes

MIN_SCORE = 0.3
MIN_SIDE = 0.025  # of the frame; smaller boxes cannot be checked
CANDIDATE_SCORE = 0.42  # best score in the clip that makes a class worth a check
MAX_CHECKED = 14  # classes per clip
CHECKED_BOXES = 3  # per class
SEEN_SCORE = 0.4
MAX_AREA = 0.9  # of the frame; a recording of a screen is no picture of one
HEAD = 0.55  # upper part of an animal's box, where its face is


@dataclass(frozen=True)
class Sighting:
    """One box in one frame."""

    frame: int
    score: float
    box: Box


@dataclass
class Evidence:
    """All that speaks for one class in a clip.

    score: mean of the three best frames; persistence: share of frames that show it; lift: see
    `Classes.lift`, from crops of its best boxes; seen: mean probabilities (1000,) on those crops.
    """

    kind: DetectorClass
    sightings: list[Sighting]
    frames: int
    score: float
    persistence: float
    lift: float = 0.0
    seen: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    confidence: float = 0.0

    def best(self, count: int = CHECKED_BOXES) -> list[Sighting]:
        """The best box of each of the best frames."""
        tops: dict[int, Sighting] = {}
        for one in self.sightings:
            if one.frame not in tops or one.score > tops[one.frame].score:
                tops[one.frame] = one
        return sorted(tops.values(), key=lambda s: -s.score)[:count]


def detect(frames: NDArray[np.uint8], detector: Detector) -> list[list[tuple[str, float, Box]]]:
    """Label, score and box of each frame's detections; of boxes on the same thing the best one per class."""
    return [_thin(found) for found in detector.detect(frames)]


def _thin(found: Sequence[Detection]) -> list[tuple[str, float, Box]]:
    kept: list[tuple[str, float, Box]] = []
    for one in sorted(found, key=lambda d: -d.score):
        x0, y0, x1, y1 = one.box
        kind = detector_classes().get(one.label)
        if kind is None or one.score < MIN_SCORE or min(x1 - x0, y1 - y0) < MIN_SIDE:
            continue
        if area(one.box) > MAX_AREA and kind.kind not in ("person", "animal"):
            continue
        same = [box for label, _, box in kept if label == one.label]
        # a second box on the same thing is often a part of it, or two things in one
        if any(
            iou(one.box, b) > 0.45 or inside(one.box, b) > 0.75 or inside(b, one.box) > 0.75 for b in same
        ):
            continue
        kept.append((one.label, float(one.score), one.box))
    return kept


def gather(found: list[list[tuple[str, float, Box]]]) -> list[Evidence]:
    """The classes worth a check, best first."""
    sightings: dict[str, list[Sighting]] = {}
    for number, frame in enumerate(found):
        for label, score, box in frame:
            sightings.setdefault(label, []).append(Sighting(number, score, box))
    out = []
    for label, seen in sightings.items():
        tops = sorted(
            (max(s.score for s in seen if s.frame == f) for f in {s.frame for s in seen}), reverse=True
        )
        if tops[0] < CANDIDATE_SCORE:
            continue
        shown = sum(top > SEEN_SCORE for top in tops) / len(found)
        out.append(Evidence(detector_classes()[label], seen, len(found), float(np.mean(tops[:3])), shown))
    out.sort(key=lambda e: -(e.score + 0.1 * e.persistence))
    return out[:MAX_CHECKED]


def check_with_classifier(evidence: list[Evidence], frames: list[Frame], classifier: Classifier) -> None:
    """Shows crops of the best boxes to the classifier and weighs its word into `confidence`.

    Not those of people: ImageNet has no class for them, so that the classifier's word is not asked.
    """
    crops: list[Frame] = []
    spans = []
    for one in evidence:
        first = len(crops)
        for sighting in one.best() if one.kind.label != "person" else ():
            frame = frames[sighting.frame]
            crops += [crop(frame, sighting.box, pad=0.05, square=False)]
            crops += [crop(frame, sighting.box, pad=0.15, square=True)]
            if one.kind.kind == "animal":
                x0, y0, x1, y1 = sighting.box
                crops += [crop(frame, (x0, y0, x1, y0 + HEAD * (y1 - y0)), pad=0.1, square=True)]
        spans.append((first, len(crops)))
    probabilities = np.asarray(classifier.probabilities(crops), np.float64) if crops else np.zeros((0, 0))
    classes = classifier_classes()
    for one, (first, last) in zip(evidence, spans, strict=True):
        if last > first:
            one.seen = probabilities[first:last].mean(axis=0)
            one.lift = classes.lift(one.seen, one.kind.backing)
        one.confidence = _confidence(one)


def _confidence(one: Evidence) -> float:
    """Probability that the class is in the clip; weights from a logistic fit on hand-labelled real clips."""
    score = float(np.clip(one.score, 0.05, 0.95))
    # one frame of many may be a slip of the detector, whatever its score
    rare = 0.9 * float(np.clip((0.3 - one.persistence) / 0.15, 0.0, 1.0)) if one.frames > 2 else 0.0
    if one.kind.label == "person":
        # people are what this detector knows best, and ImageNet has no class for them
        value = 14.0 * (score - 0.5) + 2.0 * (one.persistence - 0.4) - rare
    elif not len(one.kind.backing):
        value = -4.6 + 3.0 * (score - 0.5) + 2.0 * one.persistence + 16.0 * max(0.0, score - 0.66) - rare
    else:
        value = (
            -3.6 + 2.5 * (score - 0.5) + 1.9 * one.persistence + 0.85 * float(np.clip(one.lift, -1.0, 4.5))
        )
        value += 16.0 * max(0.0, score - 0.7) - 8.0 * max(0.0, 0.5 - score) - rare
    return float(1 / (1 + np.exp(-value)))
