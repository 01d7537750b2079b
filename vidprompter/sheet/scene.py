"""The setting: from what the classifier says, the things in view, and the look of sky, grass and water."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from vidprompter.sheet.appearance import Appearance
from vidprompter.sheet.recognize import Seen, Thing
from vidprompter.sheet.types import LabelFact, SceneFact
from vidprompter.sheet.vocabulary import classifier_classes, detector_classes

MIN_CONFIDENCE = 0.5
OTHERS = 3
INDOORS = frozenset(
    "room,living room,kitchen,bedroom,bathroom,dining room,office,library,restaurant,shop,barbershop,cinema,"
    "laboratory,workshop,game room,sports hall,warehouse,church".split(",")
)
# Where no setting of a group is sure, the group may be.
GROUPS: dict[str, frozenset[str]] = {
    "room": INDOORS,
    "street": frozenset(("street", "road", "town", "gas station")),
    "water": frozenset(("water", "sea", "lake", "river", "coast", "beach", "harbor", "underwater")),
    "mountains": frozenset(("mountains",)),
    "field": frozenset(("field", "countryside", "farm", "golf course")),
    "outdoors": frozenset(
        "mountains,water,sea,lake,river,coast,beach,harbor,underwater,field,countryside,forest,snow,campsite".split(
            ","
        )
    ),
}
LAND = frozenset(("mountains", "coast", "sea", "lake", "river", "field", "forest", "snow", "beach", "water"))
# The classifier says gym and laboratory of poses and of tripods as well.
TRUST = {"gym": 0.75, "laboratory": 0.5, "tennis court": 0.5, "stage": 0.7, "office": 0.6}


def measure_scene(seen: Seen, look: Appearance) -> SceneFact:
    """The setting with its confidence; "unknown" below one half, with the runners-up in `others`."""
    scores = _scores(seen)
    for label, value in _from_look(look, scores, seen.things).items():
        scores[label] = max(scores[label], value)
    for group, members in GROUPS.items():
        total = sum(scores[m] for m in members)
        # a group is said only where none of its members is
        if total > scores[group] and max((scores[m] for m in members - {group}), default=0.0) < _needed():
            scores[group] = total
    ranked = sorted(((_sure(v), k) for k, v in scores.items() if v > 0.02), key=lambda t: (-t[0], t[1]))
    facts = [LabelFact(label, round(sure, 3)) for sure, label in ranked]
    facts = _place_before_building(facts, seen.things)
    if facts and facts[0].confidence >= MIN_CONFIDENCE:
        return SceneFact(facts[0].label, facts[0].confidence, tuple(facts[1 : 1 + OTHERS]))
    return SceneFact("unknown", facts[0].confidence if facts else 0.0, tuple(facts[:OTHERS]))


def _place_before_building(facts: list[LabelFact], things: tuple[Thing, ...]) -> list[LabelFact]:
    """A castle that is listed as a thing leaves the setting to the hills around it, if those are likely."""
    buildings = {t.name for t in things if t.kind == "structure"}
    if not buildings or len(facts) < 2 or facts[0].label not in buildings | {"outdoors"}:
        return facts
    for i, fact in enumerate(facts[1:], start=1):
        if fact.label in LAND and fact.confidence >= 0.35:
            place = LabelFact(fact.label, max(fact.confidence, MIN_CONFIDENCE))
            return [place, *facts[:i], *facts[i + 1 :]]
    return facts


def _sure(score: float) -> float:
    """Confidence of a score; 0.18 is one half, from hand-labelled real clips."""
    return float(1 - np.exp(-3.9 * score))


def _needed() -> float:
    return float(-np.log(1 - MIN_CONFIDENCE) / 3.9)


def _scores(seen: Seen) -> defaultdict[str, float]:
    classes = classifier_classes()
    # what a class says beyond what it says of anything
    news = np.maximum(seen.whole.mean(axis=0) - classes.usual, 0.0)
    scores: defaultdict[str, float] = defaultdict(float)
    for scene, weight, value in zip(classes.scenes, classes.scene_weights, news, strict=True):
        if scene:
            scores[scene] += float(value * weight) * TRUST.get(scene, 1.0)
    for thing, scene, weight in _settings_of(seen.weak):
        scores[scene] += 0.5 * weight * thing.confidence
    return scores


def _settings_of(things: Iterable[Thing]) -> Iterable[tuple[Thing, str, float]]:
    named = {one.name: one for one in detector_classes().values()}
    for thing in things:
        known = named.get(thing.name)
        if known is not None and known.scene and thing.sightings and thing.confidence > 0.15:
            yield thing, known.scene, known.scene_weight


def _from_look(look: Appearance, scores: dict[str, float], things: tuple[Thing, ...]) -> dict[str, float]:
    indoors = sum(scores.get(name, 0.0) for name in INDOORS)
    wet = sum(scores.get(name, 0.0) for name in GROUPS["water"])
    out: dict[str, float] = {}
    if look.grass > 0.45 and indoors < 0.15:
        out["grass"] = 0.15 + 0.4 * (look.grass - 0.3)
    if look.trees > 0.45 and look.grass <= 0.75 and indoors < 0.15:
        out["greenery"] = 0.14 + 0.35 * (look.trees - 0.3)
    if look.blue_sky > 0.4 and indoors < 0.15:
        out["outdoors"] = 0.16 + 0.25 * (look.blue_sky - 0.3)
    if look.water > 0.2 and wet > 0.05 and indoors < 0.1:
        out["water"] = wet + 0.3 * min(look.water, 0.5)
    if (
        look.plain > 0.72
        and look.least_plain > 0.62
        and look.spread < 25
        and look.drift < 8
        and max(scores.values(), default=0.0) < 0.12
    ):
        out["plain background"] = 0.18 + 0.3 * (look.plain - 0.72)
    return out
