"""Cuts, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vidprompter.sheet.scenes import solid, texture
from vidprompter.sheet.shots import MIN_SHOT_SECONDS, Stretch, _content_scores, find_shots


def pan(seed: int, count: int, step: int = 6, tint: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    wide = texture(seed, 120, 160 + step * count, tint)
    return np.stack([wide[:, i * step : i * step + 160] for i in range(count)])


def shots_of(frames: np.ndarray, times: np.ndarray | None = None) -> list[Stretch]:
    stamps = np.arange(len(frames)) / 8 if times is None else times
    return find_shots(frames, stamps, start=0.0, end=float(stamps[-1]) + 0.125)


def test_two_cuts_make_three_shots_that_touch() -> None:
    frames = np.concatenate([pan(1, 16), pan(2, 16, tint=(60, 0, 0)), pan(3, 16, tint=(0, 60, 70))])
    assert [(s.start, s.end) for s in shots_of(frames)] == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    assert [len(s) for s in shots_of(frames)] == [16, 16, 16]


def test_a_fast_pan_is_one_shot() -> None:
    assert len(shots_of(pan(4, 24, step=14))) == 1


def test_a_flash_is_no_cut() -> None:
    frames = pan(5, 24, step=1)
    frames[12] = 255
    assert len(shots_of(frames)) == 1


def test_black_frames_part_shots_and_belong_to_none() -> None:
    frames = np.concatenate([pan(6, 16), solid((0, 0, 0), 8, 120, 160), pan(7, 16)])
    assert [(s.start, s.end) for s in shots_of(frames)] == [(0.0, 2.0), (3.0, 5.0)]


def test_a_black_clip_and_a_single_frame_are_one_shot() -> None:
    assert len(shots_of(solid((0, 0, 0), 12, 120, 160))) == 1
    assert find_shots(texture(1)[None], np.zeros(1), start=0.0, end=0.0) == [Stretch(0, 0, 0.0, 0.0)]


def test_a_gap_in_the_sampling_is_no_cut_where_the_place_stays() -> None:
    still = pan(8, 32, step=0)
    times = np.concatenate([np.arange(16) / 8, 60 + np.arange(16) / 8])
    assert len(shots_of(still, times)) == 1


def test_a_splinter_of_a_shot_goes_to_its_neighbour() -> None:
    frames = np.concatenate([pan(9, 16), pan(10, 2, tint=(80, 0, 0)), pan(11, 16, tint=(0, 0, 80))])
    found = shots_of(frames)
    assert all(s.end - s.start >= MIN_SHOT_SECONDS for s in found)
    assert found[0].start == 0.0 and found[-1].end == frames.shape[0] / 8


def test_content_scores_are_those_of_pyscenedetect() -> None:
    common = pytest.importorskip("scenedetect.common")
    detectors = pytest.importorskip("scenedetect.detectors")
    stats = pytest.importorskip("scenedetect.stats_manager").StatsManager()
    frames = np.concatenate([pan(1, 3), pan(2, 3, tint=(60, 0, 0))])
    detector = detectors.ContentDetector()
    detector.stats_manager = stats
    expected = []
    for i, frame in enumerate(frames):
        time = common.FrameTimecode(i, 8.0)
        detector.process_frame(time, np.ascontiguousarray(frame[:, :, ::-1]))
        expected.append(stats.get_metrics(time, [detector.FRAME_SCORE_KEY])[0] if i else 0.0)
    assert _content_scores(frames).tolist() == pytest.approx(expected, abs=1e-9)
