"""Which motion layer is the scene: chosen for every window, linked over the shot.

The scene lies behind the objects: it covers more cells, reaches the borders and corners of the frame, is
spread wide, and keeps its tracks from window to window. An object may be large and rich in texture, but it is
one compact piece, mostly off the borders.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .layers import VOTE_CELL, BoolArray, ComplexArray, FloatArray, Layer, Window, find_layers, open_window
from .tracks import Tracks

LINK = 3.0  # price in log-probability of a chain without common tracks
LINKED = 0.7  # share of common tracks on which two layers must agree to be one
FLOOR = -4.0  # no single window may rule a layer out
NEIGHBOUR = 50.0  # pixels within which a point of a layer needs two more
SIDE = 0.7  # of the half size; beyond it lies a side of the frame
BORDER = 0.22  # of the frame's half size: the rim that a scene reaches

# learnt by softmax regression on rendered clips: share, rim, spread, sides held, sides touched, around, inside
WEIGHTS = np.array([-4.5, 2.3, 2.4, 3.2, 1.7, 0.6, -0.8])
NO_SCENE = 0.8  # score of a window in which only objects are seen
NO_SCENE_PRICE = 0.5


@dataclass(frozen=True)
class Chain:
    """One layer for each window of a burst (None: no scene seen), how probable (0-1) each choice is,
    and how much of the frame speaks for it: votes per cell of the whole frame, 0-1.
    """

    windows: tuple[Window, ...]
    layers: tuple[Layer | None, ...]
    scores: FloatArray
    support: FloatArray


def hull_holds(corners: ComplexArray, points: ComplexArray) -> BoolArray:
    """(N,) bool: which points lie inside the convex hull of the corners that are not alone."""
    near = (np.abs(corners[:, None] - corners[None]) < NEIGHBOUR).sum(axis=1) - 1
    kept = corners[near >= 2]
    if len(kept) < 3:
        return np.zeros(len(points), np.bool_)
    shape = cv2.convexHull(np.stack([kept.real, kept.imag], axis=1).astype(np.float32))
    hull = np.asarray(shape, dtype=np.float64)[:, 0] @ np.array([1, 1j])
    edges = np.roll(hull, -1) - hull
    side = (edges.conj()[:, None] * (points[None] - hull[:, None])).imag
    return np.asarray((side >= -1e-6).all(axis=0) | (side <= 1e-6).all(axis=0))


def layer_features(window: Window, layers: list[Layer], which: int, size: tuple[int, int]) -> FloatArray:
    """(7,) of one layer, all 0-1, in the order of `WEIGHTS`.

    Share of all votes and of the rim's; spread against that of a full frame; how far it holds each side of
    the frame, and how many sides it touches; share of the other layers that lies within its hull, and share
    of its own that lies within the hull of its largest rival.
    """
    z, votes, mine = window.z[0], window.votes, layers[which].member
    x, y = z.real / (size[0] / 2), z.imag / (size[1] / 2)
    rim = np.maximum(np.abs(x), np.abs(y)) > 1 - 2 * BORDER
    share, rim_share = _share(votes, mine, np.ones_like(rim)), _share(votes, mine, rim)
    sides = [s for s in (x < -SIDE, x > SIDE, y < -SIDE, y > SIDE) if s.any()]
    held = np.array([_share(votes, mine, s) for s in sides]) if sides else np.zeros(1)
    spread = _spread(x[mine], y[mine], votes[mine])
    others = [layer.member for i, layer in enumerate(layers) if i != which]
    around, inside = 0.0, 0.0
    if others and mine.any():
        rest = np.any(others, axis=0)
        rival = max(others, key=lambda m: float(votes[m].sum()))
        around = float(votes[rest] @ hull_holds(z[mine], z[rest]) / max(votes[rest].sum(), 1e-9))
        inside = float(votes[mine] @ hull_holds(z[rival], z[mine]) / max(votes[mine].sum(), 1e-9))
    return np.array(
        [share, rim_share, spread, np.minimum(1, held / 0.5).mean(), (held > 0.25).mean(), around, inside]
    )


def _share(votes: FloatArray, mine: BoolArray, part: BoolArray) -> float:
    return float(votes[mine & part].sum() / max(votes[part].sum(), 1e-9)) if part.any() else 0.0


def _spread(x: FloatArray, y: FloatArray, weights: FloatArray) -> float:
    """0-1: geometric mean of the deviations in x and y, 1 for a frame evenly filled (both run -1 to 1)."""
    total = max(float(weights.sum()), 1e-9)
    var_x = float(weights @ (x - weights @ x / total) ** 2) / total
    var_y = float(weights @ (y - weights @ y / total) ** 2) / total
    return min(1.0, float(np.sqrt(3 * np.sqrt(var_x * var_y))))


def scene_logits(window: Window, layers: list[Layer], size: tuple[int, int]) -> FloatArray:
    """(K + 1,) log-probabilities that each of a window's layers is the scene; the last one that none is."""
    raw = [float(layer_features(window, layers, k, size) @ WEIGHTS) for k in range(len(layers))]
    scores = np.array([*raw, NO_SCENE])
    scores = scores - scores.max()
    return np.asarray(np.maximum(scores - np.log(np.exp(scores).sum()), FLOOR))


