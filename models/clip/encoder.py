"""What every backend of a CLIP-like model offers; `models/clip/load.py` makes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.clip.preprocess import Preprocess


@dataclass(frozen=True)
class Card:
    """What is known of a checkpoint before its weights are loaded.

    kind: "clip", "long-clip" or "videoclip-xl". model: registry name, file or folder name, or hub id. revision: pins the
    weights. preprocess: stored with the weights, or the published one. max_tokens: of a text, start and end mark
    included (77, 248). video_frames: how many frames make one picture of the whole clip (8 for VideoCLIP-XL); None for
    an image model, whose frame features are averaged. notes: what a user should know of it.
    """

    kind: str
    model: str
    revision: str
    preprocess: Preprocess
    max_tokens: int
    video_frames: int | None = None
    notes: tuple[str, ...] = ()


class ClipTokenizer(Protocol):
    """Cuts texts into the model's tokens."""

    def encode(self, text: str) -> list[int]:
        """All tokens of `text`, the start mark first and the end mark last; never cut."""
        ...

    def cut(self, ids: Sequence[int], max_tokens: int) -> list[int]:
        """At most `max_tokens` of them: the first ones, and the end mark in the last place."""
        ...


class ClipEncoder(Protocol):
    """Both towers. Letters: N frames, B clips, T frames of a clip, S side in pixels, D width of the features."""

    card: Card
    tokenizer: ClipTokenizer
    settings: dict[str, str]
    """What changes the numbers: {"backend": "onnx", "dtype": "float32", "device": "cpu"}."""

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, S, S, 3) uint8 -> (N, D) float32 of length 1; image models only."""
        ...

    def encode_videos(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, T, S, S, 3) uint8, T = `card.video_frames` or 1 -> (B, D) float32 of length 1; video models only."""
        ...

    def encode_texts(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Token lists of any lengths up to `card.max_tokens` -> (N, D) float32 of length 1."""
        ...
