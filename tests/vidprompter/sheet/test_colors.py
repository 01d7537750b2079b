"""Colour names, palette and black-and-white."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.sheet.scenes import solid, texture
from vidprompter.sheet.colors import NAMES, from_lab, name_indices, name_of_lab, name_shares, to_lab
from vidprompter.sheet.palette import is_monochrome, measure_palette


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"), ((20, 20, 24), "black"), ((70, 70, 70), "dark gray"), ((128, 128, 128), "gray"),
        ((250, 250, 250), "white"), ((220, 20, 30), "red"), ((140, 10, 15), "red"), ((255, 128, 0), "orange"),
        ((200, 125, 10), "orange"), ((139, 69, 19), "brown"), ((90, 60, 40), "brown"), ((210, 180, 140), "beige"),
        ((255, 230, 0), "yellow"), ((30, 160, 40), "green"), ((80, 130, 40), "green"), ((10, 60, 20), "dark green"),
        ((0, 128, 128), "teal"), ((150, 205, 235), "light blue"), ((40, 90, 200), "blue"), ((10, 15, 70), "dark blue"),
        ((120, 30, 150), "purple"), ((255, 170, 200), "pink"),
    ],
)  # fmt: skip
def test_colors_are_named_as_people_do(rgb: tuple[int, int, int], name: str) -> None:
    assert name_of_lab(*to_lab(np.array([rgb], np.uint8))[0].tolist()) == name


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_pixel_has_a_name_and_every_lab_color_a_way_back(rgb: tuple[int, int, int]) -> None:
    pixel = np.array([rgb], np.uint8)
    assert NAMES[int(name_indices(pixel)[0])] in NAMES
    assert np.abs(from_lab(to_lab(pixel)).astype(int) - pixel.astype(int)).max() <= 2


def test_shares_are_sorted_and_sum_to_one() -> None:
    pixels = np.concatenate([solid((220, 20, 30)).reshape(-1, 3), solid((0, 0, 0), 3).reshape(-1, 3)])
    shares = name_shares(pixels)
    assert list(shares) == ["black", "red"]
    assert shares["black"] == pytest.approx(0.75)
    assert name_shares(pixels[:0]) == {}


def test_palette_merges_shades_of_one_name_and_repeats_itself() -> None:
    frame = solid((30, 160, 40))
    frame[:, :20] = (40, 170, 60)
    frame[:, 40:] = (40, 90, 200)
    palette = measure_palette(frame)
    assert [c.name for c in palette] == ["green", "blue"]
    assert sum(c.share for c in palette) == pytest.approx(1.0, abs=0.01)
    assert all(c.hex.startswith("#") and len(c.hex) == 7 for c in palette)
    noisy = texture(1)[None]
    assert measure_palette(noisy) == measure_palette(noisy)


def test_a_single_color_makes_a_palette() -> None:
    assert [c.name for c in measure_palette(solid((0, 0, 0)))] == ["black"]


def test_gray_film_is_monochrome_and_a_red_thing_in_a_gray_place_is_not() -> None:
    gray = np.repeat(texture(2)[..., :1], 3, axis=2)[None]
    assert is_monochrome(gray)
    gray[:, 40:70, 60:100] = (200, 20, 30)
    assert not is_monochrome(gray)
    assert not is_monochrome(texture(3)[None])
