"""From the motion of the scene to a word: static, pan, tilt, zoom, roll, handheld or unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidprompter.sheet.types import CameraMotion, Motion

from .fits import PairFits, SceneMotion
from .layers import BoolArray, FloatArray

STILL = 0.01  # fractions of the frame per second; below it the camera stands
STILL_ZOOM = 0.01  # relative growth per second
STILL_TURN = 0.018  # radians per second
CHUNK_SECONDS = 0.4
STEADY = 0.6  # net over travelled way, from which a motion is not just shaking
WILD = 2.0
LED = 3.5  # a random walk leads this far once in some thousand times
SURE_SCORE = (0.3, 0.75)  # probability that the followed layer is the scene: hardly, surely
SURE_SUPPORT = (0.03, 0.10)  # of the frame's cells that speak for it
UNKNOWN = CameraMotion("unknown", 0.0, 0.0)


@dataclass(frozen=True)
class Trend:
    """Net motion of a shot.

    rates: (4,) per second: x and y in fractions of the frame, log scale, radians.
    steadiness: (4,) net over travelled way, 0-1, of steps of about `CHUNK_SECONDS`.
    lead: (4,) net way against that of a random walk of equally rough steps; a led camera has a large one.
    jitter: root-mean-square speed around the trend, fractions of the frame per second, at most twice the median.
    covered: share of the time that could be measured.
    """

    rates: FloatArray
    steadiness: FloatArray
    lead: FloatArray
    jitter: float
    seconds: float
    covered: float


def find_trend(fits: PairFits, motion: SceneMotion) -> Trend | None:
    """Net motion of a layer over all measured pairs; None where fewer than half could be measured."""
    spans = fits.times[:, 1] - fits.times[:, 0]
    valid = ~np.isnan(motion.log_scale)
    possible = np.array([len(p.start) > 0 for p in fits.tracks])
    if not valid.any() or spans[valid].sum() < 0.5 * spans[possible | valid].sum():
        return None
    return trend_of(np.column_stack([motion.shift, motion.log_scale, motion.turn]), spans)


def trend_of(steps: FloatArray, spans: FloatArray) -> Trend:
    """Net motion of (P, 4) steps (x, y, log scale, radians; NaN where unknown) that took `spans` seconds."""
    valid = ~np.isnan(steps[:, 2])
    seconds = float(spans[valid].sum())
    rates = steps[valid].sum(axis=0) / seconds
    ways = _chunks(steps, spans, valid)
    steadiness = np.abs(ways.sum(axis=0)) / np.maximum(np.abs(ways).sum(axis=0), 1e-9)
    around = steps[valid, :2] / spans[valid, None] - rates[:2]
    pace = np.hypot(*around.T)
    # A camera that shakes does so nearly always (its median is 0.8 of the root mean square); a few wild steps in a
    # still shot are a passing object that was taken for the scene.
    jitter = float(min(np.sqrt((pace**2).mean()), WILD * np.median(pace)))
    changes = np.diff(steps, axis=0)
    changes = changes[~np.isnan(changes[:, 2])]
    rough = np.sqrt((changes**2).mean(axis=0) / 2) if len(changes) else np.zeros(4)
    lead = np.abs(steps[valid].sum(axis=0)) / np.maximum(rough * np.sqrt(valid.sum()), 1e-9)
    return Trend(rates, steadiness, lead, jitter, seconds, float(valid.mean()))


def _chunks(steps: FloatArray, spans: FloatArray, valid: BoolArray) -> FloatArray:
    """(C, 4) ways made in stretches of about `CHUNK_SECONDS`; one way where all stretches are shorter."""
    ways: list[FloatArray] = []
    now, elapsed = np.zeros(4), 0.0
    for ok, span, step in zip(valid, spans, steps, strict=True):
        if not ok:
            now, elapsed = np.zeros(4), 0.0
            continue
        now, elapsed = now + step, elapsed + float(span)
        if elapsed >= CHUNK_SECONDS - 1e-6:
            ways.append(now)
            now, elapsed = np.zeros(4), 0.0
    return np.array(ways) if ways else np.asarray(steps[valid].sum(axis=0)[None])


def name_motion(trend: Trend) -> CameraMotion:
    """The word for a trend, with a confidence for the word alone (not for the layer)."""
    x, y, zoom, turn = trend.rates
    sizes = np.array([abs(x) / STILL, abs(y) / STILL, abs(zoom) / STILL_ZOOM / 1.0, abs(turn) / STILL_TURN])
    effect = np.array([abs(x), abs(y), 0.5 * abs(zoom), 0.5 * abs(turn)])
    effect = np.where(sizes >= 1, effect, 0.0)
    top = int(np.argmax(effect))
    if effect[top] == 0:
        if trend.jitter > STILL:
            return CameraMotion("handheld", trend.jitter, _ramp(trend.jitter / STILL, 1.0, 2.0))
        return CameraMotion("static", 0.0, _ramp(1 / max(sizes.max(), 1e-3), 1.0, 1.6))
    steady = float(trend.steadiness[top])
    lead = float(trend.lead[top])
    if (steady < STEADY or lead < LED) and trend.jitter > STILL:
        # a shaking camera drifts a little too; one that is led somewhere gets ahead in every stretch
        drifting = max(_ramp(STEADY - steady, 0.0, 0.3), _ramp(LED - lead, 0.0, 1.5))
        return CameraMotion("handheld", trend.jitter, drifting)
    others = np.delete(effect, top)
    dominance = float(effect[top] / max(others.max(), 1e-6))
    confidence = _ramp(sizes[top], 1.0, 1.6, 0.2) * _ramp(dominance, 1.0, 2.0)
    confidence *= _ramp(steady, 0.5, 0.8) * _ramp(lead, LED, 2 * LED)
    words: list[tuple[Motion, Motion]] = [
        ("pan left", "pan right"), ("tilt up", "tilt down"), ("zoom in", "zoom out"), ("roll", "roll"),
    ]  # fmt: skip
    speed = (abs(x), abs(y), float(np.expm1(abs(zoom))), abs(turn) / (2 * np.pi))[top]
    return CameraMotion(words[top][0 if trend.rates[top] > 0 else 1], float(speed), confidence)


def _ramp(value: float, low: float, high: float, floor: float = 0.3) -> float:
    """`floor` at `low`, 1 at `high`, straight in between and flat outside."""
    return float(np.interp(value, [low, high], [floor, 1.0]))


def layer_confidence(fits: PairFits) -> float:
    """0-1: how sure it is that the followed layer is the scene, and that enough of the frame shows it."""
    followed = np.array([len(points.start) > 0 for points in fits.tracks])
    score, support = float(fits.scene.score[followed].mean()), float(fits.scene.support[followed].mean())
    return _ramp(score, *SURE_SCORE, 0.2) * _ramp(support, *SURE_SUPPORT, 0.2)


def calm(trend: Trend, named: CameraMotion) -> float:
    """0-1: low where the motion jumps about far more than it gets ahead, as over an unseen cut."""
    if named.motion == "handheld":
        return _ramp(-trend.jitter, -0.6, -0.3)
    pace = float(np.hypot(*trend.rates[:2]) + 0.5 * abs(trend.rates[2]) + 0.5 * abs(trend.rates[3]))
    return _ramp(-trend.jitter / (pace + 2 * STILL), -3.0, -1.2)


def classify(fits: PairFits) -> CameraMotion:
    """The camera's motion over the shot; unknown where the picture does not tell.

    The confidence is 0.5 or more where the word held for at least 19 of 20 rendered clips (docs/camera.md).
    """
    if not len(fits):
        return UNKNOWN
    trend = find_trend(fits, fits.scene)
    if trend is None:
        return UNKNOWN
    named = name_motion(trend)
    confidence = named.confidence * layer_confidence(fits) * calm(trend, named)
    return CameraMotion(named.motion, named.speed, round(confidence, 3))
