"""Frames and their times, against what was written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.vidprompter.video.make import (
    corners,
    number_of,
    numbered,
    numbers_of,
    quadrants,
    write_numbered,
    write_video,
)
from vidprompter.errors import InputError
from vidprompter.video import probe
from vidprompter.video.sampling import AtRate, Uniform
from vidprompter.video.source import VideoSource

both_readers = pytest.mark.parametrize("use_decord", [True, False], ids=["decord", "pyav"])

KINDS = {
    "mp4": ("a.mp4", {}),
    "mp4 with B-frames": ("a.mp4", {"options": {"bf": "3", "g": "12"}}),
    "open GOP": ("a.mp4", {"options": {"x264-params": "open-gop=1:keyint=10:bframes=3"}}),
    "fragmented mp4": ("a.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "mkv": ("a.mkv", {}),
    "transport stream": ("a.ts", {}),
    "avi": ("a.avi", {"codec": "mpeg4"}),
    "webm vp9": ("a.webm", {"codec": "libvpx-vp9"}),
    "webm vp8": ("a.webm", {"codec": "libvpx"}),
    "lossless 4:4:4": ("a.mkv", {"codec": "ffv1", "pixel_format": "yuv444p"}),
    "10 bit": ("a.mov", {"codec": "prores_ks", "pixel_format": "yuv422p10le"}),
    "mpeg4 in mov": ("a.mov", {"codec": "mpeg4"}),
    "gif": ("a.gif", {"codec": "gif", "pixel_format": "rgb8"}),
}


def write_kind(folder: Path, kind: str, count: int = 40) -> Path:
    name, options = KINDS[kind]
    codec = options.get("codec", "libx264")
    if codec not in av.codec.codecs_available:
        pytest.skip(f"this PyAV has no {codec} encoder")
    return write_numbered(folder / name, count, **options)


@both_readers
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_frame_shows_what_was_written_at_its_time(tmp_path: Path, kind: str, use_decord: bool) -> None:
    source = VideoSource(write_kind(tmp_path, kind), use_decord=use_decord)
    few, dense = source.sample(Uniform(5), AtRate(7.0))
    assert source.info.fps == pytest.approx(10)
    assert source.info.duration == pytest.approx(4.0, abs=0.11)
    assert (source.info.width, source.info.height) == (128, 96)
    for clip in (few, dense):
        assert clip.frames.dtype == np.uint8 and clip.frames.flags.c_contiguous
        assert (np.diff(clip.timestamps) > 0).all()
        assert np.allclose(clip.timestamps, np.array(numbers_of(clip.frames)) / 10, atol=2e-3)
        assert not clip.info.damaged
    assert len(few) == 5
    assert numbers_of(few.frames) == [4, 12, 20, 28, 36]
    assert len(dense) == 28 and number_of(dense.frames[0]) == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gif"])
def test_a_large_file_is_taken_at_its_word(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_SCAN_BYTES", 0)
    source = VideoSource(write_kind(tmp_path, kind))
    few, dense = source.sample(Uniform(5), AtRate(7.0))
    assert source.info.duration == pytest.approx(4.0, abs=0.11)
    assert few.info.backend == "pyav"
    for clip in (few, dense):
        assert np.allclose(clip.timestamps, np.array(numbers_of(clip.frames)) / 10, atol=2e-3)
    assert numbers_of(few.frames) == [4, 12, 20, 28, 36]


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_a_live_recording_without_a_length(tmp_path: Path, name: str) -> None:
    codec = "libvpx" if name == "a.webm" else "libx264"
    path = write_numbered(tmp_path / name, 30, codec=codec, container_options={"live": "1"})
    with av.open(str(path)) as container:
        assert not container.duration  # the premise
    (clip,) = VideoSource(path).sample(Uniform(3))
    assert clip.info.duration == pytest.approx(3.0, abs=0.11) and not clip.info.damaged
    assert numbers_of(clip.frames) == [5, 15, 25]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("scan_bytes", [0, 1 << 20])
def test_sound_that_goes_on_is_no_damage(
    tmp_path: Path, name: str, scan_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures end after 2 s and the sound after 6."""
    monkeypatch.setattr(probe, "_SCAN_BYTES", scan_bytes)
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for _ in range(6 * 44100 // 1024):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 44100
            container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    few, dense = VideoSource(path).sample(Uniform(4), AtRate(10.0))
    assert not few.info.damaged
    assert few.info.duration == pytest.approx(2.0, abs=0.15)
    assert numbers_of(few.frames) == [2, 7, 12, 17]
    assert numbers_of(dense.frames) == list(range(20))


@both_readers
def test_a_rate_above_the_video_gives_every_frame_once(tmp_path: Path, use_decord: bool) -> None:
    source = VideoSource(write_numbered(tmp_path / "a.mp4", 25), use_decord=use_decord)
    (clip,) = source.sample(AtRate(60.0))
    assert numbers_of(clip.frames) == list(range(25))


@both_readers
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_variable_frame_times_are_the_true_ones(tmp_path: Path, name: str, use_decord: bool) -> None:
    steps = [0.04, 0.04, 0.5, 0.01, 0.2, 1.3, 0.033, 0.033, 0.1, 0.7]
    times = np.round(np.cumsum([0.0, *steps, *steps]), 3)
    images = [numbered(number) for number in range(len(times))]
    path = write_video(tmp_path / name, images, times=times.tolist(), rate=1000)
    few, dense = VideoSource(path, use_decord=use_decord).sample(Uniform(6), AtRate(20.0))
    for clip in (few, dense):
        assert np.allclose(clip.timestamps, times[numbers_of(clip.frames)], atol=1e-6)
    # On screen at 20 per second from 0 on: the frame that began last.
    asked = np.arange(0, times[-1] + 0.01, 0.05)
    shown = np.unique(np.searchsorted(times, asked + 1e-6, side="right") - 1)
    assert numbers_of(dense.frames) == shown.tolist()


@both_readers
def test_one_frame_is_a_video(tmp_path: Path, use_decord: bool) -> None:
    for name in ("a.mp4", "a.mkv", "a.avi"):
        path = write_numbered(tmp_path / name, 1, codec="mpeg4" if name == "a.avi" else "libx264")
        few, dense = VideoSource(path, use_decord=use_decord).sample(Uniform(8), AtRate(8.0))
        assert len(few) == len(dense) == 1
        assert few.timestamps.tolist() == [0.0]


# ISO 14496-12: the matrix maps (x, y) to (a x + c y, b x + d y); this one turns the picture clockwise.
ONE = 1 << 16
CLOCKWISE = (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)
HALF_TURN = (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30)
COUNTER = (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30)
MIRRORED = (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)


@both_readers
@pytest.mark.parametrize(
    ("matrix", "shown", "degrees"),
    [
        (CLOCKWISE, "brwg", 90),
        (HALF_TURN, "wbgr", 180),
        (COUNTER, "gwrb", 270),
        (MIRRORED, "grwb", 0),
    ],
)
def test_rotation_is_honoured(
    tmp_path: Path, matrix: tuple[int, ...], shown: str, degrees: int, use_decord: bool
) -> None:
    path = write_video(tmp_path / "a.mp4", [quadrants()] * 5, matrix=matrix)
    source = VideoSource(path, use_decord=use_decord)
    few, small = source.sample(Uniform(2), Uniform(2, max_side=64))
    assert corners(few.frames[0]) == corners(small.frames[1]) == shown
    assert source.info.rotation == degrees
    upright = (96, 128) if degrees in (90, 270) else (128, 96)
    assert (source.info.width, source.info.height) == upright
    assert few.frames.shape[1:3] == upright[::-1]
    assert max(small.frames.shape[1:3]) == 64


def test_a_picture_without_rotation_stays(tmp_path: Path) -> None:
    (clip,) = VideoSource(write_video(tmp_path / "a.mp4", [quadrants()] * 3)).sample(Uniform(1))
    assert corners(clip.frames[0]) == "rgbw"


@both_readers
@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (256, 96)), (Fraction(1, 2), (128, 192))])
def test_pixels_are_made_square(
    tmp_path: Path, aspect: Fraction, size: tuple[int, int], use_decord: bool
) -> None:
    path = write_video(tmp_path / "a.mp4", [quadrants()] * 5, aspect=aspect)
    source = VideoSource(path, use_decord=use_decord)
    full, small = source.sample(Uniform(2), Uniform(2, max_side=64))
    assert (source.info.width, source.info.height) == size
    assert full.frames.shape[1:3] == size[::-1]
    assert small.frames.shape[1:3] == (round(size[1] * 64 / max(size)), round(size[0] * 64 / max(size)))
    assert corners(full.frames[0]) == "rgbw"


