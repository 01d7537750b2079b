"""The palette of a clip: a few named colours with their shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.colors import from_lab, name_of_lab, to_lab
from vidprompter.sheet.types import ColorFact

CLUSTERS = 8
PIXELS = 12_000
MIN_SHARE = 0.04
MAX_COLORS = 6
GRAY_CHROMA = 6.0  # CIELAB; film stock and compression tint black-and-white a little
SEED = 1234


def sample_pixels(frames: NDArray[np.uint8], count: int = PIXELS) -> NDArray[np.uint8]:
    """About `count` pixels (N, 3) from an even grid over frames (T, H, W, 3)."""
    per_frame = max(1, count // max(1, len(frames)))
    height, width = frames.shape[1:3]
    step = max(1, int(np.sqrt(height * width / per_frame)))
    grid: NDArray[np.uint8] = frames[:, step // 2 :: step, step // 2 :: step].reshape(-1, 3)
    return grid


def measure_palette(frames: NDArray[np.uint8]) -> tuple[ColorFact, ...]:
    """The named colours of frames (T, H, W, 3) uint8 sRGB, largest share first.

    Clusters of CIELAB (k-means, fixed seed) that bear the same name are one entry, so shares of one name
    add up; names below 4 % are left out.
    """
    lab = to_lab(sample_pixels(frames))
    centers, shares = _cluster(lab)
    merged: dict[str, list[int]] = {}
    for i, center in enumerate(centers):
        merged.setdefault(name_of_lab(*center.tolist()), []).append(i)
    facts = []
    for name, members in merged.items():
        weight = shares[members]
        mean = (centers[members] * weight[:, None]).sum(axis=0) / max(float(weight.sum()), 1e-9)
        red, green, blue = from_lab(mean[None].astype(np.float32))[0].tolist()
        facts.append(ColorFact(name, f"#{red:02x}{green:02x}{blue:02x}", round(float(weight.sum()), 4)))
    facts.sort(key=lambda fact: (-fact.share, fact.name))
    kept = [fact for fact in facts if fact.share >= MIN_SHARE]
    return tuple(kept[:MAX_COLORS])


def is_monochrome(frames: NDArray[np.uint8]) -> bool:
    """Whether frames (T, H, W, 3) are black-and-white or of one faint tint throughout."""
    lab = to_lab(sample_pixels(frames))
    seen = lab[(lab[:, 0] > 8) & (lab[:, 0] < 97)]
    if len(seen) < 0.05 * len(lab):
        seen = lab
    tint = np.median(seen[:, 1:], axis=0)
    # a small coloured thing in a gray place covers a few percent at most
    spread = np.percentile(np.hypot(*(seen[:, 1:] - tint).T), 99.5)
    gray = np.percentile(np.hypot(seen[:, 1], seen[:, 2]), 99.5) < GRAY_CHROMA
    # one tint throughout (sepia) has hardly any spread of hue, but lamplight on a colourful room has
    return bool(gray or (spread < GRAY_CHROMA and np.hypot(*tint) < 3 * GRAY_CHROMA))


def _cluster(lab: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Centers (K, 3) and shares (K,) of at most `CLUSTERS` clusters."""
    import cv2

    different = np.unique(np.rint(lab), axis=0)
    wanted = min(CLUSTERS, len(different))
    cv2.setRNGSeed(SEED)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 0.3)
    _, labels, centers = cv2.kmeans(lab, wanted, None, stop, 2, cv2.KMEANS_PP_CENTERS)
    counts = np.bincount(labels.ravel(), minlength=wanted).astype(np.float64)
    return np.asarray(centers, np.float32), counts / counts.sum()
