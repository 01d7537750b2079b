"""Long files as several clips: at their cuts, or in windows."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batch.caption.split import Split, _between, _window_starts, find_segments
from vidprompter.errors import CorruptVideo, EmptyVideo, InputError
from vidprompter.sheet.bars import find_bars
from vidprompter.sheet.shots import find_shots
from vidprompter.video.sampling import AtRate
from vidprompter.video.source import VideoSource
from vidprompter.video.workers import WorkerPool

SHOTS = Split(per_shot=True)
RATE = 8


def write_film(path: Path, lengths: list[float | None], *, black: float = 0.0) -> Path:
    """Shots of so many seconds, each a slow pan over a texture of its own; None is `black` seconds of black."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 400_000
        for number, length in enumerate(lengths):
            for picture in _shot(number, black if length is None else length, is_black=length is None):
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _shot(number: int, seconds: float, *, is_black: bool) -> list[np.ndarray]:
    count = round(seconds * RATE)
    if is_black:
        return [np.zeros((64, 96, 3), np.uint8)] * count
    random = np.random.default_rng(number)
    tint = np.array([(1, 0.2, 0.2), (0.3, 1, 1), (0.2, 0.3, 1), (1, 1, 0.4)][number % 4])
    cells = (random.integers(60, 255, (10, 40, 3)) * tint).astype(np.uint8)
    wide = np.asarray(Image.fromarray(cells).resize((384, 64), Image.Resampling.NEAREST))
    return [np.ascontiguousarray(wide[:, step : step + 96]) for step in (np.arange(count) // 2) % 288]


def covers(segments: list[tuple[float, float]], start: float, end: float) -> bool:
    touching = all(one[1] == two[0] for one, two in pairwise(segments))
    rising = all(one[0] < one[1] for one in segments)
    return touching and rising and segments[0][0] == start and segments[-1][1] == end


def cuts(segments: list[tuple[float, float]]) -> list[float]:
    return [begin for begin, _ in segments[1:]]


def test_shots_are_those_of_the_scene_sheet(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [3, 1.5, 4, 2, 6])
    segments = find_segments(film, SHOTS)
    assert cuts(segments) == pytest.approx([3, 4.5, 8.5, 10.5], abs=1 / RATE)
    assert covers(segments, 0.0, 16.5)
    (dense,) = VideoSource(film, threads=1).sample(AtRate())
    shown = find_bars(dense.frames).apply(dense.frames)
    assert cuts(segments) == [
        shot.start for shot in find_shots(shown, dense.timestamps, start=0, end=16.5)[1:]
    ]


def test_cuts_of_a_long_film_are_all_found_and_memory_stays_flat(tmp_path: Path) -> None:
    # Cuts at and around the borders of what is looked at together (240 frames are 30 s).
    lengths = [29.5, 0.75, 1.75, 30, 26, 4, 2, 30.125, 29.875, 60, 61, 3, 7, 15]
    film = write_film(tmp_path / "long.mp4", lengths)
    find_segments(film, Split(per_shot=True), 0, 10)  # imports
    tracemalloc.start()
    segments = find_segments(film, SHOTS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cuts(segments) == pytest.approx(np.cumsum(lengths)[:-1].tolist(), abs=1.01 / RATE)
    assert covers(segments, 0.0, sum(lengths))
    assert peak < 40e6  # a buffer of 5 MB and what is worked out from it; all frames would be 45 MB


def test_a_range_bounds_the_shots(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [3, 3, 3, 3])
    segments = find_segments(film, SHOTS, 2.0, 8.5)
    assert cuts(segments) == pytest.approx([3, 6], abs=1 / RATE)
    assert covers(segments, 2.0, 8.5)
    assert covers(find_segments(film, SHOTS, 2.0, 99.0), 2.0, 12.0)


def test_black_belongs_to_the_shot_before(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [None, 3, None, 4, None], black=1.5)
    segments = find_segments(film, SHOTS)
    assert cuts(segments) == pytest.approx([6.0], abs=1.01 / RATE)
    assert covers(segments, 0.0, 11.5)


def test_windows(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [11])
    assert find_segments(film, Split(every=5)) == [(0.0, 5.0), (5.0, 11.0)]
    assert find_segments(film, Split(every=4)) == [(0.0, 4.0), (4.0, 8.0), (8.0, 11.0)]
    assert find_segments(film, Split(every=20)) == [(0.0, 11.0)]
    assert find_segments(film, Split(every=2), 1.5, 6.0) == [(1.5, 3.5), (3.5, 6.0)]
    assert find_segments(film, Split()) == [(0.0, 11.0)]


@pytest.mark.parametrize("split", [SHOTS, Split(every=3)])
def test_pictures_and_single_frames_are_one_part(tmp_path: Path, split: Split) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "p.png")
    assert find_segments(tmp_path / "p.png", split) == [(0.0, 0.0)]
    single = write_film(tmp_path / "one.mp4", [1 / RATE])
    assert find_segments(single, split) == [(0.0, 0.125)]


@pytest.mark.parametrize("split", [SHOTS, Split(every=3)])
def test_what_cannot_be_read_says_why(tmp_path: Path, split: Split) -> None:
    film = write_film(tmp_path / "a.mp4", [3])
    with pytest.raises(InputError, match=r"ends at 3\.000 s"):
        find_segments(film, split, 5.0)
    with pytest.raises(InputError, match="must be above start"):
        find_segments(film, split, 2.0, 1.0)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(EmptyVideo):
        find_segments(tmp_path / "empty.mp4", split)
    (tmp_path / "head.mp4").write_bytes(film.read_bytes()[:500])
    with pytest.raises(CorruptVideo):
        find_segments(tmp_path / "head.mp4", split)


@pytest.mark.parametrize("split", [SHOTS, Split(every=5)])
def test_of_a_film_that_breaks_off_there_is_what_is_there(tmp_path: Path, split: Split) -> None:
    film = write_film(tmp_path / "a.mkv", [10, 10, 10, 10])
    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 2])
    segments = find_segments(film, split)
    assert segments[0][0] == 0.0
    assert 15 < segments[-1][1] < 25


