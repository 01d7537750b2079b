"""Boxes: how frames are fitted, what counts as one object, and the real network on real clips."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detector import ENTRY, SIDE, Detection, Detector, _fit, confirmed, load_detector, merged
from models.errors import ModelError
from models.registry import registry

FULL = (0.0, 0.0, 1.0, 1.0)


def box(label: str, score: float, *corners: float) -> Detection:
    left, top, right, bottom = corners
    return Detection(label, score, (left, top, right, bottom))


def test_one_object_is_told_once() -> None:
    sure, again = box("car", 0.9, 0.1, 0.1, 0.5, 0.5), box("car", 0.6, 0.12, 0.1, 0.52, 0.5)
    other_name = box("bus", 0.7, 0.1, 0.1, 0.5, 0.52)
    elsewhere = box("car", 0.5, 0.6, 0.1, 0.9, 0.5)
    assert merged([again, elsewhere, other_name, sure]) == [sure, elsewhere]


def test_parts_of_an_object_go_and_small_ones_behind_it_stay() -> None:
    person = box("person", 0.9, 0.2, 0.0, 0.8, 1.0)
    head_and_chest = box("person", 0.6, 0.25, 0.0, 0.75, 0.5)
    far_away = box("person", 0.5, 0.3, 0.1, 0.4, 0.3)
    tie = box("tie", 0.7, 0.45, 0.4, 0.55, 0.8)
    assert merged([person, head_and_chest, far_away, tie]) == [person, tie, far_away]


def test_a_second_look_halves_what_it_does_not_find() -> None:
    first = [box("cat", 0.8, 0.1, 0.1, 0.5, 0.5), box("plane", 0.8, *FULL)]
    second = [
        box("cat", 0.6, 0.12, 0.1, 0.5, 0.5),
        box("cat", 0.9, 0.6, 0.6, 0.9, 0.9),
        box("bird", 0.9, *FULL),
    ]
    assert [round(d.score, 3) for d in confirmed(first, second)] == [0.7, 0.45]


corner = st.floats(0, 0.9)
boxes = st.builds(
    lambda label, score, x, y, w, h: Detection(label, score, (x, y, min(x + w, 1.0), min(y + h, 1.0))),
    st.sampled_from(["cat", "dog"]), st.floats(0, 1), corner, corner, st.floats(0.01, 1), st.floats(0.01, 1),
)  # fmt: skip


@given(st.lists(boxes, max_size=8), st.randoms(use_true_random=False))
def test_merging_keeps_the_surest_whatever_the_order(found: list[Detection], random: object) -> None:
    kept = merged(found)
    assert set(kept) <= set(found)
    assert bool(kept) == bool(found)
    assert [d.score for d in kept] == sorted((d.score for d in kept), reverse=True)
    assert merged(kept) == kept
    assert merged(list(reversed(found))) == kept
    if found:
        assert kept[0].score == max(d.score for d in found)


@given(high=st.integers(1, 400), wide=st.integers(1, 400), size=st.sampled_from([1.0, 0.8]))
def test_frames_keep_their_shape_in_the_square(high: int, wide: int, size: float) -> None:
    square, (left, top, right, bottom) = _fit(np.full((high, wide, 3), 255, np.uint8), size)
    assert square.shape == (SIDE, SIDE, 3)
    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    rows, columns = np.nonzero((square == 255).all(2))
    assert (rows.min(), rows.max() + 1) == (round(top * SIDE), round(bottom * SIDE))
    assert (columns.min(), columns.max() + 1) == (round(left * SIDE), round(right * SIDE))
    assert max(right - left, bottom - top) == pytest.approx(size, abs=1 / SIDE)


@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 4, 4, 4), (1, 0, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"must be \(N, H, W, 3\) uint8"):
        Detector(None, "").detect(np.zeros(shape, np.uint8))
    with pytest.raises(ModelError, match="float32"):
        Detector(None, "").detect(np.zeros((1, 4, 4, 3), np.float32))  # type: ignore[arg-type]


@pytest.mark.weights
def test_the_man_with_a_tie_in_the_car() -> None:
    from tests.models.clips import example_frames

    detector = load_detector()
    frames = example_frames("carphone", 6)
    found = detector.detect(frames)
    seen = Counter(label for row in found for label in {d.label for d in row})
    assert seen["person"] == 6
    assert seen["tie"] >= 2
    for row in found:
        person = next(d for d in row if d.label == "person")
        assert person.score > 0.6
        assert person.box[2] - person.box[0] > 0.5  # he fills the frame
    assert detector.detect(frames) == found
    assert [detector.detect(frames[n : n + 1])[0] for n in range(2)] == found[:2]
    assert detector.detect(frames[:0]) == []
    narrow = detector.detect(frames, min_score=0.7)
    assert all(d.score >= 0.7 for row in narrow for d in row)


@pytest.mark.weights
def test_boxes_follow_the_picture() -> None:
    from tests.models.clips import example_frames

    detector = load_detector()
    frame = example_frames("carphone", 1)
    (man,) = (d for d in detector.detect(frame)[0] if d.label == "person")
    wide = np.full((1, frame.shape[1], 2 * frame.shape[2], 3), 127, np.uint8)
    wide[:, :, frame.shape[2] :] = frame  # the picture is now the right half
    (moved,) = (d for d in detector.detect(wide)[0] if d.label == "person")
    expected = (0.5 + man.box[0] / 2, man.box[1], 0.5 + man.box[2] / 2, man.box[3])
    assert moved.box == pytest.approx(expected, abs=0.08)


@pytest.mark.weights
def test_leaving_out_boxes_that_nobody_looks_at_changes_no_other() -> None:
    import cv2

    from tests.models.clips import example_frames

    folder = registry().get(ENTRY).path()
    whole = cv2.dnn.readNetFromTensorflow(
        str(folder / "frozen_inference_graph.pb"), str(folder / "graph.pbtxt")
    )
    slow, quick = Detector(whole, ""), load_detector()
    frames = example_frames("carphone", 3)
    assert quick.detect(frames, min_score=0.2) == slow.detect(frames, min_score=0.2)
