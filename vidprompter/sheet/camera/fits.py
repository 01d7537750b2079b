"""Motion of the scene between consecutive frames: `fit_pairs`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprompter.errors import InputError

from .background import Chain, find_scene
from .layers import FloatArray, fit_similarity, to_complex
from .tracks import Tracks, follow_points, gray_small

WINDOW_SECONDS = 1.0
MAX_WINDOW = 12  # steps
LONGEST_BURST = 120  # steps that are followed in one piece: bounds the memory of a long shot


@dataclass(frozen=True)
class PairTracks:
    """Points followed from one frame to the next.

    start, end: (K, 2) places in fractions of the frame. scene: (K,) bool, True where the point moves with
    the scene.
    """

    start: FloatArray
    end: FloatArray
    scene: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneMotion:
    """Motion of one layer over the P pairs of a clip, NaN where it could not be followed.

    shift: (P, 2) displacement of the frame's middle, in fractions of width and height.
    log_scale: (P,) natural logarithm of the growth of the picture. turn: (P,) radians, clockwise on screen.
    score: (P,) how probable it is that the layer is the scene, 0-1. support: (P,) how much of the frame
    speaks for it, 0-1; a few weak points are little support.
    """

    shift: FloatArray
    log_scale: FloatArray
    turn: FloatArray
    score: FloatArray
    support: FloatArray


@dataclass(frozen=True)
class PairFits:
    """Scene motion of every pair of consecutive frames; P = frames - 1.

    times: (P, 2) seconds of the two frames. matrices: (P, 2, 3) affine maps of points in fractions of the
    frame (x, y in 0-1) from the first frame to the second, NaN where there is no fit (a gap in time, nothing
    to follow). inliers: (P,) share 0-1 of the points that move with the scene. tracks: the points of each
    pair. scene: the same motion as numbers. size: (width, height) in pixels of the compared pictures.
    """

    times: FloatArray
    matrices: FloatArray
    inliers: FloatArray
    tracks: tuple[PairTracks, ...]
    scene: SceneMotion
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.tracks)


def split_bursts(timestamps: FloatArray) -> list[tuple[int, int]]:
    """[first, last] frame numbers of stretches without gaps longer than twice the median step."""
    steps = np.diff(timestamps)
    if not steps.size:
        return [(0, 0)] if timestamps.size else []
    cuts = np.flatnonzero(steps > 2.0 * float(np.median(steps)))
    firsts = [0, *(cuts + 1).tolist()]
    lasts = [*cuts.tolist(), len(timestamps) - 1]
    return list(zip(firsts, lasts, strict=True))


def chunk_bursts(bursts: list[tuple[int, int]], longest: int = LONGEST_BURST) -> list[tuple[int, int]]:
    """The bursts cut into stretches of at most `longest` steps; stretches of a burst share a frame."""
    return [
        (start, min(start + longest, last))
        for first, last in bursts
        for start in range(first, max(last, first + 1), longest)
    ]


def check_input(frames: NDArray[np.uint8], timestamps: FloatArray) -> None:
    """None; raises InputError where frames and timestamps do not go together."""
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise InputError(
            f"camera motion needs frames (T, H, W, 3) uint8, got {frames.shape} {frames.dtype}; "
            "pass Clip.frames"
        )
    if timestamps.shape != frames.shape[:1]:
        raise InputError(
            f"camera motion got {frames.shape[0]} frames and {timestamps.size} timestamps; pass one each"
        )
    if timestamps.size > 1 and not bool((np.diff(timestamps) > 0).all()):
        raise InputError("timestamps must increase strictly; sort the frames by presentation time")


def _members(chain: Chain, pairs: int) -> list[NDArray[np.intp]]:
    """Track ids of the chain's layer for each pair of the burst."""
    ids: list[list[NDArray[np.intp]]] = [[] for _ in range(pairs)]
    for window, layer in zip(chain.windows, chain.layers, strict=True):
        if layer is None:
            continue
        for pair in range(window.start, window.end):
            ids[pair].append(window.ids[layer.member])
    return [np.unique(np.concatenate(i)) if i else np.zeros(0, np.intp) for i in ids]


def _pair_means(chain: Chain, values: FloatArray, pairs: int) -> FloatArray:
    """(P,) mean of the windows' values over the windows that cover a pair, 0 where no scene was seen."""
    total, count = np.zeros(pairs), np.zeros(pairs)
    for window, layer, value in zip(chain.windows, chain.layers, values, strict=True):
        total[window.start : window.end] += value if layer is not None else 0.0
        count[window.start : window.end] += 1
    return np.asarray(total / np.maximum(count, 1))