def test_workers_beat_while_they_look_for_cuts(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [20, 20, 20, 20])
    from tests.batch.split_jobs import slow_shots

    with WorkerPool(slow_shots, workers=1, timeout_seconds=2.0) as pool:
        (outcome,) = pool.map([str(film)])
    assert len(outcome.unwrap()) == 4
    assert outcome.seconds > 2.5


@pytest.mark.parametrize(
    ("choices", "about"),
    [
        ({"per_shot": True, "every": 5}, "choose one"),
        ({"every": 0.4}, "at least 0.5"),
        ({"every": float("nan")}, "every"),
    ],
)
def test_bad_choices_are_named(choices: dict, about: str) -> None:
    with pytest.raises(InputError, match=about):
        Split(**choices)


def test_settings_tell_splits_apart() -> None:
    assert Split().settings() == {} and not Split()
    assert SHOTS.settings() == {"per_shot": True} and SHOTS
    assert Split(every=5).settings() == Split(every=5.0).settings() == {"every": 5.0}


@given(st.floats(0, 1e4), st.floats(0.001, 1e5), st.floats(0.5, 1e4))
def test_windows_cover_the_range(start: float, span: float, every: float) -> None:
    end = start + span
    if span / every > 2000:
        return
    edges = _window_starts(start, end, every)
    segments = _between(edges, start, end)
    assert segments[0][0] == round(start, 3) and segments[-1][1] == round(end, 3)
    assert all(one[1] == two[0] for one, two in pairwise(segments))
    if len(segments) > 1:
        lengths = [finish - begin for begin, finish in segments]
        assert lengths[:-1] == pytest.approx([every] * (len(lengths) - 1), abs=2e-3)
        assert every / 2 - 2e-3 <= lengths[-1] <= every * 1.5 + 2e-3


@given(st.lists(st.floats(0, 60), max_size=30))
def test_no_part_is_shorter_than_a_shot(edges: list[float]) -> None:
    segments = _between(sorted(edges), 0.0, 60.0, least=0.5)
    assert covers(segments, 0.0, 60.0)
    assert all(finish - begin >= 0.499 for begin, finish in segments)