@both_readers
def test_colours_are_kept(tmp_path: Path, use_decord: bool) -> None:
    colours = [(200, 30, 40), (30, 180, 60), (40, 60, 210), (230, 230, 230), (15, 15, 15), (200, 160, 60)]
    images = [np.full((96, 128, 3), colour, np.uint8) for colour in colours]
    path = write_video(tmp_path / "a.mp4", images, options={"crf": "5"})
    (clip,) = VideoSource(path, use_decord=use_decord).sample(AtRate(60.0))
    assert np.abs(clip.frames.mean(axis=(1, 2)) - np.array(colours)).max() < 4


@both_readers
def test_sizes_are_bounded_and_never_enlarged(tmp_path: Path, use_decord: bool) -> None:
    path = write_video(tmp_path / "a.mp4", [np.zeros((150, 400, 3), np.uint8)] * 4)
    same, small, tiny = VideoSource(path, use_decord=use_decord).sample(
        Uniform(2, max_side=4096), Uniform(2, max_side=200), AtRate(8, max_side=16)
    )
    assert same.frames.shape[1:] == (150, 400, 3)
    assert small.frames.shape[1:] == (75, 200, 3)
    assert tiny.frames.shape[1:] == (6, 16, 3)


@both_readers
def test_only_the_range_is_read(tmp_path: Path, use_decord: bool) -> None:
    path = write_numbered(tmp_path / "a.mp4", 100)
    few, dense = VideoSource(path, start=2.0, end=4.0, use_decord=use_decord).sample(Uniform(4), AtRate(10.0))
    assert numbers_of(few.frames) == [22, 27, 32, 37]
    assert numbers_of(dense.frames) == list(range(20, 40))
    assert dense.timestamps[0] == pytest.approx(2.0)
    (tail,) = VideoSource(path, start=9.5, end=99.0, use_decord=use_decord).sample(AtRate(10.0))
    assert numbers_of(tail.frames) == [95, 96, 97, 98, 99]


