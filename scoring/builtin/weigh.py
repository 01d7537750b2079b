"""From a caption's claims to one number from 0 to 100.

Every claim i has a support s_i (0-1, 0.5 where the look is silent) and a weight w_i. With

    for      F = sum of w_i (2 s_i - 1)          over claims with s_i > 0.5
    against  A = sum of 2 w_i (1 - 2 s_i)        over claims with s_i < 0.5 (an error weighs twice)
    precision  P = (F + 1) / (F + A + 2)         one half without claims: the rule of succession
    recall     R = weight of the sure facts of the sheet that the caption names, over the weight of all
    match      M = mean over sentences of sigmoid((z - 0.7) / 0.8), z: standard deviations by which the sentence's
               things are nearer to the mixture of the seen classes than random nouns are (`meaning`)

    value = 100 (0.7 P + 0.1 R + 0.2 M)

The value rises with each support, with each fact named and with the match, and falls with every claim added that has
s_i < 0.5. Where R or M cannot be had (no sure facts; no words to compare; no pictures) the others take its share; of a text
without claims the match of its sentences is all.
Camera words weigh 2.5, things and places 1, colours and outright numbers 0.8 and 1, shot sizes 0.8, light 0.4, motion
0.3; a number said by the way ("a", a plural) 0.2. A thing named twice counts once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.builtin.hues import color_support, same_color
from scoring.builtin.look import Look
from scoring.builtin.meaning import Meanings, Mixture
from scoring.builtin.moves import camera_support, shot_support
from scoring.builtin.nouns import ANYONE, Nouns
from scoring.builtin.verdict import Verdict, log_odds, probability
from vidprompter.facts.claims import Claim, Statement
from vidprompter.sheet.lines import lines_of
from vidprompter.sheet.types import SceneSheet

RULES = "1"  # version of these rules: to be raised when a number would change
SHARES = {"precision": 0.7, "recall": 0.1, "match": 0.2}
WEIGHTS = {
    "object": 1.0, "place": 1.0, "count": 1.0, "color": 0.8, "camera": 2.5, "shot": 0.8, "light": 0.4, "motion": 0.3,
}  # fmt: skip
BY_THE_WAY = 0.2
MIDDLE, WIDTH = 0.7, 0.8  # of the sigmoid of the match, in standard deviations
SECOND_ANIMAL = 2.0  # log odds against another animal where one of unknown kind was seen
ERROR = 2.0  # how much more an error weighs than a hit


@dataclass(frozen=True)
class Weighed:
    """value: 0-100, None where nothing can be compared. precision, recall, match: 0-1, None where they cannot be had.
    missed: sure facts that are not named.
    """

    value: float | None
    precision: float | None
    recall: float | None
    match: float | None
    verdicts: tuple[Verdict, ...]
    missed: tuple[str, ...] = ()


def combine(verdicts: Sequence[Verdict], recall: float | None, match: float | None) -> tuple[float, float]:
    """The value, 0-100, and the precision, 0-1; see the module for the formula."""
    hits = sum(v.weight * (2 * v.support - 1) for v in verdicts if v.support > 0.5)
    errors = sum(ERROR * v.weight * (1 - 2 * v.support) for v in verdicts if v.support < 0.5)
    precision = (hits + 1) / (hits + errors + 2)
    parts = {"precision": precision, "recall": recall, "match": match}
    had = {name: part for name, part in parts.items() if part is not None}
    total = sum(SHARES[name] for name in had)
    return 100 * sum(SHARES[name] * part for name, part in had.items()) / total, precision


class Judge:
    """Weighs captions of one clip."""

    def __init__(self, look: Look, meanings: Meanings | None, mixture: Mixture | None) -> None:
        self._look, self._meanings, self._mixture = look, meanings, mixture
        self._nouns = Nouns(look, mixture)

    def weigh(self, statement: Statement) -> Weighed:
        """The verdict on each claim of a caption, and the number."""
        verdicts = self._one_animal([self._verdict(claim) for claim in _once(statement.claims)])
        recall, missed = self._recall(statement)
        match = self._match(statement)
        if not verdicts:  # nothing to check: the match alone
            value = None if match is None else 100 * match
            return Weighed(value, None, recall, match, (), missed)
        value, precision = combine(verdicts, recall, match)
        return Weighed(value, precision, recall, match, verdicts, missed)

    def _verdict(self, claim: Claim) -> Verdict:
        support, measured = self._support(claim)
        weight = WEIGHTS[claim.kind] if claim.firm else BY_THE_WAY
        return Verdict(claim, support, measured, weight)

    def _one_animal(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """The verdicts; an animal of unknown kind speaks for one of the animals that are named, the likeliest."""
        if not self._nouns.animal_unknown:
            return tuple(verdicts)
        named = [v for v in verdicts if v.claim.kind == "object" and v.claim.noun_kind == "animal"]
        kinds = {v.claim.basic for v in named} - {"animal"}
        best = max(named, key=lambda v: v.support, default=None)
        if len(kinds) < 2 or best is None:
            return tuple(verdicts)
        return tuple(
            replace(v, support=probability(log_odds(v.support) - SECOND_ANIMAL))
            if v in named and v.claim.basic not in (best.claim.basic, "animal")
            else v
            for v in verdicts
        )

    def _support(self, claim: Claim) -> tuple[float, str]:
        if claim.kind in ("object", "place"):
            return self._nouns.support(claim)
        if claim.kind == "count":
            return self._nouns.number_support(claim)
        if claim.kind == "color":
            return color_support(claim, self._look, self._nouns.thing(claim), self._nouns.person())
        if claim.kind == "camera":
            return camera_support(claim.said, self._look)
        if claim.kind == "shot":
            return shot_support(claim.said, self._look.sheet)
        if claim.kind == "light":
            return light_support(claim.said, self._look.sheet)
        return motion_support(claim.said, self._look.sheet)

    def _match(self, statement: Statement) -> float | None:
        if self._mixture is None:
            return None
        contents = [text for text in statement.contents if text]
        if not contents and not statement.claims:
            contents = list(statement.sentences)
        if not contents:
            return None
        contents = [self._as_seen(text, statement) for text in contents]
        near = [self._mixture.surprise(text) for text in contents]
        return sum(1 / (1 + math.exp(-(z - MIDDLE) / WIDTH)) for z in near) / len(near)

    def _as_seen(self, text: str, statement: Statement) -> str:
        """A sentence's things without what no picture tells: the sex of people, the kind of an unknown animal."""
        animals: set[str] = set()
        if self._nouns.animal_unknown:
            animals = {
                n for c in statement.of("object") if c.noun_kind == "animal" for n in (c.noun, c.basic)
            }
        return " ".join("person" if w in ANYONE else "animal" if w in animals else w for w in text.split())

    def _recall(self, statement: Statement) -> tuple[float | None, tuple[str, ...]]:
        facts = [
            *self._thing_facts(statement),
            *self._scene_facts(statement),
            *self._camera_facts(statement),
        ]
        total = sum(weight for _, weight, _ in facts)
        if not total:
            return None, ()
        said = sum(weight * part for _, weight, part in facts)
        return said / total, tuple(name for name, _, part in facts if part < 0.5)

    def _thing_facts(self, statement: Statement) -> list[tuple[str, float, float]]:
        """(fact, weight, how far it is said) of the things of the sheet."""
        facts = []
        lines = {line.noun: line for line in lines_of(self._look.sheet).objects}
        areas = {fact.label: (fact.confidence, fact.area) for fact in self._look.sheet.objects}
        for noun, line in lines.items():
            confidence, area = areas[noun]
            naming = [c for c in statement.of("object", "place") if _names(c, noun)]
            facts.append((noun, confidence * (0.6 + float(np.sqrt(area))), float(bool(naming))))
            if line.count > 1:
                told = [c for c in statement.of("count") if _names(c, noun)]
                right = max((_number_said(c, line.count) for c in told), default=0.0)
                facts.append((f"{line.count} {noun}", 0.4 * confidence, right))
            if line.color:
                said = [c for c in statement.of("color") if _names(c, noun) or noun == "person"]
                hit = any(same_color(c.said, line.color) for c in said)
                facts.append((f"{line.color} {noun}", 0.2, float(hit)))
        return facts

    def _camera_facts(self, statement: Statement) -> list[tuple[str, float, float]]:
        """The camera, where the sheet is sure of it."""
        told = lines_of(self._look.sheet).camera
        if told in ("unknown", "cuts"):
            return []
        fits = [camera_support(claim.said, self._look)[0] for claim in statement.of("camera")]
        return [(f"camera: {told}", 0.35, max(0.0, 2 * max(fits, default=0.5) - 1))]

    def _scene_facts(self, statement: Statement) -> list[tuple[str, float, float]]:
        scene = lines_of(self._look.sheet).scene
        if scene is None:
            return []
        stems = {word.removesuffix("s") for word in scene.split()}
        nouns = {name for c in statement.of("object", "place") for name in (c.noun, c.basic)}
        said = 1.0 if nouns & (stems | {scene}) else 0.0
        if not said and self._meanings is not None and nouns:
            here = self._meanings.of(scene)
            said = max(0.0, max(float(here @ self._meanings.of(n)) for n in sorted(nouns)) - 0.4) / 0.6
        return [(scene, 0.6 * self._look.sheet.scene.confidence, said)]


