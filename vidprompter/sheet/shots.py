"""Shot boundaries: where a clip cuts, from its dense low-resolution frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.bars import blank_frames
from vidprompter.sheet.colors import to_lab

MIN_SHOT_SECONDS = 0.5
MIN_SCORE = 14.0  # PySceneDetect's content value; 27 is its own threshold at full frame rate
LOST = 0.06  # share of points found again; real cuts gave 0.00-0.04, fast motion 0.1 and more
SAME_LAYOUT = 0.92  # correlation of coarse pictures
GAP_LAYOUT = 0.6  # the same where the sampling leaves a gap, in which much can move
SMALL_STEP, BIG_STEP = 8.0, 30.0  # mean change of the coarse picture, 0-255: never a cut, maybe one
OTHER_COLORS = 0.3  # histogram overlap
GRID = 8


@dataclass(frozen=True)
class Stretch:
    """Frames first..last (inclusive) of one shot; start and end in seconds of the file."""

    first: int
    last: int
    start: float
    end: float

    def __len__(self) -> int:
        return self.last - self.first + 1


def find_shots(
    frames: NDArray[np.uint8], timestamps: NDArray[np.float64], *, start: float, end: float
) -> list[Stretch]:
    """The shots of a clip in order; black frames belong to none.

    frames: (T, H, W, 3) uint8 sRGB without bars, about 8 a second; timestamps: (T,) seconds;
    start, end: seconds of the file that the clip covers. There is always at least one shot.
    """
    blank = blank_frames(frames)
    cuts = _cuts(frames, timestamps)
    edges = np.zeros(len(frames), np.bool_)
    edges[0] = True
    edges[cuts] = True
    edges[1:] |= blank[1:] != blank[:-1]
    firsts = np.flatnonzero(edges).tolist()
    stretches = []
    for first, after in zip(firsts, [*firsts[1:], len(frames)], strict=True):
        if blank[first]:
            continue
        begin = start if first == 0 else float(timestamps[first])
        finish = end if after == len(frames) else float(timestamps[after])
        stretches.append(Stretch(first, after - 1, round(begin, 3), round(finish, 3)))
    return _merge_short(stretches)


def _merge_short(stretches: list[Stretch]) -> list[Stretch]:
    """Shots shorter than the least go to the neighbour they touch: the one before if there is one."""
    out: list[Stretch] = []
    for one in stretches:
        short = one.end - one.start < MIN_SHOT_SECONDS
        before = out[-1] if out else None
        touches = before is not None and before.last + 1 == one.first
        if before is not None and touches and (short or before.end - before.start < MIN_SHOT_SECONDS):
            out[-1] = Stretch(before.first, one.last, before.start, one.end)
        else:
            out.append(one)
    kept = [s for s in out if s.end - s.start >= MIN_SHOT_SECONDS]
    return kept or out


def _cuts(frames: NDArray[np.uint8], timestamps: NDArray[np.float64]) -> list[int]:
    """Numbers of the frames that open a new shot, the first frame left out."""
    if len(frames) < 2:
        return []
    scores = _content_scores(frames)
    steps = np.diff(timestamps)
    gaps = np.concatenate([[False], steps > 2 * float(np.median(steps))])
    layouts = _layouts(frames)
    lost = np.zeros(len(frames), np.bool_)
    for i in np.flatnonzero(scores >= MIN_SCORE).tolist():
        alike = _correlation(layouts[i - 1], layouts[i])
        step = _step(layouts, i - 1, i)
        changed = step > SMALL_STEP and (alike < (GAP_LAYOUT if gaps[i] else SAME_LAYOUT) or step > BIG_STEP)
        lost[i] = changed and followed(frames[i - 1], frames[i]) < (0.03 if gaps[i] else LOST)
    return [i for i in _peaks(lost, scores) if not _returns(layouts, i) and _is_cut(frames, lost, i)]


def _peaks(lost: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[int]:
    """The strongest frame of each run of frames in which nothing was found again."""
    peaks = []
    i = 0
    while i < len(lost):
        if not lost[i]:
            i += 1
            continue
        last = i
        while last + 1 < len(lost) and lost[last + 1]:
            last += 1
        peaks.append(i + int(np.argmax(scores[i : last + 1])))
        i = last + 1
    return peaks


def _is_cut(frames: NDArray[np.uint8], lost: NDArray[np.bool_], i: int) -> bool:
    """A lone loss is a cut; a run of losses is fast motion, unless the colours are others afterwards."""
    alone = not lost[i - 1] and (i + 1 >= len(lost) or not lost[i + 1])
    return alone or color_overlap(frames[max(0, i - 3)], frames[min(len(frames) - 1, i + 2)]) < OTHER_COLORS


def _returns(layouts: NDArray[np.float32], i: int) -> bool:
    """Whether the picture of before comes back within three frames: a flash, or a torn frame."""
    for later in range(i + 1, min(i + 4, len(layouts))):
        for before in (i - 1, i - 2):
            if before < 0 or _step(layouts, before, later) > 14:
                continue
            if _correlation(layouts[before], layouts[later]) > 0.93:
                return True
    return False


def _content_scores(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(T,) mean change, 0-255, of hue, saturation and brightness from the frame before; the first is 0.

    PySceneDetect's content value (`ContentDetector` with its default weights), without the edges that the
    library finds for its statistics as well.
    """
    import cv2

    scores = np.zeros(len(frames))
    before = None
    for i, frame in enumerate(frames):
        hsv = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2HSV)
        if before is not None:
            scores[i] = cv2.norm(before, hsv, cv2.NORM_L1) / hsv.size
        before = hsv
    return scores


