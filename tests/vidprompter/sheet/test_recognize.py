"""Two networks, one list of things. The networks speak from a script; the real ones run in test_measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from vidprompter.sheet.detections import Sighting
from vidprompter.sheet.objects import count_at_once, strong_sightings
from vidprompter.sheet.recognize import MIN_CONFIDENCE, Seen, recognize
from vidprompter.sheet.views import Box, crop, inside, iou, scene_views
from vidprompter.sheet.vocabulary import classifier_classes, noun_members

FRAMES = np.zeros((8, 48, 64, 3), np.uint8)
BOX: Box = (0.3, 0.2, 0.7, 0.9)


@dataclass(frozen=True)
class Found:
    label: str
    score: float
    box: Box = BOX


class SaidDetector:
    def __init__(self, frames: list[list[Found]]) -> None:
        self.frames = frames

    def detect(self, frames: NDArray[np.uint8]) -> Sequence[Sequence[Found]]:
        return self.frames


class SaidClassifier:
    """Says the same of every picture."""

    def __init__(self, **shares: float) -> None:
        self.row = classifier_classes().usual.copy()
        for noun, share in shares.items():
            members = noun_members()[noun.replace("_", " ")]
            self.row[members] += share / len(members)

    def probabilities(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.repeat(self.row[None], len(images), axis=0).astype(np.float32)


def look(frames: list[list[Found]], **shares: float) -> Seen:
    return recognize(FRAMES, SaidDetector(frames), SaidClassifier(**shares))


def names(seen: Seen) -> list[str]:
    return [thing.name for thing in seen.things]


def test_a_person_in_every_frame_is_sure_and_one_weak_box_is_nothing() -> None:
    frames = [[Found("person", 0.75)] for _ in range(8)]
    frames[3].append(Found("umbrella", 0.52, (0.0, 0.0, 0.2, 0.2)))
    seen = look(frames)
    assert names(seen) == ["person"]
    assert seen.things[0].confidence > 0.95


def test_an_object_needs_the_classifier_unless_the_detector_is_very_sure() -> None:
    frames = [[Found("bottle", 0.55)] for _ in range(8)]
    assert names(look(frames)) == []
    assert names(look(frames, bottle=0.5)) == ["bottle"]


def test_the_classifier_corrects_a_cat_that_the_detector_calls_a_dog() -> None:
    frames = [[Found("dog", 0.74)] for _ in range(8)]
    assert names(look(frames, cat=0.1, dog=0.4)) == ["cat"]
    assert names(look(frames, dog=0.7)) == ["dog"]


def test_an_animal_that_neither_can_name_is_an_animal() -> None:
    frames = [[Found("sheep" if i % 2 else "cow", 0.66)] for i in range(8)]
    assert names(look(frames, ape=0.15, sea_lion=0.15, seabird=0.15, otter=0.15)) == ["animal"]


def test_two_animals_side_by_side_stay_two() -> None:
    left, right = (0.0, 0.3, 0.35, 0.9), (0.6, 0.3, 0.98, 0.9)
    frames = [[Found("horse", 0.82, left), Found("giraffe", 0.84, right)] for _ in range(8)]
    assert set(names(look(frames, hay=0.01, horse=0.2, sloth=0.35))) == {"horse", "giraffe"}


def test_a_guitar_is_known_by_the_classifier_alone() -> None:
    seen = look([[] for _ in range(8)], guitar=0.5)
    assert names(seen) == ["guitar"]
    assert seen.things[0].sightings == ()
    assert names(look([[] for _ in range(8)], parallel_bars=0.6)) == []


def test_a_car_from_above_is_retold() -> None:
    frames: list[list[Found]] = [[] for _ in range(8)]
    frames[2] = frames[3] = frames[4] = [Found("cell phone", 0.6)]
    assert names(look(frames, car=0.45)) == ["car"]


def test_head_and_helmet_are_no_balls() -> None:
    frames = [[Found("person", 0.8), Found("sports ball", 0.7, (0.45, 0.2, 0.55, 0.3))] for _ in range(8)]
    assert names(look(frames, tennis_ball=0.15)) == ["person"]


def test_a_wall_is_no_refrigerator() -> None:
    frames = [[Found("refrigerator", 0.8, (0.0, 0.0, 1.0, 0.98))] for _ in range(8)]
    assert names(look(frames, refrigerator=0.15)) == []


def test_all_confidences_are_probabilities_and_sorted() -> None:
    frames = [[Found("person", 0.9), Found("car", 0.7, (0.0, 0.5, 0.3, 0.8))] for _ in range(8)]
    seen = look(frames, car=0.5)
    sure = [thing.confidence for thing in seen.things]
    assert sure == sorted(sure, reverse=True)
    assert all(MIN_CONFIDENCE <= c <= 1 for c in sure)


def test_nothing_at_all_is_an_empty_list() -> None:
    assert look([[] for _ in range(8)]).things == ()


def test_the_usual_number_counts() -> None:
    def at(frame: int, count: int) -> list[Sighting]:
        return [Sighting(frame, 0.7, (i / 4, 0.0, i / 4 + 0.2, 1.0)) for i in range(count)]

    assert count_at_once([*at(0, 3), *at(1, 3), *at(2, 2), *at(3, 3), *at(4, 1)]) == 3
    weak = [Sighting(0, 0.8, BOX), Sighting(0, 0.31, (0.0, 0.0, 0.1, 0.1))]
    assert strong_sightings(weak) == weak[:1]
    assert strong_sightings(weak[1:]) == weak[1:]


def test_boxes_and_crops() -> None:
    assert iou(BOX, BOX) == pytest.approx(1.0)
    assert inside((0.4, 0.4, 0.5, 0.5), BOX) == pytest.approx(1.0)
    frame = np.zeros((100, 200, 3), np.uint8)
    assert crop(frame, (0.4, 0.4, 0.5, 0.8), pad=0.0, square=False).shape == (40, 20, 3)
    assert crop(frame, (0.4, 0.4, 0.5, 0.8), pad=0.0, square=True).shape == (40, 40, 3)
    assert crop(frame, (0.9, 0.9, 1.0, 1.0), pad=0.5, square=True).size > 0
    assert [view.shape for view in scene_views(frame)] == [(100, 200, 3), (100, 100, 3), (100, 100, 3)]
    assert len(scene_views(frame[:, :100])) == 1
