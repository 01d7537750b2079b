"""Light, colour temperature and contrast of the frame, and light of an object against what is around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.bars import luma
from vidprompter.sheet.colors import to_lab
from vidprompter.sheet.palette import sample_pixels
from vidprompter.sheet.types import LabelFact, LightFact

Box = tuple[float, float, float, float]

DARK, DIM, BRIGHT = 0.2, 0.34, 0.6  # mean brightness, 0-1
LOW_SPREAD, HIGH_SPREAD = 0.42, 0.78  # 5th to 95th percentile of brightness
WARM_B, COOL_B = 9.0, -5.0  # CIELAB b of the lit, not green part of the picture
OBJECT_STEP = 0.14  # brightness of an object against the ring around it


def _sureness(value: float, borders: tuple[float, ...], width: float) -> float:
    """0.5 on a border between two words, towards 1 at `width` from the nearest one."""
    distance = min(abs(value - border) for border in borders)
    return round(float(np.clip(0.5 + 0.5 * distance / width, 0.5, 1.0)), 3)


def measure_light(frames: NDArray[np.uint8]) -> LightFact:
    """Light of frames (T, H, W, 3) uint8 sRGB: dark, dim, soft or bright, and warm, neutral or cool.

    Between dim and bright, an even picture is soft and a contrasty one is left unknown.
    """
    pixels = sample_pixels(frames)
    brightness = luma(pixels) / 255
    mean = float(brightness.mean())
    spread = float(np.percentile(brightness, 95) - np.percentile(brightness, 5))
    sure = _sureness(mean, (DARK, DIM, BRIGHT), 0.12)
    if mean < DARK:
        label = "dark"
    elif mean < DIM:
        label = "dim"
    elif mean >= BRIGHT or (mean >= 0.52 and spread > HIGH_SPREAD):
        label = "bright"
    elif spread < HIGH_SPREAD:
        label, sure = "soft", min(sure, _sureness(spread, (HIGH_SPREAD,), 0.2))
    else:
        label, sure = "unknown", 0.0
    return LightFact(label, sure, _temperature(pixels), round(mean, 4))


def _temperature(pixels: NDArray[np.uint8]) -> str:
    lab = to_lab(pixels)
    lightness, a, b = lab[:, 0], lab[:, 1], lab[:, 2]
    hue = np.degrees(np.arctan2(b, a)) % 360
    chroma = np.hypot(a, b)
    # leaves and grass are no light, and neither are strongly coloured things; clipped pixels tell nothing
    leaf = (hue > 98) & (hue < 200) & (chroma > 10)
    lit = (lightness >= np.percentile(lightness, 50)) & (lightness < 98) & ~leaf & (chroma < 55)
    if lit.sum() < 0.05 * len(lab):
        return "neutral"
    mean = float(np.mean(b[lit]))
    return "warm" if mean > WARM_B else "cool" if mean < COOL_B else "neutral"


def measure_contrast(frames: NDArray[np.uint8]) -> LabelFact:
    """Contrast of frames (T, H, W, 3): low, medium or high; `value` is the 5th-95th percentile span, 0-1."""
    brightness = luma(frames[:, ::4, ::4]).reshape(len(frames), -1) / 255
    low, high = np.percentile(brightness, [5, 95], axis=1)
    spread = float(np.median(high - low))
    label = "low" if spread < LOW_SPREAD else "high" if spread > HIGH_SPREAD else "medium"
    return LabelFact(label, _sureness(spread, (LOW_SPREAD, HIGH_SPREAD), 0.15), round(spread, 4))


def object_light(frame: NDArray[np.uint8], box: Box) -> float | None:
    """Brightness of the middle of a box minus that of the ring around it, -1 to 1; None without a ring.

    frame: (H, W, 3) uint8 sRGB; box: (x0, y0, x1, y1) in fractions of the frame.
    """
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = box
    dx, dy = x1 - x0, y1 - y0
    inner = _cut(frame, (x0 + 0.25 * dx, y0 + 0.2 * dy, x1 - 0.25 * dx, y1 - 0.2 * dy))
    outer = (
        max(0.0, x0 - 0.3 * dx),
        max(0.0, y0 - 0.3 * dy),
        min(1.0, x1 + 0.3 * dx),
        min(1.0, y1 + 0.3 * dy),
    )
    ring = _cut(frame, outer)
    if not inner.size or not ring.size:
        return None
    around = np.ones(ring.shape[:2], np.bool_)
    left, top = round((x0 - outer[0]) * width), round((y0 - outer[1]) * height)
    around[max(top, 0) : top + round(dy * height), max(left, 0) : left + round(dx * width)] = False
    if around.sum() < 0.15 * around.size:
        return None
    return float((luma(inner).mean() - luma(ring)[around].mean()) / 255)


def name_object_light(differences: list[float]) -> str:
    """In words, the median of what `object_light` gave over the frames."""
    if not differences:
        return "unknown"
    middle = float(np.median(differences))
    if middle > OBJECT_STEP:
        return "brighter than the background"
    return "darker than the background" if middle < -OBJECT_STEP else "like the background"


def _cut(frame: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = box
    return frame[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
