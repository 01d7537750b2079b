"""What is in the clip: the detector's boxes and the classifier's names made into one list of things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.detections import Evidence, Sighting, check_with_classifier, detect, gather
from vidprompter.sheet.views import Classifier, Detector, Frame, iou, scene_views
from vidprompter.sheet.vocabulary import classifier_classes, detector_classes, noun_kinds, noun_members

MIN_CONFIDENCE = 0.58  # below it a thing is not stated
MIN_FOOD = 0.85  # red and orange vegetables pass for oranges, carrots and hot dogs
MAX_THINGS = 8
# Animals that a clip shows without any special reason; others need more evidence.
COMMON_ANIMALS = frozenset("cat dog horse bird cow sheep rabbit chicken duck fish".split())
POORLY_BACKED = frozenset(("horse", "giraffe"))
# Probability that the classifier must give an animal before its name is weighed.
MIN_COMMON_ANIMAL, MIN_RARE_ANIMAL = 0.04, 0.2
# Things confused with each other: where their boxes coincide only the surest is kept.
FAMILIES = (
    frozenset("car truck bus train airplane boat".split()),
    frozenset(("chair", "couch", "bed", "bench")),
    frozenset(("cup", "bowl", "vase", "glass", "bottle")),
    frozenset(("television", "laptop", "refrigerator", "oven", "microwave")),
    frozenset(("guitar", "violin", "cello")),
)
# Classes the classifier says of textures, poses and bare rooms; alone they prove nothing.
UNRELIABLE = frozenset(
    "balance beam,horizontal bar,parallel bars,dumbbell,barbell,punching bag,neck brace,plunger,mask,hook,swab,"
    "envelope,folder,match,nail,switch,stretcher,curtain,sliding door,window blind,window,screen,television,"
    "monitor,spotlight,torch,bubble,pole,tub,bathtub,lampshade,fence,prison,tripod,crutch,broom,shower cap,"
    "cleaver,beaker,baby bottle,bandage,solar panel,projector,oscilloscope,knot,chain,tray,pedestal,mosquito net,"
    "syringe,sunscreen,paper towel,"
    "handkerchief,velvet,wool,rug,towel,quilt,doormat,dishcloth,screw,hair spray,lotion,lipstick,packet".split(
        ","
    )
)


@dataclass(frozen=True)
class Thing:
    """One kind of thing in the clip, with where it was seen; no sightings: the classifier alone says so."""

    name: str
    kind: str
    confidence: float
    sightings: tuple[Sighting, ...]
    score: float = 0.0


@dataclass(frozen=True)
class Seen:
    """All that was recognised.

    things: surest first. whole: (T, 1000) mean probabilities of the views of each frame.
    weak: everything that was considered, sure or not, for the setting.
    """

    things: tuple[Thing, ...]
    whole: NDArray[np.float64]
    weak: tuple[Thing, ...]


def recognize(frames: NDArray[np.uint8], detector: Detector, classifier: Classifier) -> Seen:
    """The things in frames (T, H, W, 3) uint8 sRGB, and what the classifier makes of them as wholes."""
    pictures: list[Frame] = list(frames)
    evidence = gather(detect(frames, detector))
    check_with_classifier(evidence, pictures, classifier)
    whole = classify_wholes(pictures, classifier)
    things = [_as_thing(one) for one in evidence if not _animal_like(one)]
    for group in _apart([one for one in evidence if _animal_like(one)]):
        animal = name_animal(group)
        if animal is not None:
            things.append(animal)
    things += retold(evidence)
    things += named_by_classifier(whole, things)
    things = _no_heads_for_balls(_resolve(things))
    weak = tuple(sorted(things, key=lambda t: -t.confidence))
    sure = [t for t in weak if t.confidence >= (MIN_FOOD if t.kind == "food" else MIN_CONFIDENCE)]
    if not any(t.kind == "food" for t in sure):
        sure += _generic(weak, "food")
    if not any(t.kind == "vehicle" for t in sure):
        sure += _generic(weak, "vehicle")
    return Seen(tuple(sure[:MAX_THINGS]), whole, weak)


def classify_wholes(frames: list[Frame], classifier: Classifier) -> NDArray[np.float64]:
    """(T, 1000) probabilities of each frame, the mean of its views."""
    views = [scene_views(frame) for frame in frames]
    flat = [view for some in views for view in some]
    probabilities = np.asarray(classifier.probabilities(flat), np.float64)
    out, first = [], 0
    for some in views:
        out.append(probabilities[first : first + len(some)].mean(axis=0))
        first += len(some)
    return np.array(out)


def _as_thing(one: Evidence) -> Thing:
    return Thing(one.kind.name, one.kind.kind, one.confidence, tuple(one.sightings), one.score)


def _animal_like(one: Evidence) -> bool:
    return one.kind.kind == "animal" or one.kind.label == "teddy bear"


def _apart(evidence: list[Evidence]) -> list[list[Evidence]]:
    """Evidence for different animals: two names are two animals where both stand side by side in a frame."""
    evidence = [one for one in evidence if one.score >= 0.45 or one.confidence > 0.3]
    groups: list[list[Evidence]] = []
    for one in evidence:
        for group in groups:
            if not any(_side_by_side(one, other) for other in group):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _side_by_side(one: Evidence, other: Evidence) -> bool:
    pairs = [
        iou(a.box, b.box) > 0.25
        for a in one.sightings
        for b in other.sightings
        if a.frame == b.frame and min(a.score, b.score) >= 0.5
    ]
    frames = {a.frame for a in one.sightings} & {b.frame for b in other.sightings}
    return (
        len(frames) >= max(1, 0.3 * one.frames * one.persistence)
        and bool(pairs)
        and sum(pairs) < 0.5 * len(frames)
    )


def name_animal(evidence: list[Evidence]) -> Thing | None:
    """The animal in the clip, "animal" where its kind is not clear, None where there is none.

    The detector knows ten animals and confuses small ones; the classifier knows four hundred, but a tenth of
    all its classes are dogs. Both are heard, the classifier by how much more it says than usual.
    """
    if not evidence:
        return None
    if all(one.kind.label == "teddy bear" for one in evidence) and evidence[0].lift > 3:
        return _as_thing(evidence[0])
    weights = np.array([one.score * (0.3 + one.persistence) for one in evidence])
    seen = np.average([one.seen for one in evidence], axis=0, weights=weights)
    lifts = _animal_lifts(seen)
    top = max(one.score for one in evidence)
    shown = min(1.0, sum(one.persistence for one in evidence))
    present = 9.0 * (top - 0.58) + 3.0 * (_animal_share(seen) - 0.45) + 2.5 * (shown - 0.5)
    confidence = float(1 / (1 + np.exp(-present)))
    scores = _animal_scores(evidence, seen, lifts)
    (name, first), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    sightings = _union(evidence)
    if first > 1.9 and first - second > 0.25 and not _contradicted(name, evidence, seen, lifts):
        sure = confidence * float(np.clip(0.75 + 0.25 * (first - second), 0.0, 1.0))
        return Thing(name, "animal", sure, sightings, top)
    return Thing("animal", "animal", confidence, sightings, top)


def _animal_lifts(seen: NDArray[np.float64]) -> dict[str, float]:
    """The lift of every animal noun."""
    classes, kinds = classifier_classes(), noun_kinds()
    members = {noun: m for noun, m in noun_members().items() if kinds[noun] == "animal"}
    return {noun: classes.lift(seen, numbers) for noun, numbers in members.items()}


def _animal_share(seen: NDArray[np.float64]) -> float:
    kinds = noun_kinds()
    return float(sum(seen[m].sum() for noun, m in noun_members().items() if kinds[noun] == "animal"))


def _animal_scores(
    evidence: list[Evidence], seen: NDArray[np.float64], lifts: dict[str, float]
) -> dict[str, float]:
    """What speaks for each name; "animal" and "" are there so that there always is a second."""
    scores = {"animal": 0.0, "": -1.0}
    for noun, lift in lifts.items():
        needed = MIN_COMMON_ANIMAL if noun in COMMON_ANIMALS else MIN_RARE_ANIMAL
        if float(seen[noun_members()[noun]].sum()) >= needed:
            scores[noun] = 0.9 * lift
    for one in evidence:
        if one.kind.kind == "animal":
            backed = 0.9 * classifier_classes().lift(seen, one.kind.backing)
            scores[one.kind.name] = max(scores.get(one.kind.name, -9.0), backed) + _vote(one)
    return {noun: score + 0.8 * (noun in COMMON_ANIMALS) for noun, score in scores.items()}


def _contradicted(
    name: str, evidence: list[Evidence], seen: NDArray[np.float64], lifts: dict[str, float]
) -> bool:
    """Whether the classifier sees another animal far more clearly than the one the detector names."""
    mine = next((one.kind.backing for one in evidence if one.kind.name == name), None)
    if mine is None or name in POORLY_BACKED:
        return False
    lift = classifier_classes().lift(seen, mine)
    family = set(mine.tolist())
    others = [v for noun, v in lifts.items() if not family & set(noun_members()[noun].tolist())]
    return lift < 1.0 and max(others, default=0.0) > lift + 1.5


def _vote(one: Evidence) -> float:
    """How much the detector's own name counts."""
    vote = 3.0 * (one.score - 0.5) * (0.5 + 0.5 * one.persistence)
    if one.kind.name in ("cat", "dog"):
        return 0.3 * vote  # it takes the one for the other
    vote += 16.0 * max(0.0, one.score - 0.76)
    if one.kind.name not in POORLY_BACKED:
        return vote
    # the classifier knows one colour of horse and no giraffe
    return 2.0 * vote + (0.0 if len(one.kind.backing) else 1.5)


