"""Clips with a known motion over made-up pictures; no video file and no picture from outside is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.camera_clips import (
    ObjectRecipe,
    Picture,
    Recipe,
    draw_recipe,
    made_up_picture,
    render_clip,
    shrink,
)

ClipArrays = tuple[NDArray[np.uint8], NDArray[np.float64]]


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    return [made_up_picture(seed) for seed in range(4)]


def recipe_of(motion: str, speed: float, seed: int = 1, thing: ObjectRecipe | None = None) -> Recipe:
    """A 3 second clip at 320x180 and 24 frames a second without noise."""
    drawn = draw_recipe(seed, "plain", motion, 4)
    return replace(
        drawn, speed=speed, seconds=3.0, fps=24, size=(320, 180), noise=0.0, ease=False, whole_pixels=False,
        picture=seed % 4, thing=thing,
    )  # fmt: skip


def frames_of(recipe: Recipe, pictures: list[Picture]) -> ClipArrays:
    """The recipe's frames at 8 a second, as the sheet samples them, without a codec in between."""
    frames, times = render_clip(recipe, pictures)
    return np.stack([shrink(f) for f in frames[::3]]), times[::3]


def big_object(seed: int, velocity: tuple[float, float], share: float = 0.35) -> ObjectRecipe:
    """A cut-out of the next picture over a third of the frame."""
    return ObjectRecipe((seed + 1) % 4, share, bool(seed % 2), (0.5, 0.52), velocity, 0.0)
