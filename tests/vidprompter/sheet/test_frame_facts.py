"""Bars, light, contrast and the look of a frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.sheet.scenes import solid, texture
from vidprompter.sheet.appearance import measure_appearance
from vidprompter.sheet.bars import BLACK_LUMA, Crop, blank_frames, dark_lines, find_bars
from vidprompter.sheet.light import measure_contrast, measure_light, name_object_light, object_light


def letterboxed(bar: int, height: int = 120) -> np.ndarray:
    frames = np.stack([texture(i, height) // 2 + 60 for i in range(4)])
    frames[:, :bar] = 0
    frames[:, height - bar :] = 0
    return frames


@settings(max_examples=15, deadline=None)
@given(st.integers(6, 40))
def test_letterbox_bars_are_cut_off(bar: int) -> None:
    crop = find_bars(letterboxed(bar))
    assert crop.top == pytest.approx((bar + 1) / 120)
    assert crop.bottom == pytest.approx((120 - bar - 1) / 120)
    assert (crop.left, crop.right) == (0.0, 1.0)
    assert crop.apply(letterboxed(bar)).shape[1] == 120 - 2 * bar - 2


def test_a_picture_without_bars_is_left_whole() -> None:
    assert find_bars(texture(1)[None] // 2 + 60) == Crop()
    assert find_bars(solid((0, 0, 0), 3)) == Crop()


def test_black_frames_do_not_hide_the_bars_and_are_blank() -> None:
    frames = letterboxed(20)
    frames[1] = 0
    frames[1, 60:64, 70:90] = 255  # a title on black
    assert blank_frames(frames).tolist() == [False, True, False, False]
    assert find_bars(frames).top == pytest.approx(21 / 120)
    assert not blank_frames(solid((0, 0, 0), 3)).any()


@pytest.mark.parametrize(("level", "label"), [(15, "dark"), (70, "dim"), (120, "soft"), (220, "bright")])
def test_light_by_brightness(level: int, label: str) -> None:
    light = measure_light(solid((level, level, level), 2))
    assert light.label == label and light.temperature == "neutral"
    assert light.mean == pytest.approx(level / 255, abs=0.01)
    assert 0.5 <= light.confidence <= 1


def test_lamplight_is_warm_moonlight_cool_and_grass_is_neither() -> None:
    assert measure_light(solid((220, 170, 110))).temperature == "warm"
    assert measure_light(solid((120, 150, 200))).temperature == "cool"
    assert measure_light(solid((70, 140, 40))).temperature == "neutral"


def test_contrast() -> None:
    assert measure_contrast(solid((120, 120, 120))).label == "low"
    halves = solid((5, 5, 5))
    halves[:, :, 40:] = 250
    fact = measure_contrast(halves)
    assert fact.label == "high" and fact.value == pytest.approx(0.96, abs=0.02)


def test_a_dark_thing_on_a_light_wall() -> None:
    frame = solid((220, 220, 220))[0]
    frame[20:40, 30:50] = 20
    box = (30 / 80, 20 / 60, 50 / 80, 40 / 60)
    difference = object_light(frame, box)
    assert difference is not None and difference < -0.5
    assert name_object_light([difference]) == "darker than the background"
    assert object_light(frame, (0.0, 0.0, 1.0, 1.0)) is None
    assert name_object_light([]) == "unknown"


def test_the_look_of_sky_grass_and_walls() -> None:
    rng = np.random.default_rng(0)
    meadow = solid((120, 170, 235), height=96, width=128)
    grass = np.array([80, 140, 40]) + rng.integers(-35, 36, (1, 48, 128, 1))
    meadow[:, 48:] = np.clip(grass, 0, 255)
    look = measure_appearance(meadow)
    assert look.blue_sky > 0.9 and look.grass > 0.7 and look.trees < 0.1
    wall = measure_appearance(solid((200, 200, 195), 2, 96, 128))
    assert wall.plain == 1.0 and wall.drift == 0.0 and wall.grass == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.sampled_from([50.0, 95.0, 98.0]),
    st.floats(14, 26),
    st.floats(0.1, 6),
    st.integers(0, 2**31),
)
def test_counted_dark_lines_are_those_of_the_percentile(
    count: int, percent: float, mean: float, spread: float, seed: int
) -> None:
    lines = np.random.default_rng(seed).normal(mean, spread, (30, count)).round().astype(np.float32)
    sorted_out = np.percentile(lines, percent, axis=1) < BLACK_LUMA
    assert dark_lines(lines, percent).tolist() == sorted_out.tolist()
