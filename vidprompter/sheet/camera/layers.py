"""Motion layers: which tracks of a short window move as one picture, and how.

A frame with a moving object holds two pictures that move differently. Instead of one robust fit, where the
object wins if it has more points, up to `MAX_LAYERS` similarity motions are found one after the other; which
of them is the scene is decided later (background.py). Points are compared over up to a second, so that a
slow object and a slow camera come apart. Points are complex numbers, x + iy in pixels from the middle of the
frame: a similarity is then z -> a z + b.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tracks import Tracks

MAX_LAYERS = 4
SAMPLES = 220
VOTE_CELL = 40  # pixels; every cell of the picture has one vote, however many points it holds
TOLERANCE = 0.6  # pixels
TOLERANCE_SLOPE = 0.03  # of the distance moved: lens, parallax and drift of the tracker grow with it
MIN_TRACKS = 8
KEEP_SHARE = 0.6  # a window is cut short when fewer of its tracks live to its end

ComplexArray = NDArray[np.complex128]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """The tracks that live from frame `start` to `end`, and their votes.

    ids: (N,) rows of `Tracks.xy`. z: (3, N) places at the start, in the middle and at the end.
    votes: (N,) weights; those of one cell add up to one at most.
    """

    start: int
    end: int
    ids: NDArray[np.intp]
    z: ComplexArray
    votes: FloatArray


@dataclass(frozen=True)
class Layer:
    """Tracks of a window that move alike.

    member: (N,) bool over the window's tracks. a, b: similarity from the window's start to its end.
    """

    member: BoolArray
    a: complex
    b: complex


def to_complex(tracks: Tracks, ids: NDArray[np.intp], frame: int) -> ComplexArray:
    """(N,) places of the tracks at a frame, in pixels from the middle of the frame."""
    xy = tracks.xy[ids, frame].astype(np.float64)
    width, height = tracks.size
    return np.asarray(xy[:, 0] - width / 2 + 1j * (xy[:, 1] - height / 2))


def cell_votes(z: ComplexArray, worth: FloatArray, size: tuple[int, int]) -> FloatArray:
    """(N,) weights that share one vote between the points of each cell, less where all of them are weak."""
    col = np.floor((z.real + size[0] / 2) / VOTE_CELL).astype(int)
    row = np.floor((z.imag + size[1] / 2) / VOTE_CELL).astype(int)
    _, where = np.unique(row * 1000 + col, return_inverse=True)
    total = np.bincount(where, worth)
    best = np.zeros_like(total)
    np.maximum.at(best, where, worth)
    return np.asarray(worth * (best / np.maximum(total, 1e-12))[where])


def open_window(tracks: Tracks, start: int, longest: int, last: int) -> Window | None:
    """The longest window from `start` on (at most `longest` steps) that keeps enough of its tracks."""
    here = int((~np.isnan(tracks.xy[:, start, 0])).sum())
    end = min(start + longest, last)
    while end > start:
        ids = tracks.alive(start, end)
        if len(ids) >= max(MIN_TRACKS, KEEP_SHARE * here) or (end == start + 1 and len(ids) >= MIN_TRACKS):
            frames = (start, (start + end + 1) // 2, end)
            z = np.stack([to_complex(tracks, ids, f) for f in frames])
            return Window(start, end, ids, z, cell_votes(z[0], tracks.worth[ids], tracks.size))
        end -= 1
    return None


def fit_similarity(
    source: ComplexArray, target: ComplexArray, weights: FloatArray
) -> tuple[complex, complex]:
    """(a, b) of the weighted least-squares similarity target = a source + b."""
    total = weights.sum()
    mean_s, mean_t = (weights @ source) / total, (weights @ target) / total
    s, t = source - mean_s, target - mean_t
    spread = float((weights * np.abs(s) ** 2).sum())
    if spread < 1e-9:
        return 1.0 + 0j, complex(mean_t - mean_s)
    a = complex((weights * t * s.conj()).sum() / spread)
    return a, complex(mean_t - a * mean_s)


def tolerances(window: Window) -> FloatArray:
    """(N,) pixels by which a member may miss its layer's motion."""
    return np.asarray(TOLERANCE + TOLERANCE_SLOPE * np.abs(window.z[2] - window.z[0]))