def _union(evidence: list[Evidence]) -> tuple[Sighting, ...]:
    """All sightings, of boxes on the same thing in a frame the best."""
    kept: list[Sighting] = []
    for one in sorted((s for e in evidence for s in e.sightings), key=lambda s: -s.score):
        if not any(one.frame == other.frame and iou(one.box, other.box) > 0.4 for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda s: (s.frame, -s.score)))


def retold(evidence: list[Evidence]) -> list[Thing]:
    """Vehicles and food whose box the detector found but misnamed, by the classifier's word for the box."""
    classes = classifier_classes()
    out: list[Thing] = []
    for one in evidence:
        known = one.confidence >= MIN_CONFIDENCE or one.kind.label == "person" or _animal_like(one)
        if known or one.score < 0.45 or len({s.frame for s in one.sightings}) < 2:
            continue
        for other in detector_classes().values():
            if other.kind not in ("vehicle", "food") or other.label == one.kind.label:
                continue
            share, lift = float(one.seen[other.backing].sum()), classes.lift(one.seen, other.backing)
            if share >= 0.2 and lift >= 2.8:
                sure = 1 / (1 + np.exp(-(-3.2 + 0.8 * lift + 3.0 * share + 1.0 * (one.persistence - 0.5))))
                out.append(
                    Thing(other.name, other.kind, min(float(sure), 0.85), tuple(one.sightings), one.score)
                )
    return out


