"""Texts and frames as the tensors that `VilaModel` reads.

Facts: NVlabs/VILA, llava/mm_utils.py (process_images, tokenizer_image_token) and llava/eval/run_vila.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import BatchFeature

from models.errors import ModelError
from models.vila.conversation import IMAGE, Conversation
from models.vila.projector import visual_tokens_per_frame

Frames = NDArray[np.uint8]

_RESERVED = re.compile(r"<\|reserved_special_token_(\d+)\|>")


class VilaProcessor:
    """Makes `input_ids`, `attention_mask` and `pixel_values`, and the conversation's text.

    tokenizer: of the language model, padding on the left. video_frames: frames of a clip the model was trained with.
    max_tokens: the longest input it was trained with. image_token_id: what stands for one visual token.
    """

    def __init__(
        self,
        *,
        tokenizer: Any,
        image_processor: Any,
        conversation: Conversation,
        image_token_id: int,
        image_aspect_ratio: str | None,
        patch_size: int,
        video_frames: int,
        max_tokens: int,
    ) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.conversation = conversation
        self.image_token_id = image_token_id
        self.image_aspect_ratio = image_aspect_ratio
        self.video_frames = video_frames
        self.max_tokens = max_tokens
        self._patch_size = patch_size
        tokenizer.padding_side = "left"
        tokenizer.pad_token_id = pad_token_id(tokenizer, image_token_id)

    def apply_chat(self, messages_text: str, *, frames: int) -> str:
        """VILA's conversation around the user's text, up to where the answer begins.

        frames: how many frames go with it; each is one `<image>` line before the text.
        """
        return self.conversation.text(messages_text, frames=frames)

    def visual_tokens(self, frames: int, height: int, width: int) -> int:
        """How many tokens `frames` frames take; VILA-1.5 makes any height and width the same square."""
        side = self.image_processor.size["height"] // self._patch_size
        return frames * visual_tokens_per_frame(side)

    def __call__(self, texts: Sequence[str], videos: Sequence[Frames | None] | None = None) -> BatchFeature:
        """What `VilaModel` reads: `model(**processor(texts, videos).to(device))`.

        texts: B of them, as `apply_chat` makes them. videos: for each text its frames (T, H, W, 3), uint8 0-255,
        sRGB, or None. Returns `input_ids` and `attention_mask` (B, L) int64, padded on the left, and, if there is any
        frame, `pixel_values` (N, 3, H, W) float32, normalised as preprocessor_config.json says.

        Raises:
            ValueError: A text has not as many `<image>` lines as its video has frames, holds the placeholder's own
                token, or is longer than the model was trained for; frames are not (T, H, W, 3) uint8.
        """
        clips = [None] * len(texts) if videos is None else list(videos)
        if len(clips) != len(texts):
            raise ValueError(f"{len(texts)} texts, but {len(clips)} videos; give one, or None, for each text")
        for clip in clips:
            _check_frames(clip)
        rows = [self._tokens(text, clip) for text, clip in zip(texts, clips, strict=True)]
        made = _padded(rows, self.tokenizer.pad_token_id)
        frames = [frame for clip in clips if clip is not None for frame in clip]
        if frames:
            made["pixel_values"] = self._pixels(frames)
        return BatchFeature(made)

    def _tokens(self, text: str, clip: Frames | None) -> list[int]:
        """Token ids of one text, each `<image>` line's mark as one placeholder per visual token.

        The pieces between the marks are tokenized one by one, begin tokens included and then taken away but for the
        first: so did the published code in training, and a text whose template begins with the begin token has
        it twice where the tokenizer adds one too.
        """
        frames = 0 if clip is None else len(clip)
        pieces = _pieces(text, frames)
        ids: list[int] = []
        for number, piece in enumerate(pieces):
            tokens = self.tokenizer(piece)["input_ids"]
            if self.image_token_id in tokens:
                token = self.tokenizer.convert_ids_to_tokens(self.image_token_id)
                raise ValueError(f"the text holds {token!r}, which stands for frames; write it otherwise")
            if number:
                begun = bool(tokens) and tokens[0] == self.tokenizer.bos_token_id
                ids += [self.image_token_id] * self.visual_tokens(1, 0, 0)
                tokens = tokens[1:] if begun else tokens
            ids += tokens
        if len(ids) > self.max_tokens:
            raise ValueError(
                f"the input has {len(ids)} tokens, {self.visual_tokens(frames, 0, 0)} of them for {frames} frames; "
                f"this model was trained with at most {self.max_tokens}; give fewer frames or a shorter text"
            )
        return ids

    def _pixels(self, frames: Sequence[Frames]) -> Tensor:
        """(N, 3, H, W) float32 of frames (h, w, 3) uint8."""
        pictures = [self._squared(Image.fromarray(frame)) for frame in frames]
        pixels: Tensor = self.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        return pixels

    def _squared(self, picture: Image.Image) -> Image.Image:
        if self.image_aspect_ratio == "pad":
            mean = self.image_processor.image_mean
            return padded_to_square(picture, (int(mean[0] * 255), int(mean[1] * 255), int(mean[2] * 255)))
        if self.image_aspect_ratio == "resize":
            size = self.image_processor.size
            return picture.resize((size["width"], size["height"]), Image.Resampling.BICUBIC)
        return picture  # the image processor stretches it


def padded_to_square(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """`picture` in the middle of a square as long as its longer side; bars are `colour`, 0-255 sRGB."""
    width, height = picture.size
    side = max(width, height)
    square = Image.new("RGB", (side, side), colour)
    square.paste(picture, ((side - width) // 2, (side - height) // 2))
    return square


def choose_image_token(tokenizer: Any, rows: int) -> int:
    """The id that stands for one visual token in `input_ids`. rows: of the embedding.

    It has to have a row, so that looking it up stays valid, and no text may hold it by accident: the last row where
    the tokenizer leaves some unused; else the last of Llama 3's reserved tokens; else Llama 2's <unk>, which it
    never writes since it spells unknown characters in bytes. The last two can be written on purpose; the processor
    refuses such a text.

    Raises:
        ModelError: The tokenizer has neither.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if max(vocabulary.values()) < rows - 1:
        return rows - 1
    reserved = [
        (int(match[1]), i) for token, i in vocabulary.items() if (match := _RESERVED.fullmatch(token))
    ]
    if reserved:
        return max(reserved)[1]
    if tokenizer.unk_token_id is not None:
        unknown: int = tokenizer.unk_token_id
        return unknown
    raise ModelError(
        f"the tokenizer's {len(vocabulary)} tokens leave none for frames: no spare row, no reserved token, no <unk>; "
        "add one reserved token to it and resize the language model's embedding"
    )


def pad_token_id(tokenizer: Any, image_token_id: int) -> int:
    """The id to pad with: the tokenizer's own if it is not the placeholder (Llama 2's <unk> is), else its end token."""
    own = tokenizer.pad_token_id
    chosen: int = tokenizer.eos_token_id if own is None or own == image_token_id else own
    return chosen


def _padded(rows: Sequence[list[int]], pad: int) -> dict[str, Tensor]:
    longest = max(map(len, rows), default=0)
    ids = [[pad] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def _pieces(text: str, frames: int) -> list[str]:
    """The text split at the first `frames` marks; a later `<image>` is the user's own and stays text."""
    lines = re.search(rf"(?:{IMAGE}\n)+", text) if frames else None
    held = len(lines[0]) // len(f"{IMAGE}\n") if lines else 0
    if held != frames:
        raise ValueError(
            f"the text has {held} {IMAGE} lines one after the other, but its video has {frames} frames; "
            f"make it with apply_chat(..., frames={frames})"
        )
    return text.split(IMAGE, frames)


def _check_frames(clip: Frames | None) -> None:
    if clip is None:
        return
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
        raise ValueError(
            f"frames are {clip.dtype} {clip.shape}; give uint8 (T, H, W, 3) with at least one frame"
        )
