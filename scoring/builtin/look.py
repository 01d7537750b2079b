"""One look at a clip: its sheet and the evidence behind it, small enough to send between processes.

The sheet states what is sure. A caption may say what is not in it, so the evidence is kept as well: what the networks
thought of each picture, how many of each thing every picture shows, which colours there are on it and anywhere, and
how each shot's camera went. Runs in worker processes; torch is never imported here.

NOTE: looks are kept on disk: whoever changes what one holds raises `scoring.builtin.kept.VERSION`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidprompter.sheet.camera.classify import find_trend, layer_confidence
from vidprompter.sheet.camera.fits import PairFits
from vidprompter.sheet.colors import NAMES, name_indices, to_lab
from vidprompter.sheet.measure import Measured, load_networks, measure_fully, sampling_plans
from vidprompter.sheet.objects import strong_sightings
from vidprompter.sheet.recognize import Thing
from vidprompter.sheet.types import SceneSheet
from vidprompter.sheet.views import Box, crop
from vidprompter.sheet.vocabulary import classifier_classes, detector_classes, noun_kinds

if TYPE_CHECKING:
    from vidprompter.video.clip import Clip

_BROWN, _ORANGE = NAMES.index("brown"), NAMES.index("orange")
BANDS = 3  # of a picture, from top to bottom: sky, middle, ground
MAX_LOOKS = 8  # boxes of one thing whose colours are counted
CLOSE_LOOKS = (
    3  # boxes of people and animals shown to the classifier: the detector names no clothes, and few animals
)
HEAD = 0.55  # upper part of an animal's box, where its face is
MIN_COLOR = 0.35  # confidence of a sheet's colour from which it counts
MIN_SIDE = 6  # pixels of a part that has a colour


@dataclass(frozen=True)
class SeenThing:
    """One kind of thing, sure or not. counts: of its strong boxes in each picture, 0 where it is not seen.

    colors: (3, 17) float32, share of each colour of `vidprompter.sheet.colors.NAMES` in the upper, middle and lower
    third of its boxes, what stands around them taken out; rows of zeros where it has no box. area: median, 0-1.
    """

    name: str
    kind: str
    confidence: float
    score: float
    counts: tuple[int, ...] = ()
    area: float = 0.0
    colors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((BANDS, len(NAMES)), np.float32))


@dataclass(frozen=True)
class ShotCamera:
    """How the camera of one shot went. rates: x, y in frames per second, log scale and radians per second.

    steadiness: net over travelled way of each, 0-1. jitter: frames per second around the trend. sure: 0-1, that it was
    the scene which was followed.
    """

    seconds: float
    rates: tuple[float, float, float, float]
    steadiness: tuple[float, float, float, float]
    jitter: float
    sure: float


@dataclass(frozen=True)
class Look:
    """What was seen of a clip. T pictures.

    classes: (T, 1000) float16, probabilities of the ImageNet classes in each picture. worn, animal: (1000,) float16,
    those on people and on the surest animal, None without any. things: all that was considered, surest first.
    bands: (T, 3, 17) float32, share of each colour in the upper, middle and lower third of each picture. cameras: of
    the shots that could be followed.
    """

    sheet: SceneSheet
    classes: NDArray[np.float16]
    worn: NDArray[np.float16] | None
    animal: NDArray[np.float16] | None
    things: tuple[SeenThing, ...]
    bands: NDArray[np.float32]
    cameras: tuple[ShotCamera, ...]


@dataclass(frozen=True)
class LookItem:
    """What a worker is asked to look at: the part of a file between `start` and `end` seconds, None for all of it."""

    path: Path
    start: float | None = None
    end: float | None = None


def look_at_file(item: LookItem) -> Look:
    """The look at one file, decoded once.

    Raises:
        WeightsMissing: the detector's or classifier's weights were not fetched yet.
        VideoError: the file cannot be read.
        InputError: the range lies outside of the video.
    """
    from vidprompter.video.source import VideoSource

    load_networks()
    source = VideoSource(item.path, start=item.start, end=item.end, threads=1)
    pictures, dense = source.sample(*sampling_plans())
    return look_at_clips(pictures, dense, start=item.start, end=item.end)


def look_at_clips(
    pictures: Clip, dense: Clip, *, start: float | None = None, end: float | None = None
) -> Look:
    """The look at two samplings of one source; arguments and errors as `vidprompter.sheet.measure.measure_clips`."""
    measured = measure_fully(pictures, dense, start=start, end=end)
    return look_of(measured)


def look_of_sheet(sheet: SceneSheet) -> Look:
    """What a sheet alone says: its things as they stand, no pictures, no rates of the camera."""
    things = tuple(
        SeenThing(
            name=fact.label,
            kind=_kind(fact.label),
            confidence=fact.confidence,
            score=0.6,
            counts=(fact.count,),
            area=fact.area,
            colors=_stated_colors(fact.color, fact.color_confidence),
        )
        for fact in sheet.objects
    )
    palette = np.zeros((1, BANDS, len(NAMES)), np.float32)
    for color in sheet.palette:
        if color.name in NAMES:
            palette[..., NAMES.index(color.name)] += color.share
    classes = np.zeros((0, len(classifier_classes().nouns)), np.float16)
    return Look(sheet, classes, None, None, things, palette, ())


def _kind(label: str) -> str:
    known = {one.name: one.kind for one in detector_classes().values()}
    return known.get(label) or noun_kinds().get(label, label)


def _stated_colors(color: str, sure: float) -> NDArray[np.float32]:
    """(3, 17) shares as if the thing were of that colour all over; zeros where it is not sure."""
    bands = np.zeros((BANDS, len(NAMES)), np.float32)
    parts = [part for part in color.split(" and ") if part in NAMES]
    for part in parts if sure >= MIN_COLOR else ():
        bands[:, NAMES.index(part)] = 1 / len(parts)
    return bands


def look_of(measured: Measured) -> Look:
    """The evidence of a measured clip."""
    things = tuple(_seen_thing(thing, measured.shown) for thing in measured.seen.weak)
    cameras = [
        camera
        for shot, fit in zip(measured.sheet.shots, measured.fits, strict=True)
        if fit is not None and (camera := _shot_camera(fit, shot.end - shot.start)) is not None
    ]
    return Look(
        sheet=measured.sheet,
        classes=measured.seen.whole.astype(np.float16),
        worn=_close(measured, "person"),
        animal=_close(measured, "animal"),
        things=things,
        bands=_bands(measured.shown),
        cameras=tuple(cameras),
    )


def _seen_thing(thing: Thing, shown: NDArray[np.uint8]) -> SeenThing:
    if not thing.sightings:
        return SeenThing(thing.name, thing.kind, thing.confidence, thing.score)
    strong = strong_sightings(thing.sightings)
    counts = Counter(one.frame for one in strong)
    best = sorted(strong, key=lambda one: -one.score)[:MAX_LOOKS]
    colors = np.mean([_box_colors(shown[one.frame], one.box) for one in best], axis=0)
    areas = [(one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) for one in strong]
    return SeenThing(
        name=thing.name,
        kind=thing.kind,
        confidence=thing.confidence,
        score=thing.score,
        counts=tuple(counts.get(number, 0) for number in range(len(shown))),
        area=float(np.median(areas)),
        colors=np.asarray(colors, np.float32),
    )


def _box_colors(frame: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
    """(3, 17) colour shares of the thirds of a box, less what is seen left and right of it at the same height."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    wide = x1 - x0
    left, right = slice(int(max(0, x0 - 0.4 * wide)), int(x0)), slice(int(x1), int(x1 + 0.4 * wide))
    out = np.zeros((BANDS, len(NAMES)))
    for band in range(BANDS):
        rows = slice(int(y0 + band * (y1 - y0) / BANDS), int(y0 + (band + 1) * (y1 - y0) / BANDS) + 1)
        # The corners of a box show what stands behind the thing.
        inner = frame[rows, int(x0 + 0.12 * wide) : int(x1 - 0.12 * wide) + 1]
        if min(inner.shape[:2]) < MIN_SIDE // BANDS:
            continue
        own = _shares(inner)
        around = np.concatenate([frame[rows, left].reshape(-1, 3), frame[rows, right].reshape(-1, 3)])
        if len(around) >= 16:
            own = own - np.minimum(0.5 * _shares(around), 0.6 * own)
        out[band] = own / max(float(own.sum()), 1e-9)
    return out


