"""The word and the speed, on rendered clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.camera_clips import Picture, through_codec
from vidprompter.sheet.camera import fit_pairs, measure_camera

from .conftest import big_object, frames_of, recipe_of

PLAIN = [
    ("static", 0.0, 0.0),
    ("pan left", 0.10, 0.10),
    ("pan right", 0.25, 0.25),
    ("tilt up", 0.08, 0.08),
    ("tilt down", 0.20, 0.20),
    ("zoom in", 0.10, 0.10),
    ("zoom out", 0.08, 0.08),
    ("roll", np.deg2rad(10), 10 / 360),
]


@pytest.mark.parametrize(("motion", "speed", "expected"), PLAIN)
def test_plain_motions_are_named_with_their_speed(
    pictures: list[Picture], motion: str, speed: float, expected: float
) -> None:
    measured = measure_camera(*frames_of(recipe_of(motion, speed), pictures))
    assert measured.motion == motion
    assert measured.speed == pytest.approx(expected, rel=0.1, abs=0.002)
    assert measured.confidence >= 0.5


@pytest.mark.parametrize("wobble_seed", [1, 2, 5])
def test_a_shaking_camera_is_handheld(pictures: list[Picture], wobble_seed: int) -> None:
    measured = measure_camera(*frames_of(recipe_of("handheld", 0.012, wobble_seed), pictures))
    assert measured.motion == "handheld"
    assert measured.speed > 0.01


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_big_moving_object_before_a_still_camera_leaves_it_static(
    pictures: list[Picture], seed: int
) -> None:
    thing = big_object(seed, (0.10, -0.04))
    measured = measure_camera(*frames_of(recipe_of("static", 0.0, seed, thing), pictures))
    assert measured.motion == "static"


@pytest.mark.parametrize("motion", ["pan left", "tilt down", "zoom in"])
def test_an_object_going_its_own_way_does_not_change_the_word(pictures: list[Picture], motion: str) -> None:
    thing = big_object(1, (0.08, 0.05))
    measured = measure_camera(*frames_of(recipe_of(motion, 0.10, 1, thing), pictures))
    assert measured.motion == motion


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(speed=st.floats(0.02, 0.05), seed=st.integers(0, 40))
def test_slow_pans_are_seen(pictures: list[Picture], speed: float, seed: int) -> None:
    measured = measure_camera(*frames_of(recipe_of("pan right", speed, seed), pictures))
    assert measured.motion == "pan right"
    assert measured.speed == pytest.approx(speed, rel=0.15)


def test_h264_does_not_hide_a_slow_tilt(pictures: list[Picture]) -> None:
    from benchmarks.camera_clips import render_clip

    recipe = recipe_of("tilt up", 0.03, 2)
    frames, _ = render_clip(recipe, pictures)
    assert measure_camera(*through_codec(frames, recipe.fps, crf=28)).motion == "tilt up"


def test_playing_a_clip_backwards_turns_the_word_around(pictures: list[Picture]) -> None:
    frames, times = frames_of(recipe_of("zoom in", 0.12), pictures)
    assert measure_camera(frames[::-1].copy(), times).motion == "zoom out"


def test_letterbox_bars_do_not_hold_the_camera_still(pictures: list[Picture]) -> None:
    frames, times = frames_of(recipe_of("pan left", 0.08), pictures)
    frames = frames.copy()
    frames[:, :30] = 0
    frames[:, -30:] = 0
    assert measure_camera(frames, times).motion == "pan left"


def test_a_gap_in_time_is_not_fitted_across(pictures: list[Picture]) -> None:
    frames, times = frames_of(recipe_of("pan right", 0.10), pictures)
    late = np.where(np.arange(len(times)) >= 12, times + 20.0, times)
    fits = fit_pairs(frames, late)
    assert np.isnan(fits.matrices[11]).all()
    assert not np.isnan(fits.matrices[[10, 12]]).any()
    assert measure_camera(frames, late).speed == pytest.approx(0.10, rel=0.1)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_frames_are_unknown(level: int) -> None:
    measured = measure_camera(np.full((16, 90, 160, 3), level, np.uint8), np.arange(16) / 8)
    assert measured.motion == "unknown"
    assert measured.confidence == 0.0


def test_pure_noise_is_not_stated() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (16, 90, 160, 3), dtype=np.uint8)
    measured = measure_camera(noise, np.arange(16) / 8)
    assert measured.motion == "unknown" or measured.confidence < 0.5


def test_one_frame_says_nothing(pictures: list[Picture]) -> None:
    assert measure_camera(pictures[0][None], np.zeros(1)).motion == "unknown"


def test_the_same_clip_gives_the_same_answer(pictures: list[Picture]) -> None:
    clip = frames_of(recipe_of("pan left", 0.05, 3, big_object(3, (0.05, 0.05))), pictures)
    assert measure_camera(*clip) == measure_camera(*clip)
