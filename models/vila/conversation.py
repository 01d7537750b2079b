"""How VILA-1.5 writes one question as text, up to where the answer begins.

Published templates: NVlabs/VILA, llava/conversation.py. A checkpoint's own chat template is not looked at: VILA
does not use it either.

There are two templates of the name `llama_3`. The one of May 2024 (branch vila1.5), with which the first 8B weights
were trained, opens the answer as if the system spoke and ends every turn with <|end_of_text|>. NVlabs/VILA issue
71 names that a bug; since August 2024 the assistant answers and turns end with <|eot_id|>, and the weights
published since then are called `Llama-3-VILA1.5-8B-Fix`. Nothing inside a checkpoint tells them apart, so its
folder's name does; `load_vila(..., conversation=...)` overrules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelError

IMAGE = "<image>"
"""Where a frame stands in the text."""

_LLAMA_3_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_FIRST_8B = re.compile(r"llama-3-vila1\.5-8b(?!-fix)", re.IGNORECASE)


@dataclass(frozen=True)
class Conversation:
    """One template: the text is before, frames, question, after. stops: tokens that end the model's answer."""

    name: str
    before: str
    after: str
    stops: tuple[str, ...]

    def text(self, question: str, *, frames: int) -> str:
        """The whole text that the model reads, with one `<image>` line for each frame before the question."""
        return f"{self.before}{frame_lines(frames)}{question}{self.after}"


def frame_lines(frames: int) -> str:
    """The lines that stand for `frames` frames; VILA has no sign for a video."""
    return f"{IMAGE}\n" * frames


def _header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


_LLAMA_3_SYSTEM = (
    f"<|begin_of_text|>{_header('system')}You are a helpful language and vision assistant. "
    "You are able to understand the visual content that the user provides, "
    "and assist the user with a variety of tasks using natural language."
)

LLAMA_3 = Conversation(
    "llama_3",
    before=f"{_LLAMA_3_SYSTEM}<|eot_id|>{_header('user')}",
    after=f"<|eot_id|>{_header('assistant')}",
    stops=("<|eot_id|>", "<|end_of_text|>"),
)
LLAMA_3_MAY_2024 = Conversation(
    "llama_3_may_2024",
    before=f"{_LLAMA_3_SYSTEM}<|end_of_text|>{_header('user')}",
    after=f"<|end_of_text|>{_header('system')}",
    stops=("<|eot_id|>", "<|end_of_text|>"),
)
VICUNA_V1 = Conversation(
    "vicuna_v1",
    before=(
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: "
    ),
    after=" ASSISTANT:",
    stops=("</s>",),
)
CONVERSATIONS = {made.name: made for made in (LLAMA_3, LLAMA_3_MAY_2024, VICUNA_V1)}


def choose_conversation(tokenizer: Any, *, folder: Path, name: str | None = None) -> Conversation:
    """The template a checkpoint was trained with: `name` if given, else told from its tokenizer and its folder.

    Raises:
        ModelError: There is no such template, or it cannot be told, or the tokenizer lacks its stop tokens.
    """
    if name is None:
        chosen = _told(tokenizer, folder)
    elif name in CONVERSATIONS:
        chosen = CONVERSATIONS[name]
    else:
        raise ModelError(f"no VILA conversation {name!r}; there are: {', '.join(CONVERSATIONS)}")
    known = tokenizer.get_vocab()
    for stop in chosen.stops:
        if stop not in known:
            raise ModelError(
                f"the tokenizer in {folder} has no token {stop!r}, which ends an answer of {chosen.name!r}; "
                "choose another conversation or fetch the checkpoint again"
            )
    return chosen


def _told(tokenizer: Any, folder: Path) -> Conversation:
    if all(token in tokenizer.get_vocab() for token in _LLAMA_3_TOKENS):
        return LLAMA_3_MAY_2024 if _FIRST_8B.search(folder.absolute().as_posix()) else LLAMA_3
    if (tokenizer.bos_token, tokenizer.eos_token) == ("<s>", "</s>"):
        return VICUNA_V1
    raise ModelError(
        f"the tokenizer in {folder} (bos {tokenizer.bos_token!r}, eos {tokenizer.eos_token!r}) is neither that of "
        f"Llama 3 nor that of Llama 2, so its conversation cannot be told; choose one of: {', '.join(CONVERSATIONS)}"
    )