def misses(window: Window, a: ComplexArray, b: ComplexArray) -> FloatArray:
    """(K, N) misses of K motions in units of the tolerance; a and b are (K, 2), for middle and end."""
    limit = tolerances(window)
    middle = np.abs(a[:, :1] * window.z[0] + b[:, :1] - window.z[1])
    end = np.abs(a[:, 1:] * window.z[0] + b[:, 1:] - window.z[2])
    return np.asarray(np.maximum(middle, end) / limit)


def sample_motions(window: Window, rng: np.random.Generator) -> tuple[ComplexArray, ComplexArray]:
    """(K, 2) arrays a and b of motions through two tracks: near ones, far ones, and no motion at all."""
    count = len(window.ids)
    one = rng.integers(0, count, SAMPLES)
    other = rng.integers(0, count, SAMPLES)
    gaps = np.abs(window.z[0][:, None] - window.z[0][one[: SAMPLES // 2]][None])
    gaps[gaps < 15] = np.inf
    # half of the pairs are neighbours: two near points are more often of one layer
    near = np.argsort(gaps, axis=0)[:12]
    other[: SAMPLES // 2] = near[rng.integers(0, min(12, len(near)), SAMPLES // 2), np.arange(SAMPLES // 2)]
    base = window.z[0][other] - window.z[0][one]
    good = np.abs(base) > 10
    one, other, base = one[good], other[good], base[good]
    a = np.stack([(z[other] - z[one]) / base for z in window.z[1:]], axis=1)
    b = np.stack([z[one] - a[:, i] * window.z[0][one] for i, z in enumerate(window.z[1:])], axis=1)
    sane = (np.abs(np.abs(a[:, 1]) - 1) < 0.5) & (np.abs(np.angle(a[:, 1])) < 0.6)
    still = np.ones((1, 2), complex), np.zeros((1, 2), complex)
    return np.concatenate([still[0], a[sane]]), np.concatenate([still[1], b[sane]])


def refine(
    window: Window, miss: FloatArray, free: FloatArray
) -> tuple[ComplexArray, ComplexArray, FloatArray]:
    """Motion and misses after a few rounds of reweighted least squares on the layer's own tracks."""
    a, b = np.ones(2, complex), np.zeros(2, complex)
    for _ in range(4):
        weights = free * np.clip(1 - miss**2, 0, 1)
        if np.count_nonzero(weights) < 3:
            break
        fits = [fit_similarity(window.z[0], z, weights) for z in window.z[1:]]
        a, b = np.array([f[0] for f in fits]), np.array([f[1] for f in fits])
        miss = misses(window, a[None], b[None])[0]
    return a, b, miss


def find_layers(window: Window, rng: np.random.Generator) -> list[Layer]:
    """Up to `MAX_LAYERS` motions of the window, the one with most votes first."""
    pool_a, pool_b = sample_motions(window, rng)
    pool = np.clip(1 - misses(window, pool_a, pool_b) ** 2, 0, 1)
    free = window.votes.copy()
    total = float(free.sum())
    found: list[tuple[ComplexArray, ComplexArray, FloatArray]] = []
    while len(found) < MAX_LAYERS:
        scores = pool @ free
        best = int(np.argmax(scores))
        if scores[best] < 0.02 * total:
            break
        miss = misses(window, pool_a[best : best + 1], pool_b[best : best + 1])[0]
        a, b, miss = refine(window, miss, free)
        mine = (miss < 1) & (free > 0)
        if mine.sum() < 5:
            break
        same = any(float(np.median(other[2][mine])) < 1.5 for other in found)
        if not same:
            found.append((a, b, miss))
        free = np.where(miss < 1.5, 0.0, free)
    if not found:
        return []
    every = np.stack([f[2] for f in found])
    nearest = np.argmin(every, axis=0)
    return [
        Layer((miss < 1) & (nearest == k), complex(a[1]), complex(b[1]))
        for k, (a, b, miss) in enumerate(found)
    ]
