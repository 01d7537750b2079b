"""How probable it is that a named thing or place is in the clip, and in that number.

Log odds are added up: what the detector says of the noun's class, what the classifier says of it, how near its meaning
is to what the pictures show (`meaning`), and what the setting holds as a matter of course.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache

import numpy as np

from scoring.builtin.look import Look, SeenThing
from scoring.builtin.meaning import Mixture
from scoring.builtin.verdict import log_odds, probability
from scoring.builtin.wear import BODY, WEAR
from vidprompter.facts.claims import SEVERAL, Claim
from vidprompter.facts.lexicon import GENDERED, PLACES, SETTING_HOLDS
from vidprompter.sheet.vocabulary import classifier_classes, detector_classes, noun_kinds, noun_members

# Classes that this detector hardly misses where they are large enough to be worth a word.
FOUND_SURELY = frozenset(
    "person car bus truck train horse dog cat cow sheep elephant bear zebra giraffe airplane boat bird motorcycle "
    "bicycle pizza bed toilet couch umbrella".split()
)
INTERIORS = frozenset("car bus train airplane boat truck".split())
ANYONE = GENDERED | frozenset(
    "person people guy figure someone somebody adult kid child crowd human lady".split()
)
# What stands around in most pictures, so that it needs little evidence.
_COMMON = frozenset(
    "table wall floor ground sky window door tree building room grass light clothes shirt".split()
)
_INDOORS = frozenset(
    "kitchen bedroom bathroom room office classroom library restaurant cafe bar shop store supermarket hospital gym "
    "studio workshop factory warehouse garage laboratory corridor hallway lobby basement attic mall museum".split()
)
_OUTDOORS = frozenset(
    "park street road highway forest woods jungle beach shore coast ocean sea lake river pond waterfall mountain hill "
    "valley canyon desert field meadow garden yard farm village glacier cliff island lawn".split()
)
# Share of random nouns that are farther away -> probability, from captions of the development clips: of the nouns that
# are there half rank above 0.98, of the others one in ten.
_RANKS = ((0.0, 0.4, 0.7, 0.9, 0.98, 1.0), (0.12, 0.2, 0.36, 0.52, 0.7, 0.85))
_LIFTS = ((-1.0, 0.3, 1.0, 2.0, 3.0, 4.0), (-1.2, -0.8, -0.2, 0.6, 1.3, 2.0))
_SEEN = ((0.0, 0.05, 0.2, 0.5, 0.8, 1.0), (-1.4, -0.8, 0.1, 1.0, 2.0, 3.0))


@cache
def _detectable() -> frozenset[str]:
    return frozenset(one.name for one in detector_classes().values())


class Nouns:
    """The nouns of captions against one clip."""

    def __init__(self, look: Look, mixture: Mixture | None) -> None:
        self._look, self._mixture = look, mixture
        self._things: Mapping[str, SeenThing] = {thing.name: thing for thing in reversed(look.things)}
        self._lifts = _lifts(look)
        self._animal = max(
            (t for t in look.things if t.kind == "animal"), key=lambda t: t.confidence, default=None
        )

    @property
    def animal_unknown(self) -> bool:
        """Whether an animal was surely seen, but not which."""
        return self._animal is not None and self._animal.name == "animal" and self._animal.confidence >= 0.4

    def thing(self, claim: Claim) -> SeenThing | None:
        """What the detector or classifier saw under the claim's noun; None where it saw nothing of that name."""
        for name in self._names(claim):
            found = self._things.get(name)
            if found is not None and found.confidence > 0.02:
                return found
        if claim.noun_kind == "animal" and self._animal is not None and self._animal.name == "animal":
            return self._animal
        return None

    def person(self) -> SeenThing | None:
        """Who was seen, if anybody."""
        found = self._things.get("person")
        return found if found is not None and found.confidence > 0.15 else None

    def support(self, claim: Claim) -> tuple[float, str]:
        """How probable the thing or place is, 0-1, and what was seen of it."""
        odds = self._seen(claim) + self._classified(claim) + self._meant(claim)
        odds += self._around(claim)
        thing = self.thing(claim)
        shown = thing.name if thing is not None and thing.confidence >= 0.3 else ""
        if claim.kind == "place" and not shown:
            shown = self._look.sheet.scene.label
        return probability(odds), shown if shown != "unknown" else ""

    def _names(self, claim: Claim) -> list[str]:
        """Names of the networks that the noun may go under, the closest first."""
        names = [claim.phrase, claim.noun, claim.basic]
        if claim.noun_kind == "person":
            names.append("person")
        if claim.noun in ("vehicle", "animal"):
            kinds = [t.name for t in self._look.things if t.kind == claim.noun]
            names += kinds[:1]
        return [name for name in dict.fromkeys(names) if name]

    def _seen(self, claim: Claim) -> float:
        """Log odds from the detector."""
        if claim.noun_kind == "animal" and self._animal is not None and self._animal.confidence >= 0.4:
            return self._among_animals(claim, self._animal)
        own = [name for name in self._names(claim) if name in _detectable()]
        if claim.noun in ("vehicle", "animal"):
            own = [t.name for t in self._look.things if t.kind == claim.noun][:1] or [
                "car" if claim.noun == "vehicle" else "dog"
            ]
        if not own:
            return 0.0
        thing = next((self._things[name] for name in own if name in self._things), None)
        if thing is None:
            # From within, a car is no box; the classifier knows its seats and belts.
            inside = own[0] in INTERIORS and self._lifts.get(own[0], 0.0) > 1.0
            return -2.2 if own[0] in FOUND_SURELY and not inside else -0.6
        sure = max(thing.confidence, 0.75 / (1 + float(np.exp(-(thing.score - 0.6) / 0.05))))
        odds = float(np.interp(sure, *_SEEN))
        # A basic name says less than the word itself: not every car is a taxi.
        return (
            odds if thing.name in (claim.noun, claim.phrase) or claim.noun in ANYONE else 0.8 * min(odds, 1.5)
        )

    def _among_animals(self, claim: Claim, animal: SeenThing) -> float:
        if claim.noun == "animal" or animal.name in (claim.noun, claim.basic):
            return float(np.interp(animal.confidence, *_SEEN))
        if animal.name == "animal":
            return 0.3  # there is one, but which is not clear
        other = self._things.get(claim.basic)
        return -2.5 if other is None else float(np.interp(other.confidence, *_SEEN)) - 0.5

    def _classified(self, claim: Claim) -> float:
        """Log odds from the classifier, for nouns that it has learnt."""
        if claim.noun_kind == "person":
            return 0.0
        lift = next((self._lifts[name] for name in self._names(claim) if name in self._lifts), None)
        if lift is None:
            return 0.0
        odds = float(np.interp(lift, *_LIFTS))
        if claim.noun_kind not in ("animal", "food") and claim.basic not in FOUND_SURELY:
            # It names what a picture is of, and seldom what else is there.
            odds = max(odds, -0.9 if claim.noun in self._things or claim.noun in noun_members() else -0.5)
        known = self._animal is not None and self._animal.confidence >= 0.4 and self._animal.name != "animal"
        if claim.noun_kind == "animal" and known:
            return min(odds, 0.0)  # the detector's name was weighed against the classifier's already
        return odds

    def _meant(self, claim: Claim) -> float:
        """Log odds from the meaning of the word."""
        if self._mixture is None:
            return 0.0
        # Nothing here sees whether somebody is a man or a woman; a word's meaning would only tell what is usual.
        texts = {"person"} if claim.noun in ANYONE else {claim.phrase, claim.noun, claim.basic}
        odds = log_odds(float(np.interp(max(self._mixture.rank(text) for text in texts), *_RANKS)))
        return 0.4 * odds if claim.noun in ANYONE else odds

    def _around(self, claim: Claim) -> float:
        """Log odds from who is there to have it on, and from the setting."""
        odds = 0.0
        living = self.person() is not None or (self._animal is not None and self._animal.confidence > 0.5)
        if claim.noun in BODY:
            odds += 0.7 if living else -0.4
        elif claim.noun in WEAR:
            odds += 0.4 if self.person() is not None else -0.8
        if claim.noun in _COMMON:
            odds += 0.6
        scene = self._look.sheet.scene
        labels = {scene.label: scene.confidence} | {o.label: 0.7 * o.confidence for o in scene.others}
        same = {claim.noun, claim.noun + "s", claim.basic, f"{claim.noun} interior"}
        odds += 2.0 * max(labels.get(label, 0.0) for label in same)
        held = max(
            (c for label, c in labels.items() if claim.noun in SETTING_HOLDS.get(label, "").split()),
            default=0.0,
        )
        odds += 1.0 * held
        if claim.noun in PLACES:
            odds += self._side(claim.noun, labels)
        return odds

    def _side(self, noun: str, labels: Mapping[str, float]) -> float:
        """Whether a place lies on the side of the door that was seen."""
        inside = sum(c for label, c in labels.items() if label in _INDOORS)
        outside = sum(
            c
            for label, c in labels.items()
            if label in _OUTDOORS or label in ("mountains", "grass", "outdoors")
        )
        tilt = float(np.clip(inside - outside, -1.0, 1.0))
        return 0.8 * tilt if noun in _INDOORS else -0.8 * tilt if noun in _OUTDOORS else 0.0

    def number_support(self, claim: Claim) -> tuple[float, str]:
        """How well the number fits, 0-1, and the usual number seen."""
        thing = self.thing(claim)
        shown = Counter(n for n in thing.counts if n) if thing is not None else Counter()
        if thing is None or not shown or claim.noun in BODY:
            return _usual_number(claim), ""
        total = sum(shown.values())
        share = {n: times / total for n, times in shown.items()}
        if claim.said == SEVERAL:
            many = sum(part for n, part in share.items() if n > 1)
            support = 0.25 + 0.65 * many if claim.firm else 0.38 + 0.5 * many
        else:
            support = _number_fit(int(claim.said), share)
            if claim.said == "1" and not claim.firm:
                support = max(support, 0.52)  # "a man" may be one of several
        sure = max(thing.confidence, 0.5 * min(1.0, thing.score / 0.6))
        if thing.name != claim.noun and claim.noun not in ANYONE:
            sure *= 0.6  # people were counted, and not cyclists
        usual = max(share, key=lambda n: (share[n], n))
        return 0.5 + sure * (support - 0.5), str(usual)


