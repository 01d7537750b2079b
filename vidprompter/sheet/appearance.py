"""What colour, place and texture say about the setting: sky, grass, trees, water, a plain backdrop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.colors import to_lab

HEIGHT = 96  # rows of the shrunk frames; enough for regions
SMOOTH = 3.0  # CIELAB units between neighbours; sky and walls stay below


@dataclass(frozen=True)
class Appearance:
    """Shares of the picture, 0-1, means over the frames.

    blue_sky: of the top third, smooth and blue. grass: of the lower half, green and textured. trees: of the
    upper half, green and textured. water: of the lower half, blue or teal. plain: of all, smooth.
    least_plain: `plain` of the least plain frame. spread: how many CIELAB units the colours of the smooth
    part differ. drift: how many its mean differs between frames.
    """

    blue_sky: float
    grass: float
    trees: float
    water: float
    plain: float
    spread: float
    least_plain: float
    drift: float


def measure_appearance(frames: NDArray[np.uint8]) -> Appearance:
    """The cues in frames (T, H, W, 3) uint8 sRGB."""
    rows = np.array([_one(frame) for frame in frames])
    sky, grass, trees, water, plain, spread = (float(v) for v in rows[:, :6].mean(axis=0))
    drift = float(np.linalg.norm(rows[:, 6:].std(axis=0)))
    return Appearance(sky, grass, trees, water, plain, spread, float(rows[:, 4].min()), drift)


def _one(frame: NDArray[np.uint8]) -> list[float]:
    import cv2

    height, width = frame.shape[:2]
    size = (max(16, round(HEIGHT * width / height)), HEIGHT)
    lab = to_lab(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    lightness, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    chroma = np.hypot(a, b)
    hue = np.degrees(np.arctan2(b, a)) % 360
    steps = np.maximum(
        np.abs(np.diff(lab, axis=0, append=lab[-1:])).sum(axis=2),
        np.abs(np.diff(lab, axis=1, append=lab[:, -1:])).sum(axis=2),
    )
    smooth = steps < SMOOTH
    green = (hue > 98) & (hue < 165) & (chroma > 13) & (lightness > 8)
    blue = (hue > 215) & (hue < 300) & (chroma > 13)
    aqua = (hue > 180) & (hue < 300) & (chroma > 12)
    third, half = HEIGHT // 3, HEIGHT // 2
    # leaves and blades make small steps nearly everywhere; painted walls and screens do not
    leafy = green & (cv2.blur(steps, (5, 5)) > SMOOTH)
    calm = lab[smooth]
    spread = float(np.linalg.norm(calm.std(axis=0))) if smooth.sum() > 50 else 99.0
    return [
        float((smooth & blue & (lightness > 40))[:third].mean()),
        float(leafy[half:].mean()),
        float(leafy[:half].mean()),
        float(aqua[half:].mean()),
        float(smooth.mean()),
        spread,
        *(calm.mean(axis=0).tolist() if smooth.any() else [0.0, 0.0, 0.0]),
    ]
