"""Meanings of words against what the networks saw: the names of the probable classes, mixed (ConSE).

Norouzi et al. 2013 ("Zero-shot learning by convex combination of semantic embeddings"): the probabilities of a
classifier weight the embeddings of its class names, and the mixture lies where an image of that content would. Any word
can then be compared with the picture, also one that the classifier never learnt. We weight the news (what a class says
beyond what it says of anything), and add what the detector found and the setting.

Some words are near to everything ("dog", "room"). Of a cosine we therefore take off a share of the word's mean cosine
with its nearest random nouns, as Conneau et al. 2018 do for translations (cross-domain similarity local scaling).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scoring.builtin.look import Look
from vidprompter.facts.text_facts import noun_kinds
from vidprompter.sheet.vocabulary import classifier_classes, noun_members

Vector = NDArray[np.float32]

TOP = 10  # nouns of the classifier in one mixture, as in the paper
THING_WEIGHT = 0.5  # of a sure thing of the detector, against 1 for all the classifier's news
SCENE_WEIGHT = 0.3
NEIGHBOURS, CROWDED = (
    10,
    0.7,
)  # random nouns that tell how crowded a place is, and the share that is taken off
EVERY = 7  # each so-many-th noun of the table of visible nouns serves as a random one
SEEN_KINDS = frozenset(("animal", "artifact", "food", "object", "person", "place", "plant"))


class Encoder(Protocol):
    """Texts as vectors of length 1."""

    @property
    def revision(self) -> str:
        """Of the weights."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) for N texts."""
        ...


class Meanings:
    """Vectors of words, each computed once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vector] = {}
        self._random: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def learn(self, texts: Iterable[str]) -> None:
        """Encodes what is not known yet, in one go."""
        new = sorted({text for text in texts if text and text not in self._known})
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))

    def of(self, text: str) -> Vector:
        """The vector of a text."""
        self.learn([text])
        return self._known[text]

    @property
    def random(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N, D) vectors of nouns drawn from all that can be seen, and (N,) how crowded it is around each."""
        if self._random is None:
            nouns = sorted(noun for noun, kind in noun_kinds().items() if kind.kind in SEEN_KINDS)[::EVERY]
            self.learn(nouns)
            vectors = np.array([self._known[noun] for noun in nouns])
            others = vectors @ vectors.T
            np.fill_diagonal(others, -1.0)
            self._random = vectors, _highest(others)
        return self._random

    def crowd(self, vector: Vector) -> float:
        """How crowded it is around a vector: the mean cosine with the nearest random nouns, itself left out."""
        cosines = self.random[0] @ vector
        return float(_highest(np.where(cosines > 0.999, -1.0, cosines)[None])[0])


def _highest(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) mean of the `NEIGHBOURS` highest of each row (N, M)."""
    return np.asarray(np.sort(cosines, axis=1)[:, -NEIGHBOURS:].mean(axis=1), np.float32)


@dataclass(frozen=True)
class Mixture:
    """Where a clip lies among meanings.

    clip: (D,) of all pictures together; pictures: (T, D) of each. chance: (N,) sorted nearness of random nouns.
    meanings: the vectors of words.
    """

    clip: Vector
    pictures: NDArray[np.float32]
    chance: NDArray[np.float32]
    meanings: Meanings

    def nearness(self, text: str) -> float:
        """How near a text is: the mean of the cosines with the clip and with the nearest picture, less the crowd."""
        vector = self.meanings.of(text)
        return float(_cosines(self.clip, self.pictures, vector[None])[0]) - CROWDED * self.meanings.crowd(
            vector
        )

    def rank(self, text: str) -> float:
        """The share, 0-1, of random nouns that are farther away."""
        return float(np.searchsorted(self.chance, self.nearness(text))) / len(self.chance)

    def surprise(self, text: str) -> float:
        """How many standard deviations of the random nouns the text is nearer than their mean."""
        return (self.nearness(text) - float(self.chance.mean())) / max(float(self.chance.std()), 1e-6)


def _cosines(
    clip: Vector, pictures: NDArray[np.float32], vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(0.5 * (vectors @ clip) + 0.5 * (vectors @ pictures.T).max(axis=1), np.float32)


def mix(look: Look, meanings: Meanings) -> Mixture:
    """The mixture of a clip."""
    extra = _extras(look)
    whole = look.classes.astype(np.float64).mean(axis=0)
    worn = look.worn.astype(np.float64) if look.worn is not None else None
    weights = [_news(whole if worn is None else 0.7 * whole + 0.3 * worn, extra)]
    for number, row in enumerate(look.classes.astype(np.float64)):
        shown = {
            thing.name: extra[thing.name]
            for thing in look.things
            if thing.name in extra and thing.counts and number < len(thing.counts) and thing.counts[number]
        }
        weights.append(_news(row, shown))
    meanings.learn({noun for some in weights for noun in some})
    vectors = np.array([_combine(some, meanings) for some in weights], np.float32)
    nouns, crowds = meanings.random
    chance = np.sort(_cosines(vectors[0], vectors[1:], nouns) - CROWDED * crowds)
    return Mixture(vectors[0], vectors[1:], chance, meanings)


def _extras(look: Look) -> dict[str, float]:
    found: dict[str, float] = {}
    for thing in look.things:
        if thing.counts and thing.confidence >= 0.3:
            found[thing.name] = THING_WEIGHT * thing.confidence
    scene = look.sheet.scene
    for label, confidence in [
        (scene.label, scene.confidence),
        *((o.label, o.confidence) for o in scene.others),
    ]:
        if label not in ("unknown", "plain background") and confidence >= 0.2:
            found[label] = max(found.get(label, 0.0), SCENE_WEIGHT * confidence)
    return found


def _news(probabilities: NDArray[np.float64], extra: Mapping[str, float]) -> dict[str, float]:
    """Noun -> weight: the classifier's news, which sum to at most 1, and the extras."""
    news = np.maximum(probabilities - classifier_classes().usual, 0.0)
    nouns = {noun: float(news[members].sum()) for noun, members in noun_members().items()}
    top = sorted(nouns.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    total = max(sum(weight for _, weight in top), 0.15)  # little news are no news
    found = {noun: weight / total for noun, weight in top if weight > 0}
    for noun, weight in extra.items():
        found[noun] = found.get(noun, 0.0) + weight
    return found or {"scene": 1.0}


def _combine(weights: Mapping[str, float], meanings: Meanings) -> Vector:
    total = np.sum([weight * meanings.of(noun) for noun, weight in sorted(weights.items())], axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-9), np.float32)
