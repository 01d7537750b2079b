"""How a large model is run: precision, device, frames, memory."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from vidprompter.errors import InputError
from vidprompter.tasks import Sampling, Wording

Quantize = Literal["8bit", "4bit"]
Send = Literal["frames", "file"]
SENDS = ("frames", "file")
DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")
ATTENTIONS = ("auto", "sdpa", "flash_attention_2", "eager")
MAX_FRAMES = 512
_SAME_TEXT = ("device", "attention", "concurrency", "timeout_seconds")


@dataclass(frozen=True)
class EngineOptions:
    """The user's choices; "auto" is chosen when the model is loaded, and said then.

    dtype: "auto", "float32", "bfloat16", "float16", or "int8" (`builtin` alone). device: "auto", "cpu", "cuda", "cuda:1",
    "mps", or "split": all GPUs share the layers (accelerate's device map). frames: of a clip that the model sees.
    max_side: of a frame, pixels. quantize: weights in "8bit" or "4bit" (CUDA and the `quantize` extra). attention:
    transformers' name of the attention kernel. template: path of an instruction of one's own, with `{short}` where the
    short prompt goes. conversation: of a VILA folder whose name does not tell: "llama_3", "llama_3_may_2024", "vicuna_v1".

    Of servers alone: send: "frames" as pictures, or the whole "file". concurrency: calls at once. timeout_seconds: of
    one call.
    """

    dtype: str = "auto"
    device: str = "auto"
    frames: int = 8
    max_side: int = 512
    quantize: Quantize | None = None
    attention: str = "auto"
    template: str | None = None
    conversation: str | None = None
    send: Send = "frames"
    concurrency: int = 8
    timeout_seconds: float = 120.0

    def __post_init__(self) -> None:
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("attention", self.attention, ATTENTIONS)
        _one_of("send", self.send, SENDS)
        _one_of("quantize", self.quantize, (None, "8bit", "4bit"))
        if not 1 <= self.frames <= MAX_FRAMES:
            raise InputError(f"frames is {self.frames}; it must be 1 to {MAX_FRAMES}")
        if not 28 <= self.max_side <= 4096:
            raise InputError(f"max_side is {self.max_side}; it must be 28 to 4096 pixels")

    def fields(self) -> dict[str, Any]:
        """What of it makes another text, where it is not the default; how it is computed or sent does not."""
        default = EngineOptions()
        changed = {k: v for k, v in asdict(self).items() if v != getattr(default, k)}
        told = {k: v for k, v in changed.items() if k not in _SAME_TEXT}
        if self.template is not None:
            told["template"] = _digest(self.template)
        return told


def asked_fields(sampling: Sampling, wording: Wording, options: EngineOptions) -> dict[str, Any]:
    """How prompts are asked for, by name: sampling; wording and engine options where there are any.

    Rows and the keys of the ledger say it alike, so that a ledger can be made again from rows.
    """
    more = {"wording": wording.fields(), "options": options.fields()}
    return sampling.fields() | {name: value for name, value in more.items() if value}


def _digest(template: str) -> str:
    """The file's name with 12 digits of its content: another text is another setting."""
    path = Path(template)
    try:
        return f"{path.name}+{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    except OSError as error:
        raise InputError(f"template {template!r} cannot be read: {error.strerror}") from error


def _one_of(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise InputError(f"{name} is {value!r}; it must be one of {', '.join(map(str, known))}")
