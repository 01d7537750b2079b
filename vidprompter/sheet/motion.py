"""How things move relative to the scene, and how much goes on at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.camera import PairFits, residual_motion
from vidprompter.sheet.types import CameraMotion, ObjectMotion, Pace
from vidprompter.sheet.views import Box

WINDOW = 0.6  # seconds before and after a sighting
STILL = 0.025  # frames per second; feature tracking alone gives about 0.005
GOING = 0.035  # net speed that has a direction
MIN_STEADY = 5  # boxes of one shot that show a steady approach
GROWING = 0.055  # relative growth per second; a swinging arm gives up to 0.05


@dataclass(frozen=True)
class ObjectMove:
    """Word and confidence."""

    word: ObjectMotion
    confidence: float


def measure_move(
    fits: Sequence[PairFits], seen: Sequence[tuple[float, Box]], *, free: bool = True
) -> ObjectMove:
    """The motion of a thing seen at (seconds, box), with the camera's motion taken out.

    fits: one per shot. free: whether the thing may rise and sink (people walk).
    Unknown where hardly any points were followed on the thing.
    """
    nets, stirs = [], []
    for time, box in seen:
        for fit in fits:
            if not len(fit) or not (fit.times[0, 0] <= time <= fit.times[-1, 1]):
                continue
            net = residual_motion(fit, np.array([box, box]), np.array([time - WINDOW, time + WINDOW]))
            stir = _stir(fit, box, time)
            if net is not None and stir is not None:
                nets.append(net)
                stirs.append(stir)
    if not nets:
        return ObjectMove("unknown", 0.0)
    dx, dy, scale = np.median(np.array(nets), axis=0).tolist()
    return _name(dx, dy, scale, float(np.median(stirs)), np.array(nets), free)


def measure_approach(fits: Sequence[PairFits], seen: Sequence[tuple[float, Box]]) -> ObjectMove | None:
    """Toward or away, from boxes that grow or shrink steadily over a shot; None where they do not.

    Points inside the box say this badly of what walks; the box says it over seconds. The camera's own zoom is
    taken out. Boxes that touch the frame's edge are cut and do not count.
    """
    for fit in fits:
        if not len(fit):
            continue
        first, last = float(fit.times[0, 0]), float(fit.times[-1, 1])
        whole = [(t, b) for t, b in seen if first <= t <= last and min(b) > 0.01 and max(b[2:]) < 0.99]
        times = np.array([t for t, _ in whole])
        if len(whole) < MIN_STEADY or len(set(times.tolist())) < len(whole):
            continue  # too few, or several things at once
        heights = np.log([max(b[3] - b[1], 1e-3) for _, b in whole])
        agree = float(np.corrcoef(times, heights)[0, 1]) if heights.std() > 1e-6 else 0.0
        seconds = fit.times[:, 1] - fit.times[:, 0]
        known = ~np.isnan(fit.scene.log_scale)
        zoom = float(fit.scene.log_scale[known].sum() / seconds[known].sum()) if known.any() else 0.0
        rate = float(np.polyfit(times, heights, 1)[0]) - zoom
        if abs(rate) >= GROWING and abs(agree) >= 0.8 and np.sign(agree) == np.sign(rate):
            word: ObjectMotion = "toward the camera" if rate > 0 else "away from the camera"
            return ObjectMove(word, round(min(0.95, 0.3 + 0.5 * abs(agree) + abs(rate)), 3))
    return None


def _name(
    dx: float, dy: float, scale: float, stir: float, nets: NDArray[np.float64], free: bool
) -> ObjectMove:
    sizes = {"x": abs(dx) / GOING, "y": abs(dy) / (1.4 * GOING), "z": abs(scale) / GROWING}
    axis = max(sizes, key=lambda k: sizes[k])
    if sizes[axis] < 1:
        sure = 0.5 + 0.5 * abs(stir - STILL) / (stir + STILL)
        return ObjectMove("moving" if stir > STILL else "still", round(sure, 3))
    number, value = {"x": (0, dx), "y": (1, dy), "z": (2, scale)}[axis]
    agree = float(np.mean(np.sign(nets[:, number]) == np.sign(value)))
    if agree < (0.8 if axis == "z" else 0.7):
        return ObjectMove("moving", 0.6)
    words: dict[str, tuple[ObjectMotion, ObjectMotion]] = {
        "x": ("moving left", "moving right"),
        "y": ("moving up", "moving down"),
        "z": ("away from the camera", "toward the camera"),
    }
    confidence = min(0.95, 0.35 + 0.15 * sizes[axis]) * (0.4 + 0.6 * agree)
    word = words[axis][int(value > 0)]
    # few things rise or sink: what looks so is a body that bends, or a walk toward the camera or away
    if axis == "y" and not (free and confidence > 0.75):
        return ObjectMove("moving", round(confidence, 3))
    return ObjectMove(word, round(confidence, 3))


def _stir(fit: PairFits, box: Box, time: float) -> float | None:
    """80th percentile of the points' own speed in a box around a moment, frames per second."""
    speeds = []
    for i, points in enumerate(fit.tracks):
        if abs(fit.times[i].mean() - time) > WINDOW or np.isnan(fit.matrices[i, 0, 0]):
            continue
        x0, y0, x1, y1 = box
        start = points.start
        within = (start[:, 0] > x0) & (start[:, 0] < x1) & (start[:, 1] > y0) & (start[:, 1] < y1)
        if within.sum() < 4:
            continue
        matrix = fit.matrices[i]
        expected = start[within] @ matrix[:, :2].T + matrix[:, 2]
        own = np.linalg.norm(points.end[within] - expected, axis=1)
        speeds.append(float(np.percentile(own, 80)) / float(fit.times[i, 1] - fit.times[i, 0]))
    return float(np.median(speeds)) if speeds else None


def activity(fits: Sequence[PairFits]) -> float | None:
    """Mean own speed of all points after the camera's motion, frames per second; None without any."""
    values, weights = [], []
    for fit in fits:
        for i, points in enumerate(fit.tracks):
            if not len(points.start) or np.isnan(fit.matrices[i, 0, 0]):
                continue
            matrix = fit.matrices[i]
            own = points.end - (points.start @ matrix[:, :2].T + matrix[:, 2])
            seconds = float(fit.times[i, 1] - fit.times[i, 0])
            # the mean of the faster tenth: one walker in a still room is action, too
            speeds = np.sort(np.linalg.norm(own, axis=1))[-max(1, len(own) // 10) :] / seconds
            values.append(float(np.median(speeds)))
            weights.append(seconds)
    return float(np.average(values, weights=weights)) if values else None


def measure_pace(
    fits: Sequence[PairFits], cameras: Sequence[CameraMotion], *, cuts: int, duration: float
) -> Pace:
    """Still, slow, moderate or fast, from what moves, how fast the camera goes and how often it cuts."""
    own = activity(fits)
    if own is None:
        return "unknown"
    speeds = [c.speed for c in cameras if c.motion not in ("unknown", "static")]
    score = own + 0.6 * (float(np.mean(speeds)) if speeds else 0.0)
    if duration > 0:
        score += 0.6 * cuts / duration
    if score < 0.02:
        return "still"
    return "slow" if score < 0.12 else "moderate" if score < 0.4 else "fast"