def link(one: Window, a: Layer, two: Window, b: Layer) -> float:
    """0-1: share of the tracks common to two windows on which both layers agree."""
    common, at_one, at_two = np.intersect1d(one.ids, two.ids, assume_unique=True, return_indices=True)
    if not common.size:
        return 0.0
    in_a, in_b = a.member[at_one], b.member[at_two]
    both = np.count_nonzero(in_a & in_b)
    return float(both) / max(1.0, float(min(in_a.sum(), in_b.sum())))


def open_windows(tracks: Tracks, longest: int) -> list[Window]:
    """Half-overlapping windows over the burst."""
    last = tracks.xy.shape[1] - 1
    out: list[Window] = []
    start = 0
    while start < last:
        window = open_window(tracks, start, longest, last)
        if window is None:
            start += 1
            continue
        out.append(window)
        if window.end == last:
            break
        start += max(1, (window.end - window.start + 1) // 2)
    return out


def link_price(one: Window, a: Layer | None, two: Window, b: Layer | None) -> float:
    """What it costs, in log-probability, to go from a layer to another in the next window."""
    if a is None or b is None:
        return 0.0 if a is b else NO_SCENE_PRICE
    return LINK * (1.0 - min(1.0, link(one, a, two, b) / LINKED))


def best_chain(
    windows: list[Window], options: list[list[Layer | None]], scores: list[FloatArray]
) -> list[int]:
    """The choice of one option a window with the best sum of scores and links (Viterbi, 1967)."""
    total = scores[0].copy()
    back: list[NDArray[np.intp]] = []
    for i in range(1, len(windows)):
        before, here = windows[i - 1], windows[i]
        prices = np.array([[link_price(before, a, here, b) for a in options[i - 1]] for b in options[i]])
        through = total[None] - prices
        back.append(np.argmax(through, axis=1))
        total = through.max(axis=1) + scores[i]
    choice = [int(np.argmax(total))]
    for pointer in reversed(back):
        choice.append(int(pointer[choice[-1]]))
    return choice[::-1]


def find_scene(tracks: Tracks, longest: int, seed: int = 0) -> Chain | None:
    """The chain of layers that is the scene; None where nothing can be followed.

    longest: steps of the longest window. seed: of the drawn samples; the same seed gives the same chain.
    """
    rng = np.random.default_rng(seed)
    windows: list[Window] = []
    options: list[list[Layer | None]] = []
    scores: list[FloatArray] = []
    for window in open_windows(tracks, longest):
        layers = find_layers(window, rng)
        if layers:
            windows.append(window)
            options.append([*layers, None])
            scores.append(scene_logits(window, layers, tracks.size))
    if not windows:
        return None
    choice = best_chain(windows, options, scores)
    chosen = tuple(o[k] for o, k in zip(options, choice, strict=True))
    votes = [
        0.0 if layer is None else float(window.votes[layer.member].sum())
        for window, layer in zip(windows, chosen, strict=True)
    ]
    cells = tracks.size[0] * tracks.size[1] / VOTE_CELL**2
    return Chain(
        tuple(windows),
        chosen,
        np.exp([s[k] for s, k in zip(scores, choice, strict=True)]),
        np.minimum(1.0, np.array(votes) / cells),
    )