def _once(claims: Sequence[Claim]) -> list[Claim]:
    """Each thing and each statement of a thing once, its first mention; "one of them" is no number of them."""
    seen: dict[tuple[str, str, str], Claim] = {}
    numbers: dict[str, int] = {}
    for claim in claims:
        if claim.kind == "count":
            number = int(claim.said) if claim.said.isdigit() else 2
            numbers[claim.noun] = max(number, numbers.get(claim.noun, 0))
    for claim in claims:
        if claim.kind == "count" and claim.said.isdigit() and int(claim.said) < numbers[claim.noun]:
            continue
        key = (claim.kind, claim.said, claim.noun)
        if key not in seen or (claim.firm and not seen[key].firm):
            seen[key] = claim
    return list(seen.values())


def _names(claim: Claim, noun: str) -> bool:
    if noun in (claim.noun, claim.basic, claim.phrase):
        return True
    return (noun == "person" and claim.noun_kind == "person") or (
        noun == "animal" and claim.noun_kind == "animal"
    )


def _number_said(claim: Claim, count: int) -> float:
    if claim.said == str(count):
        return 1.0
    return 0.6 if not claim.said.isdigit() else 0.0


def light_support(said: str, sheet: SceneSheet) -> tuple[float, str]:
    """How well a level ("dark", "dim", "soft", "bright") or temperature ("warm", "cool") of light fits."""
    light = sheet.light
    if said in ("warm", "cool"):
        same = {"neutral": 0.5, said: 0.85}.get(light.temperature, 0.2)
        return same, light.temperature
    if light.label == "unknown" and not light.mean:
        return 0.5, ""
    curves = {
        "dark": ((0.1, 0.25, 0.4, 0.6), (0.92, 0.6, 0.3, 0.08)),
        "dim": ((0.1, 0.3, 0.45, 0.65), (0.8, 0.7, 0.4, 0.1)),
        "bright": ((0.15, 0.3, 0.45, 0.6), (0.1, 0.4, 0.65, 0.85)),
    }
    if said in curves:
        return float(np.interp(light.mean, *curves[said])), light.label
    return (0.75 if light.label == said else 0.45), light.label


def motion_support(said: str, sheet: SceneSheet) -> tuple[float, str]:
    """How well "moving", "still", "toward the camera" or "away from the camera" fits what moves."""
    motions = [o.motion for o in sheet.objects if o.motion_confidence >= 0.5]
    measured = ", ".join(dict.fromkeys(motions)) or sheet.pace
    if said in ("toward the camera", "away from the camera"):
        other = {"toward the camera": "away from the camera"}.get(said, "toward the camera")
        return (0.9 if said in motions else 0.15 if other in motions else 0.5), measured
    moving = any(m not in ("still", "unknown") for m in motions) or sheet.pace in ("moderate", "fast")
    if sheet.pace == "unknown" and not motions:
        return 0.5, ""
    if said == "moving":
        return (0.75 if moving else 0.35), measured
    return (0.45 if moving else 0.65), measured
