"""How well a colour word fits measured colours: on the thing itself, or anywhere in the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.builtin.look import Look, SeenThing
from scoring.builtin.wear import BODY, LOW_WEAR, TOP_WEAR, WEAR
from vidprompter.facts.claims import MONOCHROME, Claim
from vidprompter.facts.lexicon import PARTS
from vidprompter.sheet.colors import NAMES

_INDEX = {name: number for number, name in enumerate(NAMES)}
# Which measured names a said colour may stand for, and how well: light and shade turn the one into the other.
_MEANT: dict[str, dict[str, float]] = {
    "black": {"black": 1, "dark gray": 0.7, "dark blue": 0.3, "dark green": 0.15},
    "white": {"white": 1, "gray": 0.35, "light blue": 0.3, "beige": 0.3},
    "gray": {"gray": 1, "dark gray": 1, "white": 0.2, "black": 0.1, "light blue": 0.1},
    "silver": {"gray": 1, "white": 0.5, "dark gray": 0.4},
    "red": {"red": 1, "pink": 0.35, "brown": 0.25, "orange": 0.2},
    "maroon": {"red": 1, "brown": 0.5},
    "orange": {"orange": 1, "brown": 0.45, "yellow": 0.4, "red": 0.2, "beige": 0.1},
    "golden": {"yellow": 1, "orange": 1, "brown": 0.6, "beige": 0.6},
    "brown": {"brown": 1, "beige": 0.35, "orange": 0.35, "red": 0.2, "dark gray": 0.05},
    "beige": {"beige": 1, "brown": 0.4, "white": 0.25, "yellow": 0.2, "gray": 0.1},
    "yellow": {"yellow": 1, "orange": 0.35, "beige": 0.25, "green": 0.1},
    "green": {"green": 1, "dark green": 1, "teal": 0.3, "yellow": 0.1},
    "teal": {"teal": 1, "light blue": 0.5, "blue": 0.3, "green": 0.2},
    "blue": {"blue": 1, "light blue": 1, "dark blue": 1, "teal": 0.6, "purple": 0.15},
    "navy": {"dark blue": 1, "blue": 0.5, "black": 0.3},
    "purple": {"purple": 1, "pink": 0.25, "dark blue": 0.1, "blue": 0.05},
    "pink": {"pink": 1, "purple": 0.3, "red": 0.2},
}
_SAME = {
    "grey": "gray", "crimson": "red", "scarlet": "red", "amber": "golden", "gold": "golden", "tan": "beige",
    "cream": "beige", "emerald": "green", "olive": "green", "turquoise": "teal", "cyan": "teal", "azure": "blue",
    "violet": "purple", "lavender": "purple", "magenta": "pink",
}  # fmt: skip
_ABOVE = frozenset("sky cloud ceiling sun".split())
_BELOW = frozenset(
    "ground road street floor grass lawn meadow field carpet rug sand beach snow water sea lake river asphalt tarmac "
    "pavement sidewalk path track terrain soil ocean pool".split()
)
_UPRIGHT = frozenset("wall curtain fence building".split())
_AROUND = frozenset("background backdrop room scene landscape forest mountain hill".split())
_SKIN = frozenset(("brown", "beige", "pink", "orange"))
_DARK = ("black", "dark gray")
NEAR = 0.3  # share of the frame
# Share of a region's pixels from which a colour speaks for itself, and below which it is not there.
_OWN, _STUFF, _ANYWHERE, _ANYWHERE_RARE = (0.012, 0.35), (0.01, 0.4), (0.0008, 0.2), (0.0004, 0.05)
# How many pictures have something of a colour, whatever they show; from counts on the development clips.
_CHANCE = {
    "gray": 0.95, "silver": 0.95, "black": 0.8, "white": 0.7, "brown": 0.6, "beige": 0.6, "golden": 0.5, "blue": 0.4,
    "navy": 0.4, "green": 0.4, "orange": 0.25, "red": 0.2, "maroon": 0.2, "yellow": 0.2, "teal": 0.2, "pink": 0.15,
    "purple": 0.08,
}  # fmt: skip
_GRAYS = frozenset(("black", "white", "gray", "silver"))
_NEUTRAL = frozenset(("black", "dark gray", "gray", "white"))


def weights_of(color: str) -> NDArray[np.float64]:
    """(17,) how well each measured name fits a said colour, 0-1; zeros for a word that is no colour."""
    meant = _MEANT.get(_SAME.get(color, color), {})
    return np.array([meant.get(name, 0.0) for name in NAMES])


def same_color(one: str, other: str) -> bool:
    """Whether two colour words, said or measured ("dark blue", "black and white"), may mean one colour."""
    parts = [part.strip() for part in other.split(" and ")]
    return any(part in _INDEX and weights_of(one)[_INDEX[part]] >= 0.5 for part in parts)


def color_support(
    claim: Claim, look: Look, thing: SeenThing | None, person: SeenThing | None
) -> tuple[float, str]:
    """How well the colour fits, 0-1, and what was measured there.

    thing: what was seen of the thing itself; person: of whom may wear it.
    """
    if claim.said == MONOCHROME:
        return _monochrome(look)
    if look.sheet.monochrome and claim.said not in ("black", "white", "gray", "grey", "silver"):
        return 0.05, "black and white"
    weights = weights_of(claim.said)
    # A fifth of the picture in brown is no proof of a little red in it.
    strict = np.where(weights >= 0.5, weights, 0.03 * weights)
    anywhere = _by_chance(_often(look).mean(axis=0), claim.said, strict)
    regions, limits = _regions(claim, look, thing, person)
    regions = [region for region in regions if region.sum() > 0]
    if not regions:
        return (anywhere, _names(look.bands.mean(axis=(0, 1)))) if look.bands.any() else (0.5, "")
    # Parts of things are small: what else is there must not pass for their colour.
    fits = [float(region @ (weights if claim.noun_kind != "part" else strict)) for region in regions]
    best = int(np.argmax(fits))
    region = regions[best]
    support = _from_share(fits[best], *limits) * _leading(claim.said, fits[best], region)
    dark = float(sum(region[_INDEX[name]] for name in _DARK))
    if claim.said not in ("black", "gray", "grey"):
        # In the dark every colour is near black: it may be there and not be seen.
        support += 0.5 * max(0.0, dark - 0.3) * (0.45 - support) if support < 0.45 else 0.0
    if thing is not None or claim.noun in WEAR or limits is not _STUFF:
        # Another one of the kind may be of that colour: seen anywhere, it is not quite wrong.
        support = max(support, 0.4 * anywhere)
    return support, _names(region)


def _leading(color: str, fit: float, region: Region) -> float:
    """0.65 to 1: less for a colour that another one outdoes in its region, since the most of a thing names it.

    Shadow, glass and haze give grays to any thing: they are no rivals of a hue, but hues are of them.
    """
    name = _SAME.get(color, color)
    rivals = [float(region @ weights_of(other)) for other in _MEANT if name in _GRAYS or other not in _GRAYS]
    part = 0.65 + 0.35 * fit / max(*rivals, fit, 1e-6)
    hues = float(sum(share for n, share in zip(NAMES, region, strict=True) if n not in _NEUTRAL)) / max(
        float(region.sum()), 1e-6
    )
    return part * (1 - 0.4 * hues) if name in ("black", "gray", "silver") else part


def _by_chance(whole: Region, color: str, strict: NDArray[np.float64]) -> float:
    """What a colour anywhere in the picture says for a thing: much if it is rare, hardly anything if it always is.

    whole: colour shares of the clip; strict: how well each measured name fits the colour.
    """
    chance = _CHANCE.get(_SAME.get(color, color), 0.4)
    low, high = _ANYWHERE if chance > 0.5 else _ANYWHERE_RARE
    share = float(whole @ strict)
    most = max(float(one) for name, one in zip(NAMES, whole, strict=True) if name not in _NEUTRAL)
    part = 0.85 + 0.15 * min(1.0, share / max(most, 1e-6))
    return part * _from_share(share, low, high, 0.9 / (0.9 + chance))


def _from_share(share: float, low: float, high: float, most: float = 0.9) -> float:
    """0.05 at `low`, `most` at `high`, straight in the logarithm; a little slope beyond, so that more is better."""
    at = float(np.log(max(share, 1e-6) / low) / np.log(high / low))
    if at <= 0:
        return 0.05 * float(np.exp(max(at, -2.0)))
    if at >= 1:
        return most + 0.03 * min(1.0, (share - high) / (1 - high + 1e-9))
    return 0.05 + (most - 0.05) * at


Region = NDArray[np.float64]


def _regions(
    claim: Claim, look: Look, thing: SeenThing | None, person: SeenThing | None
) -> tuple[list[Region], tuple[float, float]]:
    """Where to look for the colour of a thing, as colour shares, and the two limits; no region: anywhere."""
    noun = claim.noun
    if noun in WEAR and thing is None and person is not None and person.confidence >= 0.5:
        return _worn(noun, person), _OWN
    if thing is not None and thing.counts and any(thing.counts):
        bands = thing.colors.astype(np.float64)
        if thing.kind == "person":
            return _worn("clothes", thing), _OWN
        return [bands.mean(axis=0), *(0.6 * bands)], _OWN
    whole = _often(look)
    if noun in _ABOVE:
        return [whole[0]], _STUFF
    if noun in _BELOW:
        return [whole[1:].mean(axis=0)], _STUFF
    if noun in _UPRIGHT:
        return [whole[:2].mean(axis=0)], _STUFF
    if noun in _AROUND:
        return [whole.mean(axis=0)], _STUFF
    if noun in PARTS or claim.noun_kind == "part":
        # Parts are on things: what is on none of them counts less.
        sure = [t for t in look.things if t.confidence > 0.4 and t.counts]
        return [0.6 * band for t in sure for band in t.colors.astype(np.float64)], _OWN
    return [], _OWN


def _worn(noun: str, person: SeenThing) -> list[Region]:
    top, middle, low = person.colors.astype(np.float64)
    clothed = np.array([name not in _SKIN for name in NAMES])
    if noun in TOP_WEAR:
        return [top if noun in BODY else top * np.where(clothed, 1.0, 0.5)]
    if noun in LOW_WEAR:
        return [low, 0.6 * middle]
    if person.area <= NEAR:
        return [middle, low]
    # Of someone near, the chest fills the lower third, and skin much of the others.
    return [low, 0.5 * middle * clothed, 0.5 * top * clothed]


def _often(look: Look) -> NDArray[np.float64]:
    """(3, 17) colour shares of the picture's bands: half of all pictures, half of the three that show most of each."""
    bands = look.bands.astype(np.float64)
    top = np.sort(bands, axis=0)[-3:].mean(axis=0)
    return np.asarray(0.5 * bands.mean(axis=0) + 0.5 * top)


def _monochrome(look: Look) -> tuple[float, str]:
    if look.sheet.monochrome:
        return 0.96, "black and white"
    gray = sum(
        float(look.bands[..., _INDEX[name]].mean()) for name in ("black", "dark gray", "gray", "white")
    )
    return (0.3 if gray > 0.93 else 0.08), "colours"


def _names(region: Region, count: int = 2) -> str:
    order: Sequence[int] = np.argsort(-region, kind="stable").tolist()
    return ", ".join(NAMES[n] for n in order[:count] if region[n] > 0.05)
