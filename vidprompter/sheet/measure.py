"""Measures the scene sheet of a clip. Runs in worker processes: torch is never imported here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidprompter.errors import InputError
from vidprompter.sheet.appearance import measure_appearance
from vidprompter.sheet.bars import blank_frames, find_bars
from vidprompter.sheet.camera import PairFits, classify, fit_pairs
from vidprompter.sheet.detections import MIN_SCORE
from vidprompter.sheet.light import measure_contrast, measure_light
from vidprompter.sheet.motion import measure_pace
from vidprompter.sheet.objects import measure_objects, strong_sightings
from vidprompter.sheet.palette import is_monochrome, measure_palette
from vidprompter.sheet.recognize import Seen, recognize
from vidprompter.sheet.scene import measure_scene
from vidprompter.sheet.shot_size import SizeFact, Subject, measure_size
from vidprompter.sheet.shots import Stretch, find_shots
from vidprompter.sheet.types import CameraMotion, SceneSheet, Shot
from vidprompter.sheet.views import Classifier, Detection, Detector, area

if TYPE_CHECKING:
    from vidprompter.video.clip import Clip
    from vidprompter.video.sampling import AtRate, Uniform

PICTURES = 12  # frames that are looked at for things, colours and light
PICTURE_SIDE = 640
FIT_FRAMES = 160  # dense frames of one shot that motion is fitted on; the middle of longer shots
NO_CAMERA = CameraMotion("unknown", 0.0, 0.0)


@dataclass(frozen=True)
class Measured:
    """A sheet with what it was made from, for those who want to know more than it states.

    seen: things and class probabilities. shown: (T, H, W, 3) uint8, the pictures that things, colours and light were
    measured on, without bars and blank frames. fits: the motion of each shot of the sheet, None for a single frame.
    """

    sheet: SceneSheet
    seen: Seen
    shown: NDArray[np.uint8]
    fits: tuple[PairFits | None, ...]


class _WholeView:
    """Shows the classifier each picture once, as a whole; the crops are made here."""

    def __init__(self) -> None:
        from models.classifier import load_classifier

        self._classifier = load_classifier()

    def probabilities(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(N, 1000) for N pictures."""
        return self._classifier.probabilities(images, view="whole")


class _LowScores:
    """Asks the detector for weak boxes too; the clip as a whole decides about them."""

    def __init__(self) -> None:
        from models.detector import load_detector

        self._detector = load_detector()

    def detect(self, frames: NDArray[np.uint8]) -> Sequence[Sequence[Detection]]:
        """The boxes in each frame."""
        # one look per frame: crops shown to the classifier confirm better than a second look would
        return self._detector.detect(frames, min_score=MIN_SCORE, confirm=False)


@cache
def load_networks() -> tuple[Detector, Classifier]:
    """The detector and the classifier, loaded once per process.

    Raises:
        WeightsMissing: they were not fetched; the message holds the command that does.
    """
    return _LowScores(), _WholeView()


def sampling_plans() -> tuple[Uniform, AtRate]:
    """What `measure_clips` wants to see of a file: pictures, and dense small frames for motion."""
    from vidprompter.video.sampling import AtRate, Uniform

    return Uniform(PICTURES, max_side=PICTURE_SIDE), AtRate()


def measure_sheet(path: str | Path, *, start: float | None = None, end: float | None = None) -> SceneSheet:
    """The scene sheet of a video or picture file, or of its part between `start` and `end` (seconds).

    One pass over the file, one CPU thread; deterministic. Times are in seconds of the file. A picture has one
    shot of no length, and camera and motion are unknown.

    Raises:
        WeightsMissing: the detector's or classifier's weights were not fetched yet.
        VideoError: the file cannot be read.
        InputError: the range lies outside of the video.
    """
    from vidprompter.video.source import VideoSource

    load_networks()
    source = VideoSource(path, start=start, end=end, threads=1)
    pictures, dense = source.sample(*sampling_plans())
    return measure_clips(pictures, dense, start=start, end=end)


def measure_clips(
    pictures: Clip,
    dense: Clip,
    *,
    start: float | None = None,
    end: float | None = None,
    networks: tuple[Detector, Classifier] | None = None,
) -> SceneSheet:
    """The scene sheet of two samplings of one source.

    pictures: about 8 to 16 frames to look at; dense: about 8 a second for cuts and motion, any size. The same
    clip may serve as both. start, end: seconds of the file that the clips stand for, if not all of it.

    Raises:
        InputError: a clip without frames.
        WeightsMissing: as `load_networks`, which `networks` replaces.
    """
    return measure_fully(pictures, dense, start=start, end=end, networks=networks).sheet


