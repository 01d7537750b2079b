"""Every way in which a file can be of no use, and the error that says so."""

from __future__ import annotations

import gzip
import os
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.vidprompter.video.make import numbered, numbers_of, write_numbered, write_sound, write_video
from vidprompter.errors import (
    CorruptVideo,
    EmptyVideo,
    NotAVideoFile,
    NoVideoStream,
    VideoError,
    VideoNotFound,
    VideoUnreadable,
)
from vidprompter.video import probe
from vidprompter.video.sampling import AtRate, Uniform
from vidprompter.video.source import VideoSource

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file kinds")
FASTSTART = {"movflags": "faststart"}


def error_of(path: Path) -> VideoError:
    with pytest.raises(VideoError) as caught:
        VideoSource(path).sample(Uniform(8), AtRate(8.0))
    message = str(caught.value)
    assert "\n" not in message and len(message) < 800
    return caught.value


def noisy(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    noise = rng.integers(-30, 30, (count, 96, 128, 3))
    return [np.clip(numbered(n) + noise[n], 0, 255).astype(np.uint8) for n in range(count)]


def test_missing(tmp_path: Path) -> None:
    assert type(error_of(tmp_path / "none.mp4")) is VideoNotFound
    assert type(error_of(tmp_path / "none" / "none.mp4")) is VideoNotFound
    (tmp_path / "file.txt").write_text("x")
    assert type(error_of(tmp_path / "file.txt" / "none.mp4")) is VideoNotFound
    assert type(error_of(Path("a\0b.mp4"))) is VideoNotFound
    assert type(error_of(tmp_path / ("n" * 5000))) is VideoNotFound


@posix_only
def test_links(tmp_path: Path) -> None:
    dangling = tmp_path / "dangling.mp4"
    dangling.symlink_to(tmp_path / "gone.mp4")
    assert type(error_of(dangling)) is VideoNotFound
    assert "gone.mp4" in str(error_of(dangling))
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    assert type(error_of(loop)) is VideoNotFound
    good = tmp_path / "good.mp4"
    good.symlink_to(write_numbered(tmp_path / "a.mp4", 10))
    assert len(VideoSource(good).sample(Uniform(2))[0]) == 2


def test_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    assert type(error_of(folder)) is NotAVideoFile


@posix_only
@pytest.mark.timeout(20)
def test_what_would_block_is_never_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    assert type(error_of(pipe)) is NotAVideoFile
    assert type(error_of(Path("/dev/zero"))) is NotAVideoFile
    assert type(error_of(Path("/dev/stdin"))) in (NotAVideoFile, VideoError, EmptyVideo, VideoNotFound)
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket is short
        try:
            server.bind("socket.mp4")
        finally:
            os.chdir(here)
        assert type(error_of(tmp_path / "socket.mp4")) is NotAVideoFile


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything, so it is somebody else for a while."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    yield
    os.seteuid(was)


@posix_only
def test_no_permission(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = write_numbered(tmp_path / "a.mp4", 5)
    path.chmod(0)
    for folder in [tmp_path, *tmp_path.parents[:2]]:
        folder.chmod(0o755)
    request.getfixturevalue("nobody")
    assert type(error_of(path)) is VideoUnreadable
    assert "ermission" in str(error_of(path))


def test_io_errors_are_unreadable(tmp_path: Path) -> None:
    if not Path("/proc/self/mem").exists():
        pytest.skip("needs a file that opens and does not read")
    assert type(error_of(Path("/proc/self/mem"))) in (VideoUnreadable, EmptyVideo)


@pytest.mark.parametrize("size", [0, 1, 100, 3_000_000])
def test_nothing_inside(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(size))
    assert type(error_of(path)) is EmptyVideo


def test_zeros_in_front_only_are_not_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(200_000) + b"x")
    assert type(error_of(path)) is NotAVideoFile


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"just some words\n", "text"),
        ("słowa i śnieg\n".encode() * 5000, "text"),
        ("words".encode("utf-16"), "text"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (b"  \n<HTML>404</HTML>", "HTML"),
        (b'{"error": "not found"}', "JSON"),
        (b"[1, 2, 3]", "JSON"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://localhost:9/secret.ts\n", "playlist"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", "git lfs pull"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "text"),
        (b"PK\x03\x04" + bytes(range(256)), "zip"),
        (gzip.compress(b"x" * 1000), "gzip"),
        (b"%PDF-1.7\n\xff\xff", "PDF"),
        (b"\x7fELF" + bytes(100), "program"),
        (random.Random(0).randbytes(100_000), "not a video"),
        (b"\x01", "not a video"),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a"])
def test_other_kinds_of_file(tmp_path: Path, content: bytes, named: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = error_of(path)
    assert type(error) is NotAVideoFile
    assert named in str(error)


@pytest.mark.parametrize(
    ("format_name", "named"), [("PNG", "PNG"), ("JPEG", "JPEG"), ("GIF", "GIF"), ("WEBP", "WebP")]
)
def test_a_picture_under_a_videos_name(tmp_path: Path, format_name: str, named: str) -> None:
    from PIL import Image

    path = tmp_path / "a.mp4"
    Image.new("RGB", (64, 48), (200, 0, 0)).save(path, format=format_name)
    error = error_of(path)
    assert type(error) is NotAVideoFile
    assert named in str(error) and "video's name" in str(error)


def test_a_video_under_another_name_is_read(tmp_path: Path) -> None:
    for name in ("a.txt", "a.avi", "a", "a.jpg"):
        path = write_numbered(tmp_path / "plain.mp4", 10).rename(tmp_path / name)
        assert numbers_of(VideoSource(path).sample(Uniform(2))[0].frames) == [2, 7]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.m4a", "aac"), ("a.mp4", "aac"), ("a.mkv", "aac"), ("a.wav", "pcm_s16le")]
)
def test_sound_only(tmp_path: Path, name: str, codec: str) -> None:
    error = error_of(write_sound(tmp_path / name, codec))
    assert type(error) is NoVideoStream
    assert "sound only" in str(error)


def test_headers_without_frames(tmp_path: Path) -> None:
    data = write_numbered(tmp_path / "a.mp4", 20, container_options=FASTSTART).read_bytes()
    path = tmp_path / "headers.mp4"
    path.write_bytes(data[: data.index(b"mdat") + 4])
    assert type(error_of(path)) is CorruptVideo
    path.write_bytes(data[: data.index(b"mdat") + 4] + bytes(len(data)))
    assert type(error_of(path)) is CorruptVideo


def test_cut_off_without_an_index(tmp_path: Path) -> None:
    data = write_video(tmp_path / "a.mp4", noisy(30)).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    error = error_of(path)
    assert type(error) is CorruptVideo
    assert "cut off" in str(error) and "moov" in str(error)


@pytest.mark.parametrize("scan_bytes", [0, 1 << 20])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_what_decodes_of_a_cut_file_is_used(
    tmp_path: Path, name: str, scan_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_SCAN_BYTES", scan_bytes)  # 0: as with a large file
    codec = "mpeg4" if name == "a.avi" else "libx264"
    even = {"g": "10", "qmin": "8", "qmax": "8"}  # one quality: frames of one size
    options = {"container_options": FASTSTART} if name == "a.mp4" else {}
    data = write_video(tmp_path / name, noisy(100), codec=codec, options=even, **options).read_bytes()
    path = tmp_path / f"cut_{name}"
    path.write_bytes(data[: len(data) * 6 // 10])
    few, dense = VideoSource(path).sample(Uniform(5), AtRate(10.0))
    last = numbers_of(dense.frames)[-1]
    assert 5 < last < 80
    # The samples are spread over what is there.
    expected = (np.arange(5) + 0.5) * (last + 1) / 5
    assert np.abs(np.array(numbers_of(few.frames)) - expected).max() <= 5
    assert few.info.damaged and few.info.duration < 8.0


def test_too_little_of_a_cut_file_is_corrupt(tmp_path: Path) -> None:
    data = write_video(tmp_path / "a.mp4", noisy(100), container_options=FASTSTART).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: data.index(b"mdat") + 6000])
    assert type(error_of(path)) is CorruptVideo


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.webm"])
@pytest.mark.parametrize("flips", [3, 60, 1000])
def test_flipped_bytes_give_frames_or_a_typed_error(tmp_path: Path, name: str, flips: int) -> None:
    codec = {"a.avi": "mpeg4", "a.webm": "libvpx"}.get(name, "libx264")
    data = bytearray(write_video(tmp_path / name, noisy(50), codec=codec).read_bytes())
    rng = random.Random(flips)
    for _ in range(flips):
        data[rng.randrange(len(data))] ^= 0xFF
    path = tmp_path / f"bad_{name}"
    path.write_bytes(data)
    # PyAV alone: decord may crash on such files, which is what the workers are for.
    try:
        few, dense = VideoSource(path, use_decord=False).sample(Uniform(8), AtRate(8.0))
    except VideoError:
        return
    for clip in (few, dense):
        assert len(clip) >= 1 and (np.diff(clip.timestamps) > 0).all()


def test_messages_escape_the_name(tmp_path: Path) -> None:
    message = str(error_of(tmp_path / "a\nb'c.mp4"))
    assert "a\\nb'c.mp4" in message
