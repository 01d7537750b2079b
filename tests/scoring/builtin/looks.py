"""Looks made by hand, and an encoder of letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scoring.builtin.look import Look, SeenThing, ShotCamera
from scoring.builtin.meaning import Meanings
from vidprompter.sheet.colors import NAMES
from vidprompter.sheet.types import (
    CameraMotion,
    ColorFact,
    LightFact,
    ObjectFact,
    SceneFact,
    SceneSheet,
    Shot,
)
from vidprompter.sheet.vocabulary import classifier_classes

PAN_LEFT = CameraMotion("pan left", 0.1, 0.9)
SHEET = SceneSheet(
    path="road.mp4",
    duration=4.0,
    width=640,
    height=360,
    fps=25.0,
    camera=PAN_LEFT,
    shots=(Shot(0.0, 4.0, PAN_LEFT, "wide shot", 0.9),),
    objects=(ObjectFact("car", 2, 0.95, "white", 0.9, "center", "moving left", 0.9, area=0.1),),
    scene=SceneFact("road", 0.8),
    palette=(ColorFact("gray", "#777777", 0.8), ColorFact("white", "#ffffff", 0.1)),
    light=LightFact("soft", 0.8, "neutral", 0.45),
    pace="moderate",
)


class Letters:
    """How often each letter stands in a text, as a vector of length 1; enough to be deterministic."""

    revision = "letters"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, 27)."""
        rows = np.zeros((len(texts), 27), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.lower():
                row[ord(letter) - 97 if "a" <= letter <= "z" else 26] += 1
            row[26] += 0.1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def shares(**parts: float) -> NDArray[np.float32]:
    """(3, 17) the same colour shares in all bands; underscores stand for blanks."""
    bands = np.zeros((3, len(NAMES)), np.float32)
    for name, share in parts.items():
        bands[:, NAMES.index(name.replace("_", " "))] = share
    return bands


def road() -> Look:
    """Two white cars on a gray road, the camera pans left."""
    usual = classifier_classes().usual
    classes = np.repeat((usual / usual.sum())[None], 3, axis=0).astype(np.float16)
    cars = SeenThing("car", "vehicle", 0.95, 0.8, (2, 2, 2), 0.1, shares(white=0.8, dark_gray=0.2))
    bands = np.repeat(shares(gray=0.85, white=0.15)[None], 3, axis=0)
    camera = ShotCamera(4.0, (0.1, 0.0, 0.0, 0.0), (1.0, 0.1, 0.1, 0.1), 0.003, 1.0)
    return Look(SHEET, classes, None, None, (cars,), bands, (camera,))


def without_camera(look: Look) -> Look:
    """The same where nothing is known of the camera."""
    unknown = CameraMotion("unknown", 0.0, 0.0)
    shot = replace(look.sheet.shots[0], camera=unknown, size="unknown", size_confidence=0.0)
    return replace(look, sheet=replace(look.sheet, camera=unknown, shots=(shot,)), cameras=())


def meanings() -> Meanings:
    """Meanings by letters."""
    return Meanings(Letters())
