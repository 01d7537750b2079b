"""Pictures as clips: upright, in sRGB, animated ones in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.vidprompter.video.make import corners, numbered, numbers_of, quadrants
from vidprompter.errors import CorruptVideo
from vidprompter.video.sampling import AtRate, Uniform
from vidprompter.video.source import VideoSource


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.gif", "a.tif", "a.ppm", "a"])
def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(quadrants()).save(path, format="PNG" if name == "a" else None)
    source = VideoSource(path)
    few, dense = source.sample(Uniform(8), AtRate(8.0, max_side=64))
    assert few.frames.shape == (1, 96, 128, 3) and few.frames.dtype == np.uint8
    assert dense.frames.shape == (1, 48, 64, 3)
    assert few.timestamps.tolist() == dense.timestamps.tolist() == [0.0]
    assert corners(few.frames[0]) == corners(dense.frames[0]) == "rgbw"
    info = few.info
    assert (info.backend, info.frame_count, info.duration, info.fps) == ("image", 1, 0.0, 0.0)
    assert (info.width, info.height) == (128, 96)
    assert few.rate == 0.0


@pytest.mark.parametrize(
    ("number", "shown", "degrees"), [(3, "wbgr", 180), (6, "brwg", 90), (8, "gwrb", 270), (2, "grwb", 0)]
)
def test_exif_rotation_is_honoured(tmp_path: Path, number: int, shown: str, degrees: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    path = tmp_path / "a.jpg"
    Image.fromarray(quadrants()).save(path, exif=exif)
    source = VideoSource(path)
    (clip,) = source.sample(Uniform(1))
    assert corners(clip.frames[0]) == shown
    assert source.info.rotation == degrees
    assert (source.info.width, source.info.height) == clip.frames.shape[2:0:-1]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_an_animation_is_a_video_with_its_own_times(tmp_path: Path, name: str) -> None:
    lengths = [100, 300, 50, 50, 500]
    frames = [Image.fromarray(numbered(number)) for number in range(5)]
    more = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=lengths, loop=0, **more)
    source = VideoSource(tmp_path / name)
    few, dense = source.sample(Uniform(2), AtRate(20.0))
    assert source.info.duration == pytest.approx(1.0) and source.info.frame_count == 5
    assert numbers_of(dense.frames) == [0, 1, 2, 3, 4]
    assert dense.timestamps.tolist() == pytest.approx([0.0, 0.1, 0.4, 0.45, 0.5])
    assert numbers_of(few.frames) == [1, 4]
    (part,) = VideoSource(tmp_path / name, start=0.4, end=0.5).sample(AtRate(20.0))
    assert numbers_of(part.frames) == [2, 3]


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    image = np.zeros((20, 40, 4), np.uint8)
    image[:, :20] = (200, 0, 0, 255)
    Image.fromarray(image).save(tmp_path / "a.png")
    (clip,) = VideoSource(tmp_path / "a.png").sample(Uniform(1))
    assert (clip.frames[0, :, :20] == (200, 0, 0)).all() and (clip.frames[0, :, 20:] == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA", "I;16", "YCbCr"])
def test_every_pixel_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.full((24, 32), 128, np.uint8)
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png")
    if mode == "I;16":
        Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(grey).convert("RGB" if mode == "CMYK" else "L").convert(mode).save(path)
    (clip,) = VideoSource(path).sample(Uniform(1))
    assert clip.frames.shape == (1, 24, 32, 3)
    assert abs(clip.frames.mean() - 128) < 6


def test_a_colour_profile_is_applied(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    image = Image.fromarray(quadrants())
    image.save(tmp_path / "same.png", icc_profile=srgb.tobytes())
    image.save(tmp_path / "odd.png", icc_profile=profile.tobytes())
    image.save(tmp_path / "broken.png", icc_profile=b"no profile at all")
    for name in ("same.png", "odd.png", "broken.png"):
        (clip,) = VideoSource(tmp_path / name).sample(Uniform(1))
        assert np.abs(clip.frames[0].astype(int) - quadrants()).max() <= 2


def test_damaged_pictures_are_corrupt(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    for name in ("a.png", "a.jpg", "a.webp"):
        Image.fromarray(noise).save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        for part in (data[: len(data) // 2], data[:40], data[:12]):
            path = tmp_path / f"cut_{name}"
            path.write_bytes(part)
            with pytest.raises(CorruptVideo):
                VideoSource(path).sample(Uniform(1))


def test_no_picture_under_a_pictures_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bytes(range(1, 256)))
    with pytest.raises(CorruptVideo, match="picture"):
        VideoSource(path).sample(Uniform(1))