def _layouts(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(T, GRID * GRID * 3) coarse picture of each frame, which motion inside a shot changes little."""
    import cv2

    cells = [cv2.resize(f, (GRID, GRID), interpolation=cv2.INTER_AREA).reshape(-1) for f in frames]
    return np.asarray(cells, np.float32)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / norm if norm > 1e-6 else float(np.allclose(a, b, atol=8))


def _step(layouts: NDArray[np.float32], i: int, j: int) -> float:
    return float(np.abs(layouts[i] - layouts[j]).mean())


def color_overlap(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    """Intersection, 0-1, of the CIELAB histograms of two frames (H, W, 3) uint8 sRGB."""
    histograms = []
    for frame in (one, two):
        lab = to_lab(np.ascontiguousarray(frame[::3, ::3])).reshape(-1, 3)
        cells, _ = np.histogramdd(lab, bins=(8, 8, 8), range=((0, 100), (-60, 60), (-60, 60)))
        histograms.append(cells / max(cells.sum(), 1.0))
    return float(np.minimum(*histograms).sum())


def followed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Share, 0-1, of the corner points of one frame (H, W, 3) uint8 that are found again in another.

    Motion carries points along, however fast the layout changes; a cut loses all of them.
    """
    import cv2

    one, two = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
    points = cv2.goodFeaturesToTrack(one, 200, 0.01, 5)
    if points is None or len(points) < 8:
        return 0.0
    there, found, _ = cv2.calcOpticalFlowPyrLK(one, two, points, None, winSize=(15, 15), maxLevel=4)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(two, one, there, None, winSize=(15, 15), maxLevel=4)
    missed = np.linalg.norm((points - back)[:, 0], axis=1)
    same = (found.ravel() == 1) & (returned.ravel() == 1) & (missed < 1.0)
    if not same.any():
        return 0.0
    alike = _patches_alike(one, two, points[same, 0], there[same, 0])
    return float(alike.sum()) / len(points)


def _patches_alike(
    one: NDArray[np.uint8], two: NDArray[np.uint8], here: NDArray[np.float32], there: NDArray[np.float32]
) -> NDArray[np.bool_]:
    import cv2

    alike = np.zeros(len(here), np.bool_)
    for i, (a, b) in enumerate(zip(here.tolist(), there.tolist(), strict=True)):
        p = cv2.getRectSubPix(one, (13, 13), a).astype(np.float32).ravel()
        q = cv2.getRectSubPix(two, (13, 13), b).astype(np.float32).ravel()
        alike[i] = _correlation(p, q) > 0.8
    return alike
