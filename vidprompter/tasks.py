"""The three tasks (VidPrompter paper, section 3.1) and the values that go in and come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidprompter.errors import InputError

if TYPE_CHECKING:
    from vidprompter.sheet.types import SceneSheet
    from vidprompter.video.clip import Clip

Finish = Literal["stop", "length", "loop"]


class Task(StrEnum):
    """Task 1: y = pi(v, q1); task 2: y = pi((v, ys), q2); task 3: y = pi(ys, q3)."""

    VIDEO_TO_PROMPT = "video_to_prompt"
    VIDEO_AND_SHORT_TO_PROMPT = "video_and_short_to_prompt"
    SHORT_TO_PROMPT = "short_to_prompt"


@dataclass(frozen=True)
class Sampling:
    """How text is drawn. `temperature` 0 is greedy; `candidates` are drawn, checked and the best is kept."""

    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    candidates: int = 4

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if self.temperature < 0:
            raise InputError(f"temperature is {self.temperature}; it must be 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}; it must be in (0, 1]")
        if self.candidates < 1:
            raise InputError(f"candidates is {self.candidates}; it must be at least 1")


@dataclass(frozen=True)
class Request:
    """One prompt to write.

    video: a path, an already decoded `Clip`, or None (task 3). sheet: measured facts, if the caller has them.
    start, end: seconds of the file, None for the whole. short: a short description (it may be wrong) or idea.
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

    def __post_init__(self) -> None:
        has_video = self.video is not None or self.sheet is not None
        if self.task is Task.SHORT_TO_PROMPT:
            if has_video:
                raise InputError(
                    "task 3 takes a short prompt and no video; use task 2 for a video with a short prompt"
                )
        elif not has_video:
            raise InputError(f"task {self.task.value!r} needs a video; give video= or use task 3")
        if self.task is not Task.VIDEO_TO_PROMPT and not (self.short or "").strip():
            raise InputError(f"task {self.task.value!r} needs a short prompt; give short=")


@dataclass(frozen=True)
class Prompt:
    """One prompt that was written, with all that is needed to write it again.

    tokens_in, tokens_out: language-model tokens of context and answer. finish: "stop" (the model ended),
    "length" (cut at max_new_tokens) or "loop" (repetition that retries could not cure).
    flags: what a reader should know, e.g. "camera_repaired"; empty is good.
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

    def __str__(self) -> str:
        return self.text
