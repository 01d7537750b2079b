"""Which motion layer is the scene: chosen for every window, linked over the shot.

The scene lies behind the objects: it covers more cells, reaches the borders and corners of the frame, is
spread wide, and keeps its tracks from window to window. An object may be large and rich in texture, but it is
one compact piece, mostly off the borders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .layers import FloatArray, Layer, Window, find_layers, open_window
from .tracks import Tracks

LINK = 1.0  # weight of shared tracks against the windows' own scores
BORDER = 0.22  # of the frame's half size: the rim that a scene reaches


@dataclass(frozen=True)
class Chain:
    """One layer for each window of a burst, and how well it looks like a scene (0-1) in each."""

    windows: tuple[Window, ...]
    layers: tuple[Layer, ...]
    scores: FloatArray


def layer_features(window: Window, layer: Layer, size: tuple[int, int]) -> FloatArray:
    """(4,) share of the votes, of the rim's votes, of the corners' votes, and relative spread; all 0-1."""
    half = complex(size[0] / 2, size[1] / 2)
    x, y = np.abs(window.z[0].real) / half.real, np.abs(window.z[0].imag) / half.imag
    votes, mine = window.votes, layer.member
    rim = np.maximum(x, y) > 1 - 2 * BORDER
    corner = np.minimum(x, y) > 0.5
    shares = [
        float(votes[mine & part].sum() / max(votes[part].sum(), 1e-9)) if part.any() else 0.0
        for part in (np.ones_like(rim), rim, corner)
    ]
    places = window.z[0][mine]
    weights = votes[mine]
    mean = (weights @ places) / max(weights.sum(), 1e-9)
    var_x = float(weights @ (places.real - mean.real) ** 2 / max(weights.sum(), 1e-9))
    var_y = float(weights @ (places.imag - mean.imag) ** 2 / max(weights.sum(), 1e-9))
    spread = np.sqrt(np.sqrt(var_x * var_y) / (size[0] * size[1] / 12))
    return np.array([*shares, min(1.0, spread)])


def scene_score(features: FloatArray) -> float:
    """0-1: how much a layer looks like the scene."""
    share, rim, corner, spread = features
    return float((0.4 * share + 0.4 * rim + 0.2 * corner) * spread)


def link(one: Window, a: Layer, two: Window, b: Layer) -> float:
    """0-1: share of the tracks common to two windows on which both layers agree."""
    common, at_one, at_two = np.intersect1d(one.ids, two.ids, assume_unique=True, return_indices=True)
    if not common.size:
        return 0.0
    in_a, in_b = a.member[at_one], b.member[at_two]
    both = np.count_nonzero(in_a & in_b)
    return both / max(1, min(np.count_nonzero(in_a), np.count_nonzero(in_b)))


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


def best_chain(
    windows: list[Window], options: list[list[Layer]], scores: list[FloatArray]
) -> tuple[list[int], float]:
    """Viterbi: the choice of one layer a window with the best sum of scores and links."""
    total = scores[0].copy()
    back: list[NDArray[np.intp]] = []
    for i in range(1, len(windows)):
        links = np.array(
            [[link(windows[i - 1], a, windows[i], b) for a in options[i - 1]] for b in options[i]]
        )
        through = total[None] + LINK * links
        back.append(np.argmax(through, axis=1))
        total = through.max(axis=1) + scores[i]
    choice = [int(np.argmax(total))]
    for pointer in reversed(back):
        choice.append(int(pointer[choice[-1]]))
    return choice[::-1], float(total.max())


def find_chains(tracks: Tracks, longest: int, seed: int = 0) -> list[Chain]:
    """The scene's chain, then its strongest rival (if any); empty where nothing can be followed."""
    rng = np.random.default_rng(seed)
    windows, options, scores = [], [], []
    for window in open_windows(tracks, longest):
        layers = find_layers(window, rng)
        if layers:
            windows.append(window)
            options.append(layers)
            scores.append(np.array([scene_score(layer_features(window, x, tracks.size)) for x in layers]))
    if not windows:
        return []
    chains = []
    choice, _ = best_chain(windows, options, scores)
    chains.append(_chain(windows, options, scores, choice))
    rest = [s.copy() for s in scores]
    for i, k in enumerate(choice):
        if len(rest[i]) > 1:
            rest[i][k] = -1.0
    if any(len(s) > 1 for s in scores):
        chains.append(_chain(windows, options, scores, best_chain(windows, options, rest)[0]))
    return chains


def _chain(
    windows: list[Window], options: list[list[Layer]], scores: list[FloatArray], choice: list[int]
) -> Chain:
    return Chain(
        tuple(windows),
        tuple(o[k] for o, k in zip(options, choice, strict=True)),
        np.array([s[k] for s, k in zip(scores, choice, strict=True)]),
    )
