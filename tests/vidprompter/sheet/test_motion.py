"""Toward and away from growing boxes, and what people wear."""

from __future__ import annotations

import numpy as np
import pytest

from vidprompter.sheet.camera import PairFits
from vidprompter.sheet.camera.fits import PairTracks, SceneMotion
from vidprompter.sheet.detections import Sighting
from vidprompter.sheet.motion import measure_approach
from vidprompter.sheet.objects import measure_objects
from vidprompter.sheet.recognize import Thing
from vidprompter.sheet.views import Box

SECONDS = 6.0
STEP = 0.125


def shot(zoom: float = 0.0) -> PairFits:
    """A shot whose picture grows by the factor exp(zoom) a second, and nothing else."""
    times = np.arange(0, SECONDS, STEP)
    pairs = len(times) - 1
    none = PairTracks(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, np.bool_))
    scale = np.full(pairs, zoom * STEP)
    motion = SceneMotion(np.zeros((pairs, 2)), scale, np.zeros(pairs), np.ones(pairs), np.ones(pairs))
    return PairFits(
        times=np.stack([times[:-1], times[1:]], axis=1),
        matrices=np.full((pairs, 2, 3), np.nan),
        inliers=np.ones(pairs),
        tracks=(none,) * pairs,
        scene=motion,
        size=(320, 180),
    )


def boxes(rate: float, count: int = 10, height: float = 0.3) -> list[tuple[float, Box]]:
    """`count` boxes over the shot whose height grows by the factor exp(rate) a second."""
    times = np.linspace(0.3, SECONDS - 0.5, count).tolist()
    highs = [height * float(np.exp(rate * (t - SECONDS / 2))) for t in times]
    return [(t, (0.4, 0.5 - h / 2, 0.6, 0.5 + h / 2)) for t, h in zip(times, highs, strict=True)]


@pytest.mark.parametrize(
    ("rate", "word"), [(0.12, "toward the camera"), (-0.12, "away from the camera"), (0.02, None)]
)
def test_a_steadily_growing_box_comes_nearer(rate: float, word: str | None) -> None:
    move = measure_approach([shot()], boxes(rate))
    assert (move.word if move else None) == word
    assert move is None or 0.6 < move.confidence <= 0.95


def test_what_grows_only_by_the_zoom_stays_where_it_is() -> None:
    assert measure_approach([shot(zoom=0.12)], boxes(0.12)) is None
    away = measure_approach([shot(zoom=0.3)], boxes(0.1))
    assert away is None  # smaller than the zoom makes it, yet growing: not sure enough for a word


def test_few_cut_or_double_boxes_say_nothing() -> None:
    assert measure_approach([shot()], boxes(0.12, count=4)) is None
    cut = [(t, (b[0], 0.0, b[2], b[3])) for t, b in boxes(0.12)]
    assert measure_approach([shot()], cut) is None
    assert measure_approach([shot()], [*boxes(0.12), boxes(0.12)[0]]) is None


def test_nobody_wears_two_ties() -> None:
    frames = np.full((1, 64, 64, 3), 90, np.uint8)
    person = Thing("person", "person", 0.9, (Sighting(0, 0.8, (0.2, 0.1, 0.8, 1.0)),), 0.8)
    ties = tuple(Sighting(0, 0.7, (x, 0.5, x + 0.1, 0.7)) for x in (0.3, 0.5))
    tie, bag = (Thing(name, "wear", 0.8, ties, 0.7) for name in ("tie", "handbag"))
    counts = {fact.label: fact.count for fact in measure_objects([person, tie, bag], frames, np.zeros(1), [])}
    assert counts == {"person": 1, "tie": 1, "handbag": 2}
    alone = measure_objects([tie], frames, np.zeros(1), [])
    assert alone[0].count == 2
