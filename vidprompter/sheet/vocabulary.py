"""The words for what the two networks see: tables of the classes, read from `vidprompter/data`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DATA = Path(__file__).resolve().parents[1] / "data"
_FLOOR = 0.0004  # added to the usual probability of a class, so that rare classes do not look like news
BIRDS = frozenset(
    "bird,bird of prey,eagle,vulture,owl,chicken,ostrich,grouse,peacock,quail,partridge,parrot,hornbill,"
    "hummingbird,toucan,duck,goose,swan,stork,spoonbill,flamingo,heron,crane,pelican,penguin,seabird".split(
        ","
    )
)


@dataclass(frozen=True)
class Classes:
    """The classifier's classes by number: plain noun, kind, setting and its weight, usual probability."""

    nouns: tuple[str, ...]
    kinds: tuple[str, ...]
    scenes: tuple[str, ...]
    scene_weights: NDArray[np.float64]
    usual: NDArray[np.float64]

    def members(self, nouns: frozenset[str]) -> NDArray[np.intp]:
        """Numbers of the classes that bear one of the nouns."""
        return np.array([i for i, noun in enumerate(self.nouns) if noun in nouns], np.intp)

    def lift(self, probabilities: NDArray[np.floating], members: NDArray[np.intp]) -> float:
        """log of how much more probable these classes are than usual; 0 for no classes at all.

        probabilities: (1000,). A group of a hundred breeds is met by chance far more than a group of one:
        the usual probability of the group takes that out.
        """
        if not len(members):
            return 0.0
        usual = float(self.usual[members].sum())
        return float(np.log((float(probabilities[members].sum()) + 0.003) / (usual + 0.003)))


@dataclass(frozen=True)
class DetectorClass:
    """One of the detector's classes: its plain name, kind, classes that back it, and a setting."""

    label: str
    name: str
    kind: str
    backing: NDArray[np.intp]
    scene: str
    scene_weight: float


def _rows(name: str) -> Iterator[list[str]]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    for line in [line for line in lines if not line.startswith("#")][1:]:
        yield line.split("\t")


@cache
def classifier_classes() -> Classes:
    """The 1000 ImageNet classes as people would say them."""
    rows = list(_rows("imagenet_basic.tsv"))
    return Classes(
        nouns=tuple(row[2] for row in rows),
        kinds=tuple(row[3] for row in rows),
        scenes=tuple(row[4] for row in rows),
        scene_weights=np.array([float(row[5]) for row in rows]),
        usual=np.array([float(row[6]) for row in rows]) + _FLOOR,
    )


@cache
def detector_classes() -> dict[str, DetectorClass]:
    """The 80 COCO classes by the detector's label."""
    classes = classifier_classes()
    out = {}
    for label, name, kind, backing, scene, weight in _rows("coco_names.tsv"):
        nouns = BIRDS if backing == "*bird" else frozenset(filter(None, backing.split(",")))
        kinds = {"animal"} if backing == "*bird" else None
        members = classes.members(nouns)
        if kinds is not None:
            members = np.array([i for i in members if classes.kinds[i] in kinds], np.intp)
        out[label] = DetectorClass(label, name, kind, members, scene, float(weight))
    return out


@cache
def noun_members() -> dict[str, NDArray[np.intp]]:
    """Numbers of the classes behind each plain noun."""
    classes = classifier_classes()
    groups: dict[str, list[int]] = {}
    for i, noun in enumerate(classes.nouns):
        groups.setdefault(noun, []).append(i)
    return {noun: np.array(members, np.intp) for noun, members in groups.items()}


@cache
def noun_kinds() -> dict[str, str]:
    """The kind of each plain noun, that of its first class."""
    classes = classifier_classes()
    kinds: dict[str, str] = {}
    for noun, kind in zip(classes.nouns, classes.kinds, strict=True):
        kinds.setdefault(noun, kind)
    return kinds
