"""How well a camera word fits what was measured of each shot's camera, and the same for the size of the shot."""

from __future__ import annotations

from math import exp, log

from scoring.builtin.look import Look, ShotCamera
from scoring.builtin.verdict import tempered
from vidprompter.sheet.types import SHOT_SIZES, SceneSheet

STILL = (
    0.014  # frames per second at which a camera as well stands as moves; the sheet's limit is 0.01, rendered
)
SHAKING = 0.016  # root-mean-square speed at which it as well shakes
LED = 0.014  # frames per second at which a direction as well is one
MIN_SURE = 0.35  # even a doubtful fit says more than nothing
_AXES: dict[str, tuple[int, int]] = {
    "pan left": (0, 1), "pan right": (0, -1), "tilt up": (1, 1), "tilt down": (1, -1), "zoom in": (2, 1),
    "zoom out": (2, -1),
}  # fmt: skip
_WORDS = ("static", *_AXES, "roll", "handheld")
_EITHER = {
    "pan": ("pan left", "pan right"),
    "tilt": ("tilt up", "tilt down"),
    "zoom": ("zoom in", "zoom out"),
}


def camera_support(said: str, look: Look) -> tuple[float, str]:
    """How well the word fits the clip, 0-1, and what was measured; shots count by their length."""
    sheet = look.sheet
    if said == "cuts":
        many = len(sheet.shots) > 1
        return (0.9, f"{len(sheet.shots)} shots") if many else (0.12, "one shot")
    if not look.cameras:
        return sheet_camera_support(said, sheet)
    total = sum(shot.seconds for shot in look.cameras)
    fit = sum(shot.seconds * shot_fit(said, shot) for shot in look.cameras) / max(total, 1e-9)
    sure = sum(shot.seconds * shot.sure for shot in look.cameras) / max(total, 1e-9)
    best = dict.fromkeys(max(_WORDS, key=lambda word: shot_fit(word, shot)) for shot in look.cameras)
    return tempered(0.04 + 0.92 * fit, max(MIN_SURE, sure)), ", ".join(best)


def measured_camera(sheet: SceneSheet) -> str:
    """The sheet's words for the cameras of the shots, each once."""
    words = dict.fromkeys(shot.camera.motion for shot in sheet.shots) or {sheet.camera.motion: None}
    return ", ".join(words)


def shot_fit(said: str, shot: ShotCamera) -> float:
    """How well the word fits one shot, 0-1."""
    if said == "static":
        return _standing(shot)
    if said == "handheld":
        pace = _pace(shot)
        return _soft(shot.jitter, SHAKING, 0.25) * (shot.jitter / max(shot.jitter + pace, 1e-9))
    if said in _AXES:
        return _going(shot, *_AXES[said])
    if said in _EITHER:
        return 0.95 * max(_going(shot, *_AXES[one]) for one in _EITHER[said])
    if said == "roll":
        return max(_going(shot, 3, 1), _going(shot, 3, -1))
    return 0.95 * (1 - _standing(shot))  # tracking, an orbit, a flight: it moves


def _effects(shot: ShotCamera) -> tuple[float, float, float, float]:
    """What each motion does to the picture, in comparable sizes."""
    x, y, zoom, turn = shot.rates
    return abs(x), abs(y), 0.8 * abs(zoom), 0.5 * abs(turn)


def _pace(shot: ShotCamera) -> float:
    x, y, zoom, turn = _effects(shot)
    return float((x * x + y * y) ** 0.5 + zoom + turn)


def _standing(shot: ShotCamera) -> float:
    return 1 - _soft(max(_pace(shot), 0.6 * shot.jitter), STILL, 0.25)


def _going(shot: ShotCamera, axis: int, sign: int) -> float:
    effects = _effects(shot)
    here = effects[axis]
    share = here / max(*effects, 1e-9)
    fit = _soft(here, LED, 0.3) * share * (0.5 + 0.5 * shot.steadiness[axis])
    return fit if shot.rates[axis] * sign > 0 else 0.02 * fit


def _soft(value: float, middle: float, width: float) -> float:
    """0-1, one half at `middle`; `width` in natural logarithms."""
    at = (log(max(value, 1e-9)) - log(middle)) / width
    return 1 / (1 + exp(-max(min(at, 30.0), -30.0)))


_OPPOSITE = {
    "pan left": "pan right", "pan right": "pan left", "tilt up": "tilt down", "tilt down": "tilt up",
    "zoom in": "zoom out", "zoom out": "zoom in",
}  # fmt: skip


def sheet_camera_support(said: str, sheet: SceneSheet) -> tuple[float, str]:
    """The same from the sheet alone; 0.5 where its camera is unknown."""
    lengths = [(max(shot.end - shot.start, 1e-6), shot.camera) for shot in sheet.shots] or [
        (1.0, sheet.camera)
    ]
    total = sum(length for length, _ in lengths)
    value = 0.0
    for length, camera in lengths:
        value += length / total * tempered(_word_fit(said, camera.motion), camera.confidence)
    return value, measured_camera(sheet)


def _word_fit(said: str, motion: str) -> float:
    if motion == "unknown":
        return 0.5
    if said == motion:
        return 0.95
    if motion.startswith(said + " "):
        return 0.9
    if said == "other":
        return 0.1 if motion == "static" else 0.85
    return 0.05 if _OPPOSITE.get(said) == motion or "static" in (said, motion) else 0.15


_SIZES = [size for size in SHOT_SIZES if size != "unknown"]


def shot_support(said: str, sheet: SceneSheet) -> tuple[float, str]:
    """How well a shot size fits, 0-1, and the measured sizes; a neighbouring size is nearly right."""
    total = value = 0.0
    for shot in sheet.shots:
        length = max(shot.end - shot.start, 1e-6)
        total += length
        if shot.size == "unknown" or said not in _SIZES:
            value += 0.5 * length
            continue
        apart = abs(_SIZES.index(said) - _SIZES.index(shot.size))
        fit = (0.92, 0.72, 0.4, 0.2, 0.1, 0.06)[apart]
        value += length * tempered(fit, 0.3 + 0.7 * shot.size_confidence)
    words = ", ".join(dict.fromkeys(shot.size for shot in sheet.shots if shot.size != "unknown"))
    return (value / total if total else 0.5), words
