"""Requests as the tensors that a video model reads, and those of many requests as one batch.

Each context is made by the model's own processor, alone, so that its neighbours in a batch cannot change it; here
they are only put together: texts padded on the left, pictures one after another.

Letters: R contexts, L tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidprompter.errors import GenerationError, InputError, VisualTokenMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vidprompter.video.clip import Clip

_TEXT = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
_DEFAULT_FPS = 24.0  # of a picture, which has none


@dataclass(frozen=True)
class Context:
    """What the model reads for one request. tensors: with a batch of 1. visual: how many tokens the frames take."""

    tensors: dict[str, Any]
    visual: int

    @property
    def ids(self) -> tuple[int, ...]:
        """The token ids, placeholders of the frames among them."""
        return tuple(self.tensors["input_ids"][0].tolist())

    def form(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """What must be the same in contexts that are read together: which tensors there are, and their shapes."""
        return tuple(
            (name, tuple(value.shape[1:]))
            for name, value in sorted(self.tensors.items())
            if name not in _TEXT
        )


class Reader:
    """Makes contexts with a processor of transformers and its chat template.

    placeholders: the token ids that stand for frames, which no answer may hold. end: the token that ends an answer,
    None where the model's own settings say it.
    """

    end: int | None = None

    def __init__(self, processor: Any, config: Any) -> None:
        self.processor, self.tokenizer = processor, processor.tokenizer
        self.placeholders = _visual_ids(config)
        self._control = [token for token in self.tokenizer.all_special_tokens if token.strip()]

    @property
    def has_template(self) -> bool:
        """Whether the folder says how a conversation is written for this model."""
        return bool(self.processor.chat_template or self.tokenizer.chat_template)

    def read(self, text: str, clip: Clip | None) -> Context:
        """The context of an instruction and, for tasks 1 and 2, a clip.

        Raises:
            InputError: the text holds one of the model's control tokens.
            VisualTokenMismatch: not as many placeholders came out as the processor promised.
        """
        check_plain(text, self._control)
        options: dict[str, Any] = {"return_tensors": "pt"}
        if clip is not None:
            options |= {
                "videos": [clip.frames],
                "video_metadata": [_metadata(clip)],
                "do_sample_frames": False,
                "return_text_replacement_offsets": True,
            }
        try:
            made = dict(self.processor(text=[self._conversation(text, clip)], **options))
        except ValueError as error:
            kind = VisualTokenMismatch if "tokens" in str(error) else GenerationError
            raise kind(
                f"the model's processor refuses this context: {' '.join(str(error).split())}"
            ) from error
        offsets = made.pop("text_replacement_offsets", None)
        context = Context(made, self._placeholders(made["input_ids"]))
        if clip is not None:
            self._check(context, offsets)
        return context

    def _conversation(self, text: str, clip: Clip | None) -> str:
        if not self.has_template:
            video = f"{self.processor.video_token}\n" if clip is not None else ""
            return f"USER: {video}{text}\nASSISTANT:"
        parts: list[dict[str, str]] = [{"type": "video"}] if clip is not None else []
        turn = {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
        told: str = self.processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        return told

    def _placeholders(self, ids: Tensor) -> int:
        return sum(int((ids == one).sum()) for one in self.placeholders)

    def _check(self, context: Context, offsets: Any) -> None:
        promised = _promised(offsets, self.tokenizer, self.placeholders)
        if context.visual == 0 or (promised is not None and promised != context.visual):
            raise VisualTokenMismatch(
                f"the processor promised {promised or 'some'} visual tokens and {context.visual} are in the context; "
                "its chat template or tokenizer does not fit it (fetch the model again)"
            )


class VilaReader:
    """Makes contexts with `models.vila`'s processor, which writes VILA's own conversation."""

    has_template = True

    def __init__(self, processor: Any) -> None:
        self.processor, self.tokenizer = processor, processor.tokenizer
        self.placeholders = (int(processor.image_token_id),)
        stops = self.tokenizer.convert_tokens_to_ids(list(processor.conversation.stops))
        self.end: int | None = int(stops[0]) if stops else None
        self._control = [token for token in self.tokenizer.all_special_tokens if token.strip()]

    def read(self, text: str, clip: Clip | None) -> Context:
        """As `Reader.read`."""
        check_plain(text, [*self._control, "<image>"])
        frames = 0 if clip is None else len(clip)
        told = self.processor.apply_chat(text, frames=frames)
        try:
            made = dict(self.processor([told], [None if clip is None else clip.frames]))
        except ValueError as error:
            raise GenerationError(str(error)) from error
        found = int((made["input_ids"] == self.processor.image_token_id).sum())
        promised = 0 if clip is None else self.processor.visual_tokens(frames, *clip.frames.shape[1:3])
        if found != promised:
            raise VisualTokenMismatch(
                f"the processor promised {promised} visual tokens and {found} are in the context"
            )
        return Context(made, found)


def check_plain(text: str, control: Sequence[str]) -> None:
    """Nothing; a text with a control token in it would end its own turn, or be taken for a video.

    Raises:
        InputError: it holds one.
    """
    for token in control:
        if token in text:
            raise InputError(f"the text holds {token!r}, a control token of this model; write it otherwise")


def together(contexts: Sequence[Context], pad: int) -> dict[str, Any]:
    """One batch of contexts of one form: texts (R, L) padded on the left, all else one after another."""
    import torch

    longest = max(context.tensors["input_ids"].shape[1] for context in contexts)
    batch: dict[str, Any] = {}
    for name in contexts[0].tensors:
        values = [context.tensors[name] for context in contexts]
        if name in _TEXT:
            fill = pad if name == "input_ids" else 0
            values = [torch.nn.functional.pad(one, (longest - one.shape[1], 0), value=fill) for one in values]
        batch[name] = torch.cat(values)
    return batch


def spread_frames(clip: Clip, count: int) -> Clip:
    """The clip with `count` of its frames at most, evenly spread."""
    from dataclasses import replace

    if len(clip) <= count:
        return clip
    chosen: NDArray[np.int64] = ((np.arange(count) + 0.5) * len(clip) / count).astype(np.int64)
    return replace(clip, frames=clip.frames[chosen], timestamps=clip.timestamps[chosen])


def _metadata(clip: Clip) -> Any:
    """Where the frames stand in the clip, from its first frame on."""
    from transformers.video_utils import VideoMetadata

    fps = clip.info.fps if clip.info.fps > 0 else _DEFAULT_FPS
    since = clip.timestamps - clip.timestamps[0]
    indices = [round(float(time) * fps) for time in since]
    # The last frame stands for as long as the others do.
    step = float(since[-1]) / (len(clip) - 1) if len(clip) > 1 else 1 / fps
    total = max(indices[-1] + max(1, round(step * fps)), len(clip))
    return VideoMetadata(
        total_num_frames=total,
        fps=fps,
        width=clip.frames.shape[2],
        height=clip.frames.shape[1],
        duration=total / fps,
        frames_indices=indices,
    )


def _visual_ids(config: Any) -> tuple[int, ...]:
    """The placeholder ids of frames; families name them `..._token_id` or `..._token_index`."""
    names = ("image_token_id", "video_token_id", "image_token_index", "video_token_index")
    return tuple(
        dict.fromkeys(int(value) for name in names if (value := getattr(config, name, None)) is not None)
    )


def _promised(offsets: Any, tokenizer: Any, visual: Sequence[int]) -> int | None:
    """How many placeholders the processor wrote into the text; None where it does not tell."""
    if not offsets or not offsets[0]:
        return None
    tokens = [tokenizer.convert_ids_to_tokens(one) for one in visual]
    return sum(str(one["replacement"]).count(token) for one in offsets[0] for token in tokens)