def _shares(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(17,) share of each colour name among pixels (..., 3).

    A vivid brown in the light is what shading makes of orange; the sheet's names, set for single colours, call it brown.
    """
    names = name_indices(pixels).ravel()
    brown = np.flatnonzero(names == _BROWN)
    if len(brown):
        lab = to_lab(pixels.reshape(-1, 3)[brown])
        chroma, hue = np.hypot(lab[:, 1], lab[:, 2]), np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
        vivid = (lab[:, 0] > 48) & (chroma > 52)
        vivid |= (lab[:, 0] > 30) & (chroma > 1.15 * lab[:, 0]) & (hue > 58)
        names[brown[vivid]] = _ORANGE
    counts = np.bincount(names, minlength=len(NAMES)).astype(np.float64)
    return counts / max(float(counts.sum()), 1e-9)


def _bands(shown: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = [[_shares(part) for part in np.array_split(frame[::2, ::2], BANDS)] for frame in shown]
    return np.array(rows, np.float32).reshape(len(shown), BANDS, len(NAMES))


def _close(measured: Measured, kind: str) -> NDArray[np.float16] | None:
    """Class probabilities on the surest people or on the surest animal."""
    found = [thing for thing in measured.seen.things if thing.kind == kind and thing.sightings]
    best = {one.frame: one for one in sorted(found[0].sightings, key=lambda one: one.score)} if found else {}
    looks = sorted(best.values(), key=lambda one: (-one.score, one.frame))[:CLOSE_LOOKS]
    crops = []
    for one in looks:
        frame, (x0, y0, x1, y1) = measured.shown[one.frame], one.box
        crops.append(crop(frame, one.box, pad=0.04, square=False))
        if kind == "animal":
            crops.append(crop(frame, one.box, pad=0.15, square=True))
            crops.append(crop(frame, (x0, y0, x1, y0 + HEAD * (y1 - y0)), pad=0.1, square=True))
    if not crops:
        return None
    _, classifier = load_networks()
    return np.asarray(np.asarray(classifier.probabilities(crops), np.float64).mean(axis=0), np.float16)


def _shot_camera(fit: PairFits, seconds: float) -> ShotCamera | None:
    trend = find_trend(fit, fit.scene) if len(fit) else None
    if trend is None:
        return None
    x, y, zoom, turn = (float(v) for v in trend.rates)
    sx, sy, sz, st = (float(v) for v in trend.steadiness)
    return ShotCamera(
        seconds, (x, y, zoom, turn), (sx, sy, sz, st), float(trend.jitter), layer_confidence(fit)
    )