def named_by_classifier(whole: NDArray[np.float64], known: list[Thing]) -> list[Thing]:
    """Things that fill the picture and that only the classifier knows, a guitar or a sailing ship."""
    classes, kinds = classifier_classes(), noun_kinds()
    mean = whole.mean(axis=0)
    names = {thing.name for thing in known if thing.confidence >= MIN_CONFIDENCE}
    animals = any(thing.kind == "animal" and thing.confidence >= MIN_CONFIDENCE for thing in known)
    out = []
    for noun, members in noun_members().items():
        if kinds[noun] not in ("object", "vehicle", "food", "plant", "animal", "structure") or noun in names:
            continue
        if (animals and kinds[noun] == "animal") or not _leads_its_family(noun, mean):
            continue
        share, lift = float(mean[members].sum()), classes.lift(mean, members)
        if noun in UNRELIABLE or share < 0.2 or lift < 3.2:
            continue
        shown = float(np.mean(whole[:, members].sum(axis=1) > 0.08))
        sure = float(1 / (1 + np.exp(-(-4.4 + 0.7 * lift + 5.0 * share + 1.5 * (shown - 0.5)))))
        out.append(Thing(noun, kinds[noun], min(sure, 0.95), ()))
    return out


def _leads_its_family(noun: str, mean: NDArray[np.float64]) -> bool:
    """Whether no relative is more probable: a violin is a little of a cello, too."""
    share = float(mean[noun_members()[noun]].sum())
    relatives = {other for family in FAMILIES if noun in family for other in family} & set(noun_members())
    return all(float(mean[noun_members()[other]].sum()) <= share for other in relatives)


def _resolve(things: list[Thing]) -> list[Thing]:
    """One thing per name, and of a family on the same place only the surest."""
    best: dict[str, Thing] = {}
    for thing in sorted(things, key=lambda t: (-t.confidence, t.name)):
        if thing.name not in best:
            best[thing.name] = thing
    kept: list[Thing] = []
    for thing in best.values():
        rivals = [k for k in kept if any(thing.name in f and k.name in f for f in FAMILIES)]
        if not any(_same_place(thing, rival) for rival in rivals):
            kept.append(thing)
    return kept


def _no_heads_for_balls(things: list[Thing]) -> list[Thing]:
    """Round heads and helmets are no balls: a ball at the top of a person is left out."""
    people = [s for t in things if t.name == "person" for s in t.sightings]

    def is_head(ball: Sighting) -> bool:
        x, y = (ball.box[0] + ball.box[2]) / 2, (ball.box[1] + ball.box[3]) / 2
        return any(
            p.frame == ball.frame
            and p.box[0] <= x <= p.box[2]
            and p.box[1] - 0.05 <= y <= p.box[1] + 0.3 * (p.box[3] - p.box[1])
            for p in people
        )

    return [t for t in things if t.name != "ball" or not any(is_head(s) for s in t.sightings)]


def _same_place(one: Thing, other: Thing) -> bool:
    """Whether half of the boxes of `one` lie on boxes of `other`, in any frame."""
    if not one.sightings or not other.sightings:
        return True
    hits = [any(iou(a.box, b.box) > 0.3 for b in other.sightings) for a in one.sightings]
    return sum(hits) >= 0.5 * len(hits)


def _generic(weak: tuple[Thing, ...], kind: str) -> list[Thing]:
    """The kind itself ("food") where several unsure things of that kind speak for it together."""
    some = [t for t in weak if t.kind == kind and t.confidence >= 0.15]
    doubt = float(np.prod([1 - t.confidence for t in some])) if some else 1.0
    if 1 - doubt < 0.6 or len(some) < 2:
        return []
    top = some[0]
    return [Thing(kind, kind, round(min(1 - doubt, 0.8), 3), top.sightings, top.score)]
