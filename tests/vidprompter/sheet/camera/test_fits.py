"""Pair fits, their checks, and motion left over for objects."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.camera_clips import Picture
from vidprompter.errors import InputError
from vidprompter.sheet.camera import fit_pairs, residual_motion
from vidprompter.sheet.camera.fits import chunk_bursts, split_bursts

from .conftest import big_object, frames_of, recipe_of


def test_matrices_map_points_as_the_camera_moved(pictures: list[Picture]) -> None:
    fits = fit_pairs(*frames_of(recipe_of("pan right", 0.16), pictures))
    step = np.diff(fits.times, axis=1)[:, 0]
    corner = np.array([0.1, 0.9, 1.0])
    moved = fits.matrices @ corner
    assert moved[:, 0] == pytest.approx(0.1 - 0.16 * step, abs=0.002)
    assert moved[:, 1] == pytest.approx(0.9, abs=0.002)


def test_a_roll_turns_about_the_middle(pictures: list[Picture]) -> None:
    fits = fit_pairs(*frames_of(recipe_of("roll", np.deg2rad(12)), pictures))
    middle = fits.matrices @ np.array([0.5, 0.5, 1.0])
    assert middle == pytest.approx(0.5, abs=0.002)
    assert np.abs(fits.scene.turn).mean() == pytest.approx(np.deg2rad(12) / 8, rel=0.05)


def test_one_entry_for_each_pair(pictures: list[Picture]) -> None:
    frames, times = frames_of(recipe_of("pan left", 0.1), pictures)
    fits = fit_pairs(frames, times)
    assert len(fits) == len(fits.tracks) == len(fits.matrices) == len(frames) - 1
    assert ((fits.inliers >= 0) & (fits.inliers <= 1)).all()
    assert all(len(t.start) == len(t.end) == len(t.scene) for t in fits.tracks)


@pytest.mark.parametrize("motion", ["static", "pan left"])
def test_an_objects_own_motion_comes_out_relative_to_the_scene(pictures: list[Picture], motion: str) -> None:
    speed = 0.10 if motion == "pan left" else 0.0
    thing = big_object(2, (0.06, -0.03))
    fits = fit_pairs(*frames_of(recipe_of(motion, speed, 2, thing), pictures))
    left = residual_motion(fits, (0.3, 0.3, 0.7, 0.72))
    assert left is not None
    assert left[0] == pytest.approx(0.06 - speed, abs=0.01)
    assert left[1] == pytest.approx(-0.03, abs=0.01)
    assert left[2] == pytest.approx(0.0, abs=0.03)


def test_scenery_has_no_motion_of_its_own(pictures: list[Picture]) -> None:
    fits = fit_pairs(*frames_of(recipe_of("tilt up", 0.15), pictures))
    left = residual_motion(fits, (0.2, 0.4, 0.8, 0.9))
    assert left is not None
    assert np.abs(left[:2]).max() < 0.01


def test_a_box_without_points_says_nothing(pictures: list[Picture]) -> None:
    fits = fit_pairs(*frames_of(recipe_of("static", 0.0), pictures))
    assert residual_motion(fits, (0.5, 0.5, 0.505, 0.505)) is None


def test_boxes_may_move(pictures: list[Picture]) -> None:
    thing = big_object(2, (0.15, 0.0), share=0.2)
    fits = fit_pairs(*frames_of(recipe_of("static", 0.0, 2, thing), pictures))
    times = np.array([0.0, 3.0])
    start = np.array([0.5 - 0.225, 0.52, 0.5 - 0.225, 0.52]) + np.array([-0.2, -0.2, 0.2, 0.2])
    boxes = np.stack([start, start + np.array([0.45, 0, 0.45, 0])])
    left = residual_motion(fits, boxes, times)
    assert left is not None
    assert left[0] == pytest.approx(0.15, abs=0.015)


def test_bursts_end_at_gaps() -> None:
    assert split_bursts(np.array([0.0, 0.1, 0.2, 5.0, 5.1])) == [(0, 2), (3, 4)]
    assert split_bursts(np.array([1.0])) == [(0, 0)]
    assert split_bursts(np.array([])) == []


def test_wrong_shapes_are_named() -> None:
    frames = np.zeros((4, 20, 30, 3), np.uint8)
    with pytest.raises(InputError, match=r"\(T, H, W, 3\)"):
        fit_pairs(frames[..., 0], np.arange(4.0))
    with pytest.raises(InputError, match="4 frames and 3 timestamps"):
        fit_pairs(frames, np.arange(3.0))
    with pytest.raises(InputError, match="increase"):
        fit_pairs(frames, np.zeros(4))


def test_no_frames_give_no_pairs() -> None:
    assert len(fit_pairs(np.zeros((0, 20, 30, 3), np.uint8), np.zeros(0))) == 0


def test_long_bursts_are_followed_in_pieces_without_losing_a_pair() -> None:
    assert chunk_bursts([(0, 5), (6, 6), (7, 12)], longest=3) == [(0, 3), (3, 5), (6, 6), (7, 10), (10, 12)]
    assert sum(last - first for first, last in chunk_bursts([(0, 1000)])) == 1000


@pytest.mark.parametrize("shape", [(5, 1, 1, 3), (5, 8, 8, 3), (4, 16, 200, 3), (2, 90, 160, 3)])
def test_odd_sizes_do_not_break_it(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    assert len(fit_pairs(noise, np.arange(shape[0]) / 8)) == shape[0] - 1
