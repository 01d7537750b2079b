"""Motion of an object relative to the scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fits import PairFits
from .layers import FloatArray, fit_similarity

MIN_POINTS = 4
SHRINK = 0.1  # of the box: its rim shows more scene than object


def _apply(matrix: FloatArray, points: FloatArray) -> FloatArray:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _boxes_at(
    box: NDArray[np.float64], times: NDArray[np.float64] | None, when: FloatArray
) -> NDArray[np.float64]:
    """(P, 4) box at each time, held or interpolated."""
    box = np.asarray(box, dtype=np.float64)
    if box.ndim == 1 or times is None:
        return np.repeat(box.reshape(-1, 4)[:1], len(when), axis=0)
    return np.stack([np.interp(when, times, box[:, k]) for k in range(4)], axis=1)


def residual_motion(
    fits: PairFits,
    box: NDArray[np.float64] | tuple[float, float, float, float],
    times: NDArray[np.float64] | None = None,
) -> tuple[float, float, float] | None:
    """(dx, dy, scale) per second of the object in a box, with the camera's motion taken out.

    box: (x0, y0, x1, y1) in fractions of the frame, or (K, 4) boxes at `times` (K,) seconds of the file;
    pairs of frames outside the span of `times` are left out. dx and dy are fractions of the frame's width
    and height per second (right and down positive), scale is the relative growth per second (0.1: a tenth
    larger each second). None where too few points were followed inside the box.
    """
    boxes = np.asarray(box, dtype=np.float64)
    rows, seconds = [], 0.0
    at = _boxes_at(boxes, times, fits.times[:, 0])
    for i, points in enumerate(fits.tracks):
        if np.isnan(fits.matrices[i, 0, 0]):
            continue
        if times is not None and not (times[0] - 1e-6 <= fits.times[i, 0] <= times[-1] + 1e-6):
            continue
        step = _pair_residual(points.start, points.end, points.scene, fits.matrices[i], at[i])
        if step is not None:
            rows.append(step)
            seconds += float(fits.times[i, 1] - fits.times[i, 0])
    if not rows or seconds <= 0:
        return None
    dx, dy, scale = np.sum(rows, axis=0) / seconds
    return float(dx), float(dy), float(scale)


def _pair_residual(
    start: FloatArray, end: FloatArray, scene: NDArray[np.bool_], matrix: FloatArray, box: FloatArray
) -> FloatArray | None:
    x0, y0, x1, y1 = box
    dx, dy = SHRINK * (x1 - x0), SHRINK * (y1 - y0)
    inside = (start[:, 0] > x0 + dx) & (start[:, 0] < x1 - dx)
    inside &= (start[:, 1] > y0 + dy) & (start[:, 1] < y1 - dy)
    if np.count_nonzero(inside) < MIN_POINTS:
        return None
    own = inside & ~scene
    # a box always holds some scene; only where hardly anything moves on its own does the object stand still
    chosen = own if np.count_nonzero(own) >= max(MIN_POINTS, 0.25 * np.count_nonzero(inside)) else inside
    source, target = _apply(matrix, start[chosen]), end[chosen]
    shift = np.median(target - source, axis=0)
    near = np.linalg.norm(target - source - shift, axis=1)
    weights = (near <= max(0.004, 2 * float(np.median(near)))).astype(np.float64)
    z, w = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    a, _ = fit_similarity(z, w, weights)
    return np.array([shift[0], shift[1], np.log(max(abs(a), 1e-6))])
