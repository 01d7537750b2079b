"""What the models see of a clip: the right frames, once decoded, in processes under a time limit."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.clip.preprocess import Preprocess
from scoring.features.frames import FramePool, Job, Look, clip_digest, file_digest, look_at, look_at_clip
from tests.scoring.clips import moving_square, write_clip
from vidprompter.errors import CorruptVideo, InputError, NotAVideoFile, VideoNotFound
from vidprompter.video.clip import Clip, VideoInfo
from vidprompter.video.sampling import Uniform
from vidprompter.video.source import VideoSource

CROP, SQUASH = Preprocess(32), Preprocess(48, resize="squash", interpolation="bilinear")
IMAGES, WHOLE = Look(8, False, CROP), Look(8, True, SQUASH)


def job(path: Path, *looks: Look, start: float | None = None, end: float | None = None) -> Job:
    return Job(path, start, end, looks or (IMAGES, WHOLE))


def in_memory(frames: int) -> Clip:
    info = VideoInfo("memory", 96, 64, 12.0, frames / 12, frames, 0, "raw", "pyav")
    return Clip(moving_square(frames=frames), np.arange(frames) / 12, info)


def test_each_look_gets_its_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=24)
    three = Look(3, False, CROP)
    seen = look_at(job(path, IMAGES, three, WHOLE))
    assert [part.shape for part in seen.pixels] == [(8, 32, 32, 3), (3, 32, 32, 3), (8, 48, 48, 3)]
    assert seen.digest == hashlib.sha256(path.read_bytes()).hexdigest() == file_digest(path)
    for look, pixels in zip((IMAGES, three, WHOLE), seen.pixels, strict=True):
        [clip] = VideoSource(path, use_decord=False).sample(Uniform(look.frames, max_side=2048))
        assert np.array_equal(pixels, look.preprocess(clip.frames))


def test_both_readers_see_the_same(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 4, frames=30, size=(160, 96))
    [ours] = look_at(job(path, IMAGES)).pixels
    [clip] = VideoSource(path, threads=1).sample(Uniform(8, max_side=2048))
    apart = np.abs(ours.astype(int) - CROP(clip.frames))  # they round colours differently, and edges more so
    assert apart.max() <= 16 and apart.mean() < 2.5


@pytest.mark.parametrize(
    ("frames", "alone", "whole"), [(1, 1, 1), (2, 2, 8), (3, 3, 8), (8, 8, 8), (30, 8, 8)]
)
def test_clips_with_few_frames(frames: int, alone: int, whole: int, tmp_path: Path) -> None:
    for pixels in (
        look_at_clip(in_memory(frames), (IMAGES, WHOLE)),
        look_at(job(write_clip(tmp_path / "few.mp4", frames=frames))).pixels,
    ):
        assert [len(part) for part in pixels] == [alone, whole]


def test_frames_are_repeated_evenly() -> None:
    [pixels] = look_at_clip(in_memory(3), (WHOLE,))
    three = SQUASH(in_memory(3).frames)
    assert np.array_equal(pixels, three[[0, 0, 0, 1, 1, 1, 2, 2]])
    [pixels] = look_at_clip(in_memory(20), (WHOLE,))
    assert np.array_equal(pixels, SQUASH(in_memory(20).frames[[1, 3, 6, 8, 11, 13, 16, 18]]))


def test_a_part_of_a_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=24)
    [whole], [part] = look_at(job(path, IMAGES)).pixels, look_at(job(path, IMAGES, start=1.0)).pixels
    assert not np.array_equal(whole, part)
    with pytest.raises(InputError, match="start earlier"):
        look_at(job(path, IMAGES, start=5.0))


def test_a_bad_file_costs_itself_alone(tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(good.read_bytes()[:200])
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    pool = FramePool(2, 60)
    outcomes = {
        outcome.item.path.name: outcome
        for outcome in pool.map([job(cut), job(good), job(text), job(tmp_path / "no.mp4")])
    }
    pool.close()
    assert outcomes["good.mp4"].value is not None
    kinds = {name: type(outcome.error) for name, outcome in outcomes.items() if outcome.error}
    assert kinds == {"cut.mp4": CorruptVideo, "text.mp4": NotAVideoFile, "no.mp4": VideoNotFound}


def test_a_pool_starts_again(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    pool = FramePool(1, 60)
    for _ in range(2):
        assert [outcome.value is not None for outcome in pool.map([job(path)])] == [True]
        pool.close()
    pool.close()


def test_workers_know_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = write_clip(tmp_path / "clip.mp4")
    code = (
        "import sys; from pathlib import Path; from models.clip.preprocess import Preprocess\n"
        "from scoring.features.frames import *\n"
        f"look_at(Job(Path({str(path)!r}), None, None, (Look(8, False, Preprocess(32)),)))\n"
        "print(sorted({'torch', 'onnxruntime', 'decord'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


def test_digests(tmp_path: Path) -> None:
    one, two = in_memory(4), in_memory(5)
    assert clip_digest(one) == clip_digest(in_memory(4)) != clip_digest(two)
    assert file_digest(tmp_path) is None and file_digest(tmp_path / "no") is None
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert file_digest(tmp_path / "pipe") is None  # at once, though nobody writes
    long: Any = Path("x" * 5000)
    assert file_digest(long) is None and file_digest(Path("a\0b")) is None