def robust_pair(tracks: Tracks, ids: NDArray[np.intp], pair: int) -> tuple[complex, complex] | None:
    """(a, b) of the similarity of the given tracks from frame `pair` to the next, in pixels."""
    alive = ids[~np.isnan(tracks.xy[ids, pair, 0]) & ~np.isnan(tracks.xy[ids, pair + 1, 0])]
    if len(alive) < 5:
        return None
    source, target = to_complex(tracks, alive, pair), to_complex(tracks, alive, pair + 1)
    weights = np.ones(len(alive))
    a, b = 1 + 0j, 0j
    for _ in range(4):
        a, b = fit_similarity(source, target, weights)
        miss = np.abs(a * source + b - target)
        scale = max(0.1, 2.5 * float(np.median(miss)))
        weights = np.clip(1 - (miss / scale) ** 2, 0, 1) ** 2 + 1e-9
    return a, b


def _motion(tracks: Tracks, chain: Chain, pairs: int) -> tuple[SceneMotion, list[NDArray[np.intp]]]:
    members = _members(chain, pairs)
    shift = np.full((pairs, 2), np.nan)
    scale, turn = np.full(pairs, np.nan), np.full(pairs, np.nan)
    for pair, ids in enumerate(members):
        fit = robust_pair(tracks, ids, pair)
        if fit is None:
            continue
        a, b = fit
        shift[pair] = b.real / tracks.size[0], b.imag / tracks.size[1]
        scale[pair], turn[pair] = np.log(abs(a)), np.angle(a)
    scores = _pair_means(chain, chain.scores, pairs)
    support = _pair_means(chain, chain.support, pairs)
    return SceneMotion(shift, scale, turn, scores, support), members


def _empty(pairs: int) -> SceneMotion:
    nan = np.full(pairs, np.nan)
    return SceneMotion(np.full((pairs, 2), np.nan), nan, nan.copy(), np.zeros(pairs), np.zeros(pairs))


def _matrices(motion: SceneMotion, size: tuple[int, int]) -> FloatArray:
    """(P, 2, 3) maps of fractions of the frame, from the motion about the frame's middle."""
    aspect = size[0] / size[1]
    grow = np.exp(motion.log_scale)
    cos, sin = grow * np.cos(motion.turn), grow * np.sin(motion.turn)
    out = np.full((len(grow), 2, 3), np.nan)
    out[:, 0, 0], out[:, 0, 1] = cos, -sin / aspect
    out[:, 1, 0], out[:, 1, 1] = sin * aspect, cos
    middle = np.array([0.5, 0.5])
    out[:, :, 2] = motion.shift + middle - out[:, :, :2] @ middle
    return out


def _pair_tracks(tracks: Tracks, pair: int, members: NDArray[np.intp]) -> PairTracks:
    ids = tracks.alive(pair, pair + 1)
    size = np.array(tracks.size, dtype=np.float64)
    start = tracks.xy[ids, pair].astype(np.float64) / size
    end = tracks.xy[ids, pair + 1].astype(np.float64) / size
    return PairTracks(start, end, np.isin(ids, members))


def _no_tracks() -> PairTracks:
    return PairTracks(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, np.bool_))


def _join(parts: list[SceneMotion]) -> SceneMotion:
    return SceneMotion(
        np.concatenate([p.shift for p in parts]),
        np.concatenate([p.log_scale for p in parts]),
        np.concatenate([p.turn for p in parts]),
        np.concatenate([p.score for p in parts]),
        np.concatenate([p.support for p in parts]),
    )


def fit_pairs(frames: NDArray[np.uint8], timestamps: NDArray[np.float64]) -> PairFits:
    """Scene motion between consecutive frames of one shot, and the points it was measured from.

    frames: (T, H, W, 3) uint8 sRGB; timestamps: (T,) seconds, strictly increasing. Steps longer than twice
    the median one are gaps: nothing is fitted across them. Raises InputError for other shapes.
    """
    timestamps = np.asarray(timestamps, dtype=np.float64)
    check_input(frames, timestamps)
    pairs = max(0, len(timestamps) - 1)
    grays = gray_small(frames) if len(frames) else []
    size = (grays[0].shape[1], grays[0].shape[0]) if grays else (1, 1)
    step = float(np.median(np.diff(timestamps))) if pairs else 1.0
    longest = int(np.clip(round(WINDOW_SECONDS / step), 1, MAX_WINDOW))
    motions: list[SceneMotion] = []
    points: list[PairTracks] = []
    previous = None
    for first, last in chunk_bursts(split_bursts(timestamps)):
        gap = previous is not None and first != previous
        previous = last
        if gap:
            motions.append(_empty(1))
            points.append(_no_tracks())
        count = last - first
        if not count:
            continue
        tracks = follow_points(grays[first : last + 1])
        chain = find_scene(tracks, longest)
        motion, members = _motion(tracks, chain, count) if chain else (_empty(count), [])
        motions.append(motion)
        none = np.zeros(0, np.intp)
        points += [_pair_tracks(tracks, p, members[p] if members else none) for p in range(count)]
    scene = _join(motions) if motions else _empty(0)
    inliers = np.array([float(p.scene.mean()) if len(p.scene) else 0.0 for p in points])
    return PairFits(
        times=np.stack([timestamps[:-1], timestamps[1:]], axis=1) if pairs else np.zeros((0, 2)),
        matrices=_matrices(scene, size),
        inliers=inliers,
        tracks=tuple(points),
        scene=scene,
        size=size,
    )