def measure_fully(
    pictures: Clip,
    dense: Clip,
    *,
    start: float | None = None,
    end: float | None = None,
    networks: tuple[Detector, Classifier] | None = None,
) -> Measured:
    """The sheet as `measure_clips` gives it, with what it was made from; same arguments, same errors."""
    if not len(pictures) or not len(dense):
        raise InputError("the clip has no frames; it needs at least 1 to measure a scene sheet")
    detector, classifier = networks or load_networks()
    crop = find_bars(dense.frames if len(dense) > 1 else pictures.frames)
    shown = crop.apply(pictures.frames)
    lit = ~blank_frames(shown)
    shown, times = shown[lit], pictures.timestamps[lit]
    seen = recognize(shown, detector, classifier)
    first, last = _span(dense, start, end)
    moving = crop.apply(dense.frames)
    stretches = find_shots(moving, dense.timestamps, start=first, end=last)
    fits = [_fit(moving, dense.timestamps, one) for one in stretches]
    cameras = [classify(fit) if fit is not None and len(fit) else NO_CAMERA for fit in fits]
    known = [fit for fit in fits if fit is not None and len(fit)]
    scene = measure_scene(seen, measure_appearance(shown))
    sizes = [_size(one, seen, times, _aspect(shown), scene.label, len(stretches)) for one in stretches]
    shots = tuple(
        Shot(one.start, one.end, camera, size.size, size.confidence)
        for one, camera, size in zip(stretches, cameras, sizes, strict=True)
    )
    longest = max(range(len(shots)), key=lambda i: shots[i].end - shots[i].start)
    info = pictures.info
    sheet = SceneSheet(
        path=info.path,
        duration=round(last - first, 3),
        width=info.width,
        height=info.height,
        fps=round(info.fps, 3),
        camera=shots[longest].camera,
        shots=shots,
        objects=measure_objects(seen.things, shown, times, known),
        scene=scene,
        palette=measure_palette(shown),
        light=measure_light(shown),
        contrast=measure_contrast(shown),
        pace=measure_pace(known, cameras, cuts=len(shots) - 1, duration=last - first),
        monochrome=is_monochrome(shown),
    )
    return Measured(sheet, seen, shown, tuple(fits))


def _span(dense: Clip, start: float | None, end: float | None) -> tuple[float, float]:
    """Seconds of the file that the clip stands for."""
    if len(dense) < 2:
        moment = float(dense.timestamps[0])
        return moment, moment
    step = float(np.median(np.diff(dense.timestamps)))
    shown = float(dense.timestamps[0])
    # bursts begin inside their part of the clip; else the first frame is where the clip begins
    opens = shown if shown < 2 * step or dense.info.duration < shown else 0.0
    first = opens if start is None else max(start, 0.0)
    closes = max(float(dense.timestamps[-1]) + step, first + dense.info.duration if start is None else 0.0)
    return first, closes if end is None else max(min(end, closes), float(dense.timestamps[-1]))


def _fit(frames: NDArray[np.uint8], timestamps: NDArray[np.float64], one: Stretch) -> PairFits | None:
    """The motion of a shot; None for one that has a single frame."""
    if len(one) < 2:
        return None
    spare = max(0, len(one) - FIT_FRAMES) // 2
    part = slice(one.first + spare, one.last + 1 - spare)
    return fit_pairs(np.ascontiguousarray(frames[part]), timestamps[part])


def _aspect(frames: NDArray[np.uint8]) -> float:
    return float(frames.shape[2] / frames.shape[1])


def _size(
    one: Stretch, seen: Seen, times: NDArray[np.float64], aspect: float, scene: str, shots: int
) -> SizeFact:
    """The size of one shot, from the most prominent thing in each of its pictures."""
    subjects = []
    for number, time in enumerate(times.tolist()):
        if shots > 1 and not one.start <= time < max(one.end, one.start + 1e-3):
            continue
        subject = _main_subject(seen, number)
        if subject is not None:
            subjects.append(subject)
    return measure_size(subjects, aspect, scene)


def _main_subject(seen: Seen, number: int) -> Subject | None:
    best: tuple[float, Subject] | None = None
    for thing in seen.things:
        rank = {"person": 2.0, "animal": 2.0, "vehicle": 1.2}.get(thing.kind, 0.5)
        for sighting in strong_sightings(thing.sightings) if thing.sightings else ():
            if sighting.frame != number:
                continue
            weight = rank * (0.02 + area(sighting.box)) * sighting.score
            if best is None or weight > best[0]:
                best = (weight, Subject(thing.kind, sighting.box, min(thing.confidence, 0.95)))
    return best[1] if best else None
