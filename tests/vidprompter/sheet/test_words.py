"""The tables of words, shot sizes and the setting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import read_labels
from vidprompter.sheet.appearance import Appearance
from vidprompter.sheet.recognize import Seen, Thing
from vidprompter.sheet.scene import measure_scene
from vidprompter.sheet.shot_size import Subject, measure_size
from vidprompter.sheet.types import SHOT_SIZES
from vidprompter.sheet.vocabulary import BIRDS, classifier_classes, detector_classes, noun_members

INSIDE = Appearance(0, 0, 0, 0, 0.4, 30, 0.3, 20)


def seen_as(things: tuple[Thing, ...] = (), **shares: float) -> Seen:
    """A clip of which the classifier says these nouns, and of all else what it always says."""
    classes = classifier_classes()
    whole = classes.usual.copy()
    for noun, share in shares.items():
        members = noun_members()[noun.replace("_", " ")]
        whole[members] += share / len(members)
    return Seen(things, np.stack([whole, whole]), things)


def test_the_tables_cover_the_networks() -> None:
    classes = classifier_classes()
    assert len(classes.nouns) == len(read_labels("imagenet")) == 1000
    assert set(detector_classes()) == {label for label in read_labels("coco") if label}
    assert set(classes.nouns) >= BIRDS
    assert all(classes.scene_weights[i] > 0 for i, scene in enumerate(classes.scenes) if scene)


def test_every_backing_noun_exists() -> None:
    empty = {c.label for c in detector_classes().values() if not len(c.backing)}
    assert empty == {
        "person", "fire hydrant", "giraffe", "frisbee", "skateboard", "carrot", "scissors", "toothbrush"
    }  # fmt: skip


def test_lift_is_about_zero_for_the_usual_and_grows_with_news() -> None:
    classes = classifier_classes()
    cats = noun_members()["cat"]
    assert classes.lift(classes.usual, cats) == pytest.approx(0.0, abs=1e-6)
    much = classes.usual.copy()
    much[cats[0]] = 0.5
    assert classes.lift(much, cats) > 3
    assert classes.lift(much, cats[:0]) == 0.0


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0.47, 0.3, 0.57, 0.8), "wide shot"),
        ((0.4, 0.05, 0.62, 0.95), "full shot"),
        ((0.32, 0.17, 0.68, 1.0), "medium shot"),
        ((0.28, 0.25, 0.7, 1.0), "medium close-up"),
        ((0.05, 0.0, 0.95, 1.0), "close-up"),
        ((0.49, 0.5, 0.51, 0.58), "extreme wide shot"),
    ],
)
def test_shot_size_of_a_person(box: tuple[float, float, float, float], size: str) -> None:
    assert measure_size([Subject("person", box, 0.9)], 4 / 3, "room").size == size


@settings(deadline=None)
@given(
    st.sampled_from(["person", "animal", "vehicle"]),
    st.tuples(*[st.floats(0, 0.9)] * 2),
    st.tuples(*[st.floats(0.02, 1)] * 2),
    st.floats(0.4, 3),
)
def test_any_box_has_a_size(
    kind: str, at: tuple[float, float], span: tuple[float, float], aspect: float
) -> None:
    box = (at[0], at[1], min(1.0, at[0] + span[0]), min(1.0, at[1] + span[1]))
    fact = measure_size([Subject(kind, box, 0.9)], aspect, "unknown")
    assert fact.size in SHOT_SIZES and 0 < fact.confidence <= 1


def test_no_subject_is_unknown_unless_the_place_is_a_landscape() -> None:
    assert measure_size([], 1.5, "unknown") == ("unknown", 0.0)
    assert measure_size([], 1.5, "mountains").size == "wide shot"


def test_the_classifier_names_the_setting() -> None:
    assert measure_scene(seen_as(mountain=0.4), INSIDE).label == "mountains"
    assert measure_scene(seen_as(), INSIDE).label == "unknown"


def test_furniture_together_makes_a_room() -> None:
    scene = measure_scene(seen_as(desk=0.12, television=0.12, sink=0.12, wardrobe=0.12), INSIDE)
    assert scene.label == "room"


def test_grass_is_seen_without_the_classifier() -> None:
    meadow = Appearance(0.2, 0.9, 0.3, 0.0, 0.1, 30, 0.1, 5)
    assert measure_scene(seen_as(), meadow).label == "grass"
    wall = Appearance(0.0, 0.0, 0.0, 0.0, 0.9, 10, 0.85, 1)
    assert measure_scene(seen_as(), wall).label == "plain background"


def test_a_castle_that_is_a_thing_leaves_the_setting_to_the_mountains() -> None:
    castle = Thing("castle", "structure", 0.8, ())
    scene = measure_scene(seen_as((castle,), castle=0.25, mountain=0.16), INSIDE)
    assert scene.label == "mountains"
    assert scene.others[0].label == "castle"


def test_hills_around_a_castle_come_before_outdoors() -> None:
    castle = Thing("castle", "structure", 0.8, ())
    scene = measure_scene(seen_as((castle,), castle=0.2, mountain=0.16, coast=0.08), INSIDE)
    assert scene.label == "mountains"
    assert scene.others[0].label == "outdoors"
    without = measure_scene(seen_as(castle=0.2, mountain=0.16, coast=0.08), INSIDE)
    assert without.label == "outdoors"
