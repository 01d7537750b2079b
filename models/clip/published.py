"""What files beside the weights say of preprocessing; and what was published for weights that come alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.clip.preprocess import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocess
from models.errors import ModelError

_BICUBIC = 3  # Pillow's number


def published_preprocess(size: int, *, video: bool) -> Preprocess:
    """What OpenAI's and Long-CLIP's (or, with `video`, VideoCLIP-XL's) own programs do with pictures."""
    if video:
        return Preprocess(size, "squash", "bilinear", IMAGENET_MEAN, IMAGENET_STD)
    return Preprocess(size)


def open_clip_preprocess(file: Path, row: Any, size: int) -> Preprocess:
    """What the `preprocess_cfg` of an `open_clip_config.json` says; the size is the network's, as in open_clip.

    Raises:
        ModelError: it asks for what is not known here; the message names it.
    """
    row = row if isinstance(row, Mapping) else {}
    for key, known in (("mode", "RGB"), ("interpolation", "bicubic")):
        if (value := row.get(key) or known) != known:
            raise _unknown(file, f"preprocess_cfg.{key}", value, known)
    resize = {"shortest": "crop", "squash": "squash"}
    mode = row.get("resize_mode") or "shortest"
    if mode not in resize:
        raise _unknown(file, "preprocess_cfg.resize_mode", mode, "shortest or squash")
    mean, std = _triple(file, row, "mean", CLIP_MEAN), _triple(file, row, "std", CLIP_STD)
    return Preprocess(size, "squash" if mode == "squash" else "crop", "bicubic", mean, std)


def transformers_preprocess(file: Path, row: Mapping[str, Any], size: int) -> Preprocess:
    """What a `preprocessor_config.json` of a CLIPImageProcessor says.

    Raises:
        ModelError: it asks for what is not known here; the message names it.
    """
    row = row["image_processor"] if isinstance(row.get("image_processor"), dict) else row
    for key in ("do_resize", "do_center_crop", "do_normalize", "do_rescale"):
        if row.get(key, True) is not True:
            raise _unknown(file, key, row[key], True)
    if row.get("resample", _BICUBIC) != _BICUBIC:
        raise _unknown(file, "resample", row["resample"], f"{_BICUBIC}, bicubic")
    if abs(row.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
        raise _unknown(file, "rescale_factor", row["rescale_factor"], "1/255")
    for key in ("size", "crop_size"):
        if _side(row.get(key, size)) != size:
            raise _unknown(file, key, row.get(key), f"{size}, the side of the network's pictures")
    resize = row.get("size", size)
    squashed = isinstance(resize, dict) and "shortest_edge" not in resize
    mean, std = _triple(file, row, "image_mean", CLIP_MEAN), _triple(file, row, "image_std", CLIP_STD)
    return Preprocess(size, "squash" if squashed else "crop", "bicubic", mean, std)


def _side(value: Any) -> int | None:
    """The one number of 224, {"shortest_edge": 224} or {"height": 224, "width": 224}."""
    if isinstance(value, dict):
        numbers = set(value.values())
        known = set(value) in ({"shortest_edge"}, {"height", "width"})
        value = numbers.pop() if known and len(numbers) == 1 else None
    return value if isinstance(value, int) else None


def _triple(
    file: Path, row: Mapping[str, Any], key: str, usual: tuple[float, float, float]
) -> tuple[float, float, float]:
    value = row.get(key)
    if value is None:
        return usual
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 3 or not all(isinstance(one, int | float) for one in numbers):
        raise _unknown(file, key, value, "three numbers")
    if "std" in key and min(numbers) <= 0:
        raise _unknown(file, key, value, "three numbers above 0")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _unknown(file: Path, key: str, value: Any, known: Any) -> ModelError:
    return ModelError(f"{file}: {key} is {value!r}; known here is {known}")
