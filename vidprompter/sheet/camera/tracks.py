"""Feature tracks over one burst of frames: where points of the picture go.

Features are chosen cell by cell, so that a richly textured object cannot win by the number of its points,
and a plain wall still gets the best points it has. They are followed by pyramidal Lucas-Kanade (Bouguet,
2000) forth and back; a point that does not come back is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 320
CELL = 20  # pixels; one grid cell of the feature selection
PER_CELL = 2
BACK_TOLERANCE = 0.6  # pixels between a point and its way forth and back
MIN_EIGENVALUE = 2.5e-5  # of the structure tensor, for grey levels in [0, 1]; below it there is only noise
HALF_WORTH = 2e-4  # eigenvalue of a point that counts half
DARK = 24  # a row or column that never gets brighter than this is a letterbox bar

FloatArray = NDArray[np.float64]
GrayArray = NDArray[np.uint8]


@dataclass(frozen=True)
class Tracks:
    """Points followed over a burst.

    xy: (N, T, 2) float32 pixels of the small picture, NaN where the point is not (yet, any more) followed.
    worth: (N,) 0-1, how far the point's texture rises above camera noise and what a codec makes of it.
    size: (width, height) of the small picture in pixels.
    active: (x0, y0, x1, y1) pixels of the picture without letterbox bars.
    """

    xy: NDArray[np.float32]
    worth: NDArray[np.float64]
    size: tuple[int, int]
    active: tuple[int, int, int, int]

    def alive(self, start: int, end: int) -> NDArray[np.intp]:
        """Indices of the tracks that live at both frames."""
        both = ~np.isnan(self.xy[:, start, 0]) & ~np.isnan(self.xy[:, end, 0])
        return np.flatnonzero(both)


def gray_small(frames: NDArray[np.uint8]) -> list[GrayArray]:
    """The frames in grey with the longer side at most `MAX_SIDE` pixels: list of (h, w) uint8."""
    height, width = frames.shape[1:3]
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    out = []
    for frame in frames:
        gray = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
        if size != (width, height):
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        out.append(np.asarray(gray, dtype=np.uint8))
    return out


def active_area(grays: list[GrayArray]) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of the picture without black bars; bars would be a picture that never moves."""
    brightest = np.max(np.stack(grays), axis=0)
    rows = np.flatnonzero(np.percentile(brightest, 98, axis=1) > DARK)
    cols = np.flatnonzero(np.percentile(brightest, 98, axis=0) > DARK)
    height, width = brightest.shape
    if rows.size < height // 3 or cols.size < width // 3:
        return 0, 0, width, height
    x0, x1, y0, y1 = int(cols[0]), int(cols[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    margin = 4
    return (
        x0 + margin * (x0 > 0),
        y0 + margin * (y0 > 0),
        x1 - margin * (x1 < width),
        y1 - margin * (y1 < height),
    )


def best_points(
    gray: GrayArray, active: tuple[int, int, int, int], taken: NDArray[np.float32]
) -> tuple[NDArray[np.float32], FloatArray]:
    """(K, 2) new feature points, at most `PER_CELL` in a cell counting the `taken` (M, 2) ones; their worth."""
    eigen = np.asarray(cv2.cornerMinEigenVal(gray, 5, ksize=3))
    peaks = eigen >= np.asarray(cv2.dilate(eigen, np.ones((7, 7), np.uint8)))
    x0, y0, x1, y1 = active
    inside = np.zeros_like(peaks)
    inside[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3] = True
    if taken.size:
        near = np.zeros_like(gray)
        columns, rows = taken.astype(int).T
        near[rows, columns] = 1
        inside &= np.asarray(cv2.dilate(near, np.ones((11, 11), np.uint8))) == 0
    ys, xs = np.nonzero(peaks & inside & (eigen > MIN_EIGENVALUE))
    across = -(-gray.shape[1] // CELL)
    cells = (ys // CELL) * across + xs // CELL
    room = np.full(across * (-(-gray.shape[0] // CELL)), PER_CELL)
    if taken.size:
        old = (taken[:, 1].astype(int) // CELL) * across + taken[:, 0].astype(int) // CELL
        np.subtract.at(room, old.clip(0, room.size - 1), 1)
    order = np.lexsort((-eigen[ys, xs], cells))
    sorted_cells = cells[order]
    first = np.searchsorted(sorted_cells, sorted_cells, side="left")
    rank = np.arange(order.size) - first
    chosen = order[rank < room[sorted_cells]]
    strength = eigen[ys[chosen], xs[chosen]].astype(np.float64)
    points = np.stack([xs[chosen], ys[chosen]], axis=1).astype(np.float32)
    return points, strength / (strength + HALF_WORTH)


def _follow(
    before: GrayArray, after: GrayArray, points: NDArray[np.float32], guess: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(K, 2) positions in `after`, NaN for the lost ones."""
    options: dict[str, Any] = {
        "winSize": (15, 15),
        "maxLevel": 3,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
        "minEigThreshold": 1e-5,
    }
    missing: Any = None  # the outputs are made by the call
    start = np.ascontiguousarray(points[:, None])
    first = np.ascontiguousarray(guess[:, None])
    there, ok, _ = cv2.calcOpticalFlowPyrLK(
        before, after, start, first.copy(), missing, missing, flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **options
    )
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(
        after,
        before,
        there,
        there - first + start,
        missing,
        missing,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        **options,
    )
    gap = np.linalg.norm((back - start)[:, 0], axis=1)
    good = (ok.ravel() == 1) & (ok_back.ravel() == 1) & (gap < BACK_TOLERANCE)
    height, width = after.shape
    x, y = there[:, 0, 0], there[:, 0, 1]
    good &= (x >= 2) & (y >= 2) & (x < width - 2) & (y < height - 2)
    out = np.full_like(points, np.nan)
    out[good] = there[good, 0]
    return out


def follow_points(grays: list[GrayArray]) -> Tracks:
    """Tracks through all the frames of one burst; new points are chosen where cells run empty."""
    height, width = grays[0].shape
    active = active_area(grays)
    alive = np.zeros(0, dtype=np.intp)
    now = np.zeros((0, 2), np.float32)
    total = 0
    worths: list[FloatArray] = []
    rows: list[tuple[NDArray[np.intp], NDArray[np.float32]]] = []
    for i, gray in enumerate(grays):
        fresh, worth = best_points(gray, active, now)
        worths.append(worth)
        alive = np.concatenate([alive, np.arange(total, total + len(fresh))])
        now = np.concatenate([now, fresh])
        total += len(fresh)
        rows.append((alive, now))
        if i + 1 == len(grays):
            break
        if not len(now):
            continue
        moved = _follow(gray, grays[i + 1], now, now)
        kept = ~np.isnan(moved[:, 0])
        alive, now = alive[kept], moved[kept]
    xy = np.full((total, len(grays), 2), np.nan, np.float32)
    for i, (ids, points) in enumerate(rows):
        xy[ids, i] = points
    return Tracks(xy, np.concatenate(worths), (width, height), active)
