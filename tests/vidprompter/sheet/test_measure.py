"""The whole sheet, with the real networks on real clips, and without any."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.vidprompter.sheet.scenes import clip_of, texture
from tests.vidprompter.sheet.test_recognize import Found, SaidClassifier, SaidDetector
from vidprompter.errors import InputError, WeightsMissing
from vidprompter.sheet.measure import measure_clips, measure_sheet
from vidprompter.sheet.types import SceneSheet


def moving_clip(step: int) -> np.ndarray:
    wide = texture(1, 180, 320 + 24 * abs(step) + 8)
    starts = [i * step if step >= 0 else (i - 23) * step for i in range(24)]
    return np.stack([wide[:, s : s + 320] for s in starts])


def said(count: int) -> tuple[SaidDetector, SaidClassifier]:
    return SaidDetector([[Found("person", 0.8)] for _ in range(count)]), SaidClassifier(mountain=0.4)


def test_a_sheet_from_clips_and_its_json() -> None:
    frames = moving_clip(4)
    sheet = measure_clips(clip_of(frames[::4], 2.0), clip_of(frames), networks=said(6))
    assert sheet.camera.motion == "pan right"
    assert len(sheet.shots) == 1 and sheet.shots[0].end == pytest.approx(3.0)
    assert sheet.objects[0].label == "person" and sheet.objects[0].count == 1
    assert sheet.scene.label == "mountains"
    assert SceneSheet.from_json(sheet.to_json()) == sheet
    again = measure_clips(clip_of(frames[::4], 2.0), clip_of(frames), networks=said(6))
    assert again == sheet


def test_a_still_camera_is_static() -> None:
    frames = moving_clip(0)
    sheet = measure_clips(clip_of(frames[::4], 2.0), clip_of(frames), networks=said(6))
    assert sheet.camera.motion == "static" and sheet.camera.speed == 0


def test_a_picture_has_one_shot_and_no_motion() -> None:
    one = clip_of(texture(2)[None])
    sheet = measure_clips(one, one, networks=said(1))
    assert sheet.camera.motion == "unknown" and sheet.pace == "unknown"
    assert len(sheet.shots) == 1 and sheet.duration == 0
    assert sheet.objects[0].motion == "unknown"


def test_a_window_keeps_the_times_of_the_file() -> None:
    dense = clip_of(moving_clip(4))
    later = replace(dense, timestamps=dense.timestamps + 10.0)
    sheet = measure_clips(later, later, start=10.0, end=13.0, networks=said(24))
    assert (sheet.shots[0].start, sheet.shots[0].end) == (10.0, 13.0)


def test_a_clip_without_frames_is_refused() -> None:
    empty = clip_of(np.zeros((0, 8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="no frames"):
        measure_clips(empty, empty, networks=said(0))


def test_missing_weights_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidprompter.sheet.measure import load_networks

    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path))
    load_networks.cache_clear()
    with pytest.raises(WeightsMissing):
        measure_sheet(tmp_path / "any.mp4")


@pytest.mark.weights
def test_real_clips() -> None:
    from models.fetching import find

    folder = find("example-clips")
    talker = measure_sheet(folder / "carphone.mp4")
    assert {"person", "tie"} <= {o.label for o in talker.objects}
    assert talker.shots[0].size in ("close-up", "medium close-up")
    montage = measure_sheet(folder / "bikes.mp4")
    assert len(montage.shots) == 5
    assert "person" in {o.label for o in montage.objects}
    assert montage.scene.label in ("street", "road")


@pytest.mark.weights
def test_torch_is_never_imported() -> None:
    program = (
        "import sys; from models.fetching import find; from vidprompter.sheet.measure import measure_sheet;"
        "s = measure_sheet(find('example-clips') / 'carphone.mp4', end=2.0);"
        "assert s.objects; assert 'torch' not in sys.modules, 'torch'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