def _number_fit(number: int, share: Mapping[int, float]) -> float:
    """0.1 to 0.95: how near a number is to those seen, set against the best number."""

    def near(n: int) -> float:
        return sum(part * float(np.exp(-abs(n - seen))) for seen, part in share.items())

    best = max(near(n) for n in range(1, max(share) + 2))
    return 0.1 + 0.85 * min(1.0, near(number) / best) ** 2


def _usual_number(claim: Claim) -> float:
    """For what no detector counts: one is commoner than three, and three than nine."""
    if claim.said == SEVERAL:
        return 0.5
    return float(np.interp(int(claim.said), (1, 2, 3, 4, 6, 12), (0.6, 0.46, 0.4, 0.36, 0.32, 0.25)))


def _lifts(look: Look) -> dict[str, float]:
    """For each noun of the classifier how much more probable it is than usual (natural logarithm): in all pictures, in
    those that show it best, or on people; of animals on the animal that was seen, if any was."""
    classes = classifier_classes()
    rows = look.classes.astype(np.float64)
    if not len(rows):
        return {}
    out = {}
    for noun, members in noun_members().items():
        mean = classes.lift(rows.mean(axis=0), members)
        best = np.sort(rows[:, members].sum(axis=1))[-3:].mean()
        usual = float(classes.usual[members].sum())
        seen = [mean, float(np.log((best + 0.003) / (usual + 0.003))) - 0.4]
        kind = noun_kinds()[noun]
        if look.animal is not None and kind == "animal":
            seen = [classes.lift(look.animal.astype(np.float64), members)]
        if look.worn is not None and kind in ("wear", "object", "vehicle"):
            seen.append(classes.lift(look.worn.astype(np.float64), members) - 0.2)
        out[noun] = max(seen)
    for one in detector_classes().values():  # a detector's class is backed by several of the classifier's
        if len(one.backing):
            out[one.name] = max(out.get(one.name, -9.0), classes.lift(rows.mean(axis=0), one.backing))
    return out
