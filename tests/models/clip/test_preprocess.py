"""Pictures as open_clip, transformers and VideoCLIP-XL's own program make them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.clip.checkpoint import read_checkpoint
from models.clip.preprocess import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocess
from tests.models.clip import tiny

SIZES = [(224, 224), (225, 301), (301, 225), (37, 640), (640, 37), (1, 1), (3, 500), (223, 222), (719, 1281)]


def frame(high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(high * wide).integers(0, 256, (high, wide, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_pictures_are_those_of_open_clip(size: tuple[int, int], resize: str) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    picture = frame(*size)
    mode = {"crop": "shortest", "squash": "squash"}[resize]
    theirs = image_transform_v2(PreprocessCfg(size=64, resize_mode=mode), is_train=False)
    want = theirs(Image.fromarray(picture)).numpy()
    [found] = Preprocess(64, resize, "bicubic")(picture[None])  # type: ignore[arg-type]
    again = ((found / 255 - np.array(CLIP_MEAN)) / np.array(CLIP_STD)).transpose(2, 0, 1)
    assert np.abs(again - want).max() < 1e-5  # so that no pixel differs by one step, which is 0.014


@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_videoclip_xl_are_resized_by_opencv(size: tuple[int, int], checkpoints: Path) -> None:
    import cv2

    preprocess = read_checkpoint(checkpoints / "VideoCLIP-XL.bin").preprocess
    assert preprocess == Preprocess(tiny.SIDE, "squash", "bilinear", IMAGENET_MEAN, IMAGENET_STD)
    picture = frame(*size)
    assert np.array_equal(preprocess(picture[None])[0], cv2.resize(picture, (tiny.SIDE, tiny.SIDE)))


def test_what_is_stored_with_the_weights_is_taken(checkpoints: Path) -> None:
    for name in ("open_clip", "transformers", "longclip-L.pt"):
        assert read_checkpoint(checkpoints / name).preprocess == Preprocess(tiny.SIDE)


def test_settings_of_other_trainings_are_read(tmp_path: Path) -> None:
    import json

    folder = tiny.write_clip(tmp_path, tokenizer=False)
    row = tiny.open_clip_config()
    row["preprocess_cfg"] = {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.4, 0.3],
        "resize_mode": "squash",
        "size": 224,
    }
    (folder / "open_clip_config.json").write_text(json.dumps(row))
    found = read_checkpoint(folder).preprocess
    assert found == Preprocess(tiny.SIDE, "squash", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.4, 0.3))


@pytest.mark.parametrize("new", [False, True])
def test_the_processor_that_transformers_saves_is_read(new: bool, tmp_path: Path) -> None:
    from transformers import CLIPProcessor

    folder = tiny.write_clip(tmp_path / "x", "transformers")
    processor = CLIPProcessor.from_pretrained(folder)
    (folder / "preprocessor_config.json").unlink()
    (processor if new else processor.image_processor).save_pretrained(folder)
    assert read_checkpoint(folder).preprocess == Preprocess(tiny.SIDE)
