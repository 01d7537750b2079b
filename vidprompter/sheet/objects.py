"""Facts about each thing in view: how many, where, which colour, how lit, how it moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.camera import PairFits
from vidprompter.sheet.colors import name_shares
from vidprompter.sheet.detections import Sighting
from vidprompter.sheet.light import name_object_light, object_light
from vidprompter.sheet.motion import measure_approach, measure_move
from vidprompter.sheet.recognize import Thing
from vidprompter.sheet.types import ObjectFact, Position
from vidprompter.sheet.views import Box, area

COUNT_SCORE = 0.42  # a box weaker than this is not counted ...
COUNT_SHARE = 0.6  # ... nor one weaker than this share of the best in its frame
MAX_LOOKS = 6  # sightings that colour, light and motion are measured on
SKIN = frozenset(("brown", "beige", "pink", "orange"))
ONE_EACH = frozenset(("tie",))  # nobody wears two, but the halves of a bow tie are boxes of their own
GLASSY = frozenset(("bottle", "glass", "vase"))  # what one sees of them is what stands behind


def measure_objects(
    things: Sequence[Thing],
    frames: NDArray[np.uint8],
    timestamps: NDArray[np.float64],
    fits: Sequence[PairFits],
) -> tuple[ObjectFact, ...]:
    """A fact for each thing, the most prominent first.

    frames: (T, H, W, 3) uint8 sRGB, the ones the things were found in; timestamps: (T,) seconds; fits: the
    motion of each shot.
    """
    facts = [_fact(thing, frames, timestamps, fits) for thing in things]
    people = max((f.count for f in facts if f.label == "person"), default=0)
    if people:
        facts = [replace(f, count=min(f.count, people)) if f.label in ONE_EACH else f for f in facts]
    order = sorted(range(len(facts)), key=lambda i: -_prominence(facts[i], things[i]))
    return tuple(facts[i] for i in order)


def _prominence(fact: ObjectFact, thing: Thing) -> float:
    living = 0.5 if thing.kind in ("person", "animal", "vehicle") else 0.0
    return fact.confidence + living + 0.5 * float(np.sqrt(fact.area))


def _fact(
    thing: Thing, frames: NDArray[np.uint8], timestamps: NDArray[np.float64], fits: Sequence[PairFits]
) -> ObjectFact:
    if not thing.sightings:
        return ObjectFact(thing.name, 1, round(thing.confidence, 3))
    strong = strong_sightings(thing.sightings)
    looks = sorted(strong, key=lambda s: -s.score)[:MAX_LOOKS]
    color, color_confidence = _color(thing, [(frames[s.frame], s.box) for s in looks])
    lights = [object_light(frames[s.frame], s.box) for s in looks]
    at = [(float(timestamps[s.frame]), s.box) for s in looks]
    move = measure_approach(fits, [(float(timestamps[s.frame]), s.box) for s in strong]) or measure_move(
        fits, at, free=thing.kind != "person"
    )
    return ObjectFact(
        label=thing.name,
        count=count_at_once(strong),
        confidence=round(thing.confidence, 3),
        color=color,
        color_confidence=round(color_confidence, 3),
        position=_position([s.box for s in strong]),
        motion=move.word,
        motion_confidence=move.confidence,
        light=name_object_light([v for v in lights if v is not None]),
        area=round(float(np.median([area(s.box) for s in strong])), 4),
    )


def strong_sightings(sightings: Sequence[Sighting]) -> list[Sighting]:
    """The boxes that count; never none."""
    best: dict[int, float] = {}
    for one in sightings:
        best[one.frame] = max(best.get(one.frame, 0.0), one.score)
    kept = [s for s in sightings if s.score >= max(COUNT_SCORE, COUNT_SHARE * best[s.frame])]
    return kept or [max(sightings, key=lambda s: s.score)]


def count_at_once(strong: Sequence[Sighting]) -> int:
    """The usual number in one frame, of the frames that show any: the commonest, of ties the larger."""
    numbers = Counter(Counter(s.frame for s in strong).values())
    return max(numbers, key=lambda n: (numbers[n], n))


def _position(boxes: Sequence[Box]) -> Position:
    x = float(np.mean([(b[0] + b[2]) / 2 for b in boxes]))
    y = float(np.mean([(b[1] + b[3]) / 2 for b in boxes]))
    wide = max(b[2] for b in boxes) - min(b[0] for b in boxes)
    if wide > 0.85 and len(boxes) > 1 and float(np.std([(b[0] + b[2]) / 2 for b in boxes])) > 0.22:
        return "unknown"  # all over the frame
    if x < 0.36:
        return "left"
    if x > 0.64:
        return "right"
    if 0.36 <= y <= 0.7 or float(np.mean([b[3] - b[1] for b in boxes])) > 0.4:
        return "center"
    return "top" if y < 0.36 else "bottom"


def _color(thing: Thing, looks: Sequence[tuple[NDArray[np.uint8], Box]]) -> tuple[str, float]:
    """The colour word of a thing and its confidence; of people the colour of what they wear."""
    if thing.name in GLASSY:
        return "unknown", 0.0
    total: dict[str, float] = {}
    for frame, box in looks:
        for name, share in _own_shares(frame, _colored_part(thing.kind, box)).items():
            total[name] = total.get(name, 0.0) + share / len(looks)
    if not total:
        return "unknown", 0.0
    ranked = sorted(_merged(total).items(), key=lambda item: -item[1])
    (first, share), second = ranked[0], ranked[1] if len(ranked) > 1 else ("", 0.0)
    if thing.kind == "person" and first in SKIN and (first != "orange" or share < 0.45):
        return "unknown", 0.0
    if second[1] >= 0.5 * share and share + second[1] >= 0.62:
        if {first, second[0]} == {"black", "white"}:
            return "black and white", min(0.95, share + second[1])
        if thing.kind != "person" and not {first, second[0]} & {"gray", "dark gray"}:
            return f"{first} and {second[0]}", min(0.7, share + second[1])
    confidence = float(np.clip(share + 0.3 * (share - second[1]), 0.0, 0.95))
    # gray is what shadows, glass and haze give any colour
    if first in ("gray", "dark gray"):
        confidence = min(confidence, 0.65 if share > 0.7 else 0.4)
    return first, confidence


def _merged(shares: dict[str, float]) -> dict[str, float]:
    """Shades that shadow turns into each other, as the name of the larger part."""
    out = dict(shares)
    for one, other in (
        ("dark blue", "blue"),
        ("dark green", "green"),
        ("dark gray", "black"),
        ("light blue", "blue"),
    ):
        if one in out and other in out:
            small, large = sorted((one, other), key=lambda name: out[name])
            out[large] += out.pop(small)
    # white in warm light is beige, and in the shade gray
    if out.get("white", 0.0) > 0.2:
        out["white"] += out.pop("beige", 0.0) + out.pop("gray", 0.0)
    return out


def _colored_part(kind: str, box: Box) -> Box:
    """Where the colour of a thing is looked for: the middle, and of people the chest."""
    x0, y0, x1, y1 = box
    wide, high = x1 - x0, y1 - y0
    if kind != "person":
        return (x0 + 0.2 * wide, y0 + 0.15 * high, x1 - 0.2 * wide, y1 - 0.15 * high)
    near = y1 > 0.95 and high / max(wide, 1e-6) < 2.2
    low, up = (0.62, 0.97) if near else (0.24, 0.5)
    return (x0 + 0.28 * wide, y0 + low * high, x1 - 0.28 * wide, y0 + up * high)


def _own_shares(frame: NDArray[np.uint8], part: Box) -> dict[str, float]:
    """Colour shares of a part, less what the rim around it shows as well."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = part
    inner = frame[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    if inner.size < 3 * 16:
        return {}
    shares = name_shares(inner.reshape(-1, 3))
    dx = 0.8 * (x1 - x0)
    left = frame[
        round(y0 * height) : round(y1 * height),
        round(max(0.0, x0 - dx) * width) : round((x0 - 0.5 * dx) * width),
    ]
    right = frame[
        round(y0 * height) : round(y1 * height),
        round((x1 + 0.5 * dx) * width) : round(min(1.0, x1 + dx) * width),
    ]
    rim = np.concatenate([left.reshape(-1, 3), right.reshape(-1, 3)])
    if len(rim) < 16:
        return shares
    around = name_shares(rim)
    own = {name: share - min(0.5 * around.get(name, 0.0), 0.6 * share) for name, share in shares.items()}
    total = sum(own.values())
    return {name: share / total for name, share in own.items()}
