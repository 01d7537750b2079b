"""The three tasks (VidPrompter paper, section 3.1) and the values that go in and come out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vidprompter.errors import InputError

if TYPE_CHECKING:
    from vidprompter.sheet.types import SceneSheet
    from vidprompter.video.clip import Clip

Finish = Literal["stop", "length", "loop"]
MAX_BEAMS = 64


class Task(StrEnum):
    """Task 1: y = pi(v, q1); task 2: y = pi((v, ys), q2); task 3: y = pi(ys, q3)."""

    VIDEO_TO_PROMPT = "video_to_prompt"
    VIDEO_AND_SHORT_TO_PROMPT = "video_and_short_to_prompt"
    SHORT_TO_PROMPT = "short_to_prompt"


@dataclass(frozen=True)
class Sampling:
    """How text is drawn. `temperature` 0 is greedy; `candidates` are drawn, checked and the best is kept.

    candidates: None is the model's own default (`Capabilities.candidates`): 4 with `builtin`, 1 with large models.
    beams: 2 or more is a beam search of that width, which returns all its beams; nothing is drawn then, so that
    `temperature` becomes 0 and `candidates` 1. stop: texts that end the answer where they appear.
    """

    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    candidates: int | None = None
    beams: int = 1
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.beams <= MAX_BEAMS:
            raise InputError(f"beams is {self.beams}; it must be 1 (no beam search) to {MAX_BEAMS}")
        if self.beams > 1:
            object.__setattr__(self, "temperature", 0.0)
            object.__setattr__(self, "candidates", 1)
        if not all(self.stop):
            raise InputError("stop holds an empty text; give the texts that end an answer")
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if self.temperature < 0:
            raise InputError(f"temperature is {self.temperature}; it must be 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}; it must be in (0, 1]")
        if self.candidates is not None and self.candidates < 1:
            raise InputError(f"candidates is {self.candidates}; it must be at least 1")

    def resolved(self, candidates: int) -> Sampling:
        """The same with the model's own number of candidates where none was asked for."""
        return self if self.candidates is not None else replace(self, candidates=candidates)

    def fields(self) -> dict[str, Any]:
        """The options by name; `beams` and `stop` only where they are used, so that old runs keep their keys."""
        unused = {"beams": 1, "stop": ()}
        return {k: v for k, v in asdict(self).items() if k not in unused or v != unused[k]}


@dataclass(frozen=True)
class Wording:
    """What the words of a prompt must keep to.

    locked: phrases that are kept letter for letter. avoid: words that must not be mentioned, in no inflection.
    prefix: put in front of the text as it is, such as the trigger word of a LoRA. target: name of a target profile
    (`vidprompter/targets/`), whose token limit the prompt keeps. language: ISO 639-1 code of the prompt, None for
    English.
    """

    locked: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    prefix: str = ""
    target: str | None = None
    language: str | None = None

    def fields(self) -> dict[str, Any]:
        """Those that were asked for, by name; empty where nothing was."""
        return {k: v for k, v in asdict(self).items() if v}


@dataclass(frozen=True)
class Request:
    """One prompt to write.

    video: a path, an already decoded `Clip`, or None (task 3). sheet: measured facts, if the caller has them.
    start, end: seconds of the file, None for the whole. short: a short description (it may be wrong) or idea.
    instruction: asked as it stands in place of the task's own, by large models alone; the answer comes raw, with its line
    breaks, and needs no short prompt. No part of a row's key: only what writes no rows asks so, such as a judge.
    """

    task: Task
    video: Path | Clip | None = None
    short: str | None = None
    sheet: SceneSheet | None = None
    start: float | None = None
    end: float | None = None
    variant: int = 0
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    wording: Wording = field(default_factory=Wording)
    instruction: str | None = None

    def __post_init__(self) -> None:
        has_video = self.video is not None or self.sheet is not None
        if self.task is Task.SHORT_TO_PROMPT:
            if has_video:
                raise InputError(
                    "task 3 takes a short prompt and no video; use task 2 for a video with a short prompt"
                )
        elif not has_video:
            raise InputError(f"task {self.task.value!r} needs a video; give video= or use task 3")
        if self.instruction is not None:
            if not self.instruction.strip():
                raise InputError("the instruction is empty; say what the model is to do, or leave it out")
            if self.wording.fields():
                raise InputError("an instruction is asked as it stands; leave out wording=")
        elif self.task is not Task.VIDEO_TO_PROMPT and not (self.short or "").strip():
            raise InputError(f"task {self.task.value!r} needs a short prompt; give short=")


@dataclass(frozen=True)
class Beam:
    """One text of a beam search. logprob: sum of the natural logarithms of its tokens' probabilities, the end's too.

    ids: its tokens as the model wrote them, the end among them. finish: "stop" or "length".
    """

    text: str
    logprob: float
    ids: tuple[int, ...] = ()
    finish: Finish = "stop"


@dataclass(frozen=True)
class TokenLogprobs:
    """How likely a model finds a text after a request.

    ids: the text's tokens, the end of the answer last. logprobs: natural logarithm of each one's probability, <= 0.
    """

    text: str
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]

    @property
    def total(self) -> float:
        """log p(text | request)."""
        return float(sum(self.logprobs))


@dataclass(frozen=True)
class Prompt:
    """One prompt that was written, with all that is needed to write it again.

    tokens_in, tokens_out: language-model tokens of context and answer. finish: "stop" (the model ended),
    "length" (cut at max_new_tokens) or "loop" (repetition that retries could not cure).
    flags: what a reader should know, e.g. "camera_repaired"; empty is good. logprob: log p of the model's own text
    (before anything was mended), None where the engine does not tell. beams: all beams, the best first, where a beam
    search was asked for. tokens_visual: tokens that the frames took, part of tokens_in. negative: the negative prompt
    that goes with it, where the target model takes one. ids: the model's own tokens, the end among them, from which
    `logprobs` can start; empty where the engine does not tell.
    """

    text: str
    task: Task
    model: str
    revision: str
    engine: str
    seed: int
    variant: int = 0
    finish: Finish = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    flags: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    sheet: SceneSheet | None = None
    logprob: float | None = None
    beams: tuple[Beam, ...] = ()
    tokens_visual: int = 0
    negative: str | None = None
    ids: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.text


Answer: TypeAlias = str | Prompt | Beam
"""A text whose probability is asked for; of a `Prompt` or `Beam` the model's own tokens count, not its text's."""