@pytest.mark.parametrize(
    ("start", "end", "named"),
    [(-1.0, None, "start"), (None, float("nan"), "end"), (5.0, 5.0, "end"), (float("inf"), None, "start")],
)
def test_senseless_ranges_are_refused(start: float | None, end: float | None, named: str) -> None:
    with pytest.raises(InputError, match=named):
        VideoSource("a.mp4", start=start, end=end)


def test_a_start_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 30)
    with pytest.raises(InputError, match=r"start is 3\.5 s.*ends at 3\.000 s"):
        VideoSource(path, start=3.5).sample(Uniform(2))
    with pytest.raises(InputError, match="no plan"):
        VideoSource(path).sample()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"g": "25"}),
        ("a.mp4", {"g": "9999", "keyint_min": "9999", "sc_threshold": "0"}),
        ("a.mkv", {"g": "25"}),
        ("a.ts", {"g": "25"}),
        ("a.avi", {"g": "25"}),
    ],
)
def test_a_long_video_is_sampled_in_bursts_at_true_times(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    """400 s, 4 frames a second; frame n shows n modulo 251."""
    images = [numbered(number % 251, 64, 48) for number in range(1600)]
    codec = "mpeg4" if name == "a.avi" else "libx264"
    path = write_video(tmp_path / name, images, rate=4, options=options, codec=codec)
    few, dense = VideoSource(path).sample(Uniform(6), AtRate(4.0, max_frames=40, burst_frames=8))
    for clip in (few, dense):
        expected = np.round(clip.timestamps * 4).astype(int) % 251
        assert numbers_of(clip.frames) == expected.tolist()
    assert len(few) == 6 and len(dense) == 40
    gaps = np.diff(dense.timestamps)
    assert (np.round(gaps * 4) == 1).sum() == 35 and (gaps > 70).sum() == 4


def test_info_is_read_once_and_nothing_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    source = VideoSource(path)
    write_numbered(path, 5)
    info = source.info
    path.unlink()
    assert source.info is info
    assert info.codec == "h264" and info.frame_count == 5 and info.path == str(path)


@pytest.mark.parametrize(
    "name",
    [
        'it\'s "quoted".mp4',
        "кот 🐈.mp4",
        "two\nlines.mp4",
        "-dash.mp4",
        "concat:a|b.mp4",
        "%d.mp4",
        "a b\t.mp4",
    ],
)
@both_readers
def test_odd_names_work(tmp_path: Path, name: str, use_decord: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    write_numbered(tmp_path / "plain.mp4", 10).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, Path(name), name):
        (clip,) = VideoSource(path, use_decord=use_decord).sample(Uniform(2))
        assert numbers_of(clip.frames) == [2, 7]


def test_a_name_that_is_no_text_works(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.mp4"
    try:
        write_numbered(tmp_path / "plain.mp4", 10).rename(path)
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system keeps names to Unicode")
    (clip,) = VideoSource(path).sample(Uniform(2))
    assert numbers_of(clip.frames) == [2, 7]


def test_alpha_is_laid_over_black(tmp_path: Path) -> None:
    image = np.zeros((96, 128, 4), np.uint8)
    image[:, :64] = (250, 250, 250, 255)
    image[:, 64:] = (250, 250, 250, 0)
    path = write_video(tmp_path / "a.mov", [image] * 3, codec="qtrle", pixel_format="argb")
    (clip,) = VideoSource(path).sample(Uniform(1))
    assert clip.frames[0, :, :60].min() > 245 and clip.frames[0, :, 68:].max() < 5


def test_hd_without_a_stated_matrix_is_bt709(tmp_path: Path) -> None:
    colour = np.array((200, 30, 40))
    rgb = av.VideoFrame.from_ndarray(np.full((720, 1280, 3), colour, np.uint8), format="rgb24")
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"crf": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        frame = rgb.reformat(format="yuv420p", dst_colorspace="itu709")
        for number in range(3):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (clip,) = VideoSource(path).sample(Uniform(1))
    assert np.abs(clip.frames[0].mean(axis=(0, 1)) - colour).max() < 4


def test_the_same_bytes_give_the_same_clip(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 30)
    first = VideoSource(path, threads=1).sample(Uniform(4), AtRate(8))
    again = VideoSource(path, threads=0).sample(Uniform(4), AtRate(8))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.timestamps, other.timestamps)
