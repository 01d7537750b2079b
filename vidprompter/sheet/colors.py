"""Plain colour names of pixels, the way people name them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "black", "dark gray", "gray", "white", "red", "orange", "brown", "beige", "yellow", "green", "dark green",
    "teal", "light blue", "blue", "dark blue", "purple", "pink",
)  # fmt: skip
NEUTRAL = ("black", "dark gray", "gray", "white")
_INDEX = {name: i for i, name in enumerate(NAMES)}
_STEPS = 32  # per channel of the lookup table: finer than the borders between names deserve


def to_lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIELAB (D65) of sRGB pixels (..., 3) uint8: L 0-100, a and b about -100 to 100, float32."""
    import cv2

    flat = np.ascontiguousarray(pixels.reshape(1, -1, 3), dtype=np.float32) / 255
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2Lab), np.float32).reshape(pixels.shape)


def from_lab(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """sRGB uint8 of CIELAB colours (N, 3)."""
    import cv2

    rgb = cv2.cvtColor(np.ascontiguousarray(lab[None], dtype=np.float32), cv2.COLOR_Lab2RGB)[0]
    return np.asarray(np.clip(np.rint(rgb * 255), 0, 255), np.uint8)


def name_of_lab(lightness: float, a: float, b: float) -> str:
    """The plain name of one colour. Borders were set by eye on real frames and named sRGB colours."""
    chroma = float(np.hypot(a, b))
    hue = float(np.degrees(np.arctan2(b, a)) % 360)
    if (lightness < 10 and chroma < 35) or (lightness < 20 and chroma < 14):
        return "black"
    if chroma < _neutral_limit(lightness, hue):
        return _neutral_name(lightness)
    return _hue_name(lightness, chroma, hue)


def _neutral_limit(lightness: float, hue: float) -> float:
    """Chroma below which people say gray: a tint is seen less in the dark, warm tints in the light more."""
    if lightness > 92:
        return 10.0 if 60 < hue < 120 else 7.0
    if 40 < hue < 110:
        return 9.0 if lightness > 60 else 11.0
    if lightness > 78 and 100 < hue < 170:
        return 17.0
    return 11.0 if lightness > 30 else 13.0


def _neutral_name(lightness: float) -> str:
    if lightness < 20:
        return "black"
    if lightness < 42:
        return "dark gray"
    return "gray" if lightness < 83 else "white"


def _hue_name(lightness: float, chroma: float, hue: float) -> str:
    if hue >= 342 or hue < 22:
        return "pink" if lightness > 62 or (lightness > 50 and hue >= 342) else "red"
    if hue < 50:
        return _between_red_and_orange(lightness, chroma, hue)
    if hue < 82:
        if lightness > 45 and chroma > max(48.0, 1.12 * lightness if lightness < 60 else 50.0):
            return "orange" if hue < 76 or lightness < 66 else "yellow"
        return "beige" if lightness > 66 and chroma < 38 else "brown"
    if hue < 108:
        return _between_yellow_and_green(lightness, chroma, hue)
    if hue < 168:
        return "dark green" if lightness < 32 else "green"
    if hue < 222:
        return "light blue" if lightness > 78 and hue > 205 else "teal"
    if hue < 308:
        return "dark blue" if lightness < 26 else "light blue" if lightness > 70 else "blue"
    return "purple" if lightness < 66 else "pink"


def _between_red_and_orange(lightness: float, chroma: float, hue: float) -> str:
    if chroma > 48 and (hue < 43 or lightness < 45):
        return "red"
    if lightness > 55 and chroma > 55:
        return "orange"
    if lightness > 72:
        return "pink" if hue < 40 and chroma > 16 else "beige"
    return "red" if hue < 30 and chroma > 30 else "brown"


def _between_yellow_and_green(lightness: float, chroma: float, hue: float) -> str:
    if lightness > 62 and chroma > 42:
        return "yellow" if hue < 104 or lightness > 85 else "green"
    if lightness > 70:
        return "beige"
    return "brown" if hue < 97 or chroma < 22 else "green"


@cache
def _table() -> NDArray[np.uint8]:
    level = ((np.arange(_STEPS) + 0.5) * 256 / _STEPS).astype(np.uint8)
    grid = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    names = [_INDEX[name_of_lab(*row)] for row in to_lab(grid).tolist()]
    return np.array(names, np.uint8)


def name_indices(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Index into `NAMES` for each sRGB pixel (..., 3) uint8."""
    cell = pixels.astype(np.int32) * _STEPS // 256
    return np.asarray(_table()[(cell[..., 0] * _STEPS + cell[..., 1]) * _STEPS + cell[..., 2]])


def name_shares(pixels: NDArray[np.uint8], weights: NDArray[np.float64] | None = None) -> dict[str, float]:
    """Share of each colour name among the pixels (N, 3), largest first; absent names are left out."""
    if not len(pixels):
        return {}
    counts = np.bincount(name_indices(pixels).ravel(), weights, minlength=len(NAMES)).astype(np.float64)
    shares = counts / max(counts.sum(), 1e-9)
    order = np.argsort(-shares, kind="stable")
    return {NAMES[i]: float(shares[i]) for i in order if shares[i] > 0}
