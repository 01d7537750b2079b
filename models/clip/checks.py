"""What every backend asks of its input: mistakes of the caller, told in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.clip.config import ClipConfig
from models.errors import ModelError


def check_images(config: ClipConfig, pixels: NDArray[Any]) -> None:
    """Nothing, for (N, S, S, 3) uint8 and an image model.

    Raises:
        ModelError: anything else.
    """
    side = config.image_size
    if config.video_frames is not None:
        raise ModelError(f"a model of whole clips takes (B, {config.video_frames}, S, S, 3) by encode_videos")
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (side, side, 3):
        raise ModelError(f"pixels must be (N, {side}, {side}, 3) uint8, not {pixels.shape} {pixels.dtype}")


def check_videos(config: ClipConfig, pixels: NDArray[Any]) -> None:
    """Nothing, for (B, T, S, S, 3) uint8, T as the model was trained or 1, and a video model.

    Raises:
        ModelError: anything else.
    """
    side, frames = config.image_size, config.video_frames
    if frames is None:
        raise ModelError("an image model takes (N, S, S, 3) by encode_images")
    if pixels.dtype != np.uint8 or pixels.ndim != 5 or pixels.shape[2:] != (side, side, 3):
        raise ModelError(
            f"pixels must be (B, {frames}, {side}, {side}, 3) uint8, not {pixels.shape} {pixels.dtype}"
        )
    if pixels.shape[1] not in (1, frames):
        raise ModelError(f"clips must have {frames} frames, or 1, not {pixels.shape[1]}")


def check_texts(config: ClipConfig, ids: Sequence[Sequence[int]]) -> None:
    """Nothing, for lists of 1 to `config.context` tokens that the model knows.

    Raises:
        ModelError: anything else.
    """
    for number, row in enumerate(ids):
        if not 0 < len(row) <= config.context:
            raise ModelError(
                f"text {number} has {len(row)} tokens; it must have 1 to {config.context} (cut it first)"
            )
        if min(row) < 0 or max(row) >= config.vocab_size:
            raise ModelError(f"text {number} has tokens outside of 0 to {config.vocab_size - 1}")
