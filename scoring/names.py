"""Evaluators by name: from `--evaluator clip=ViT-L-14.pt` to something that scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidprompter.engines.options import EngineOptions
from vidprompter.errors import InputError
from vidprompter.scores import Evaluator

CLIP_LIKE = ("clip", "long-clip", "videoclip-xl")
"""The three of the paper, whose mean ranks candidates (section 3.5)."""
NAMES = (*CLIP_LIKE, "builtin", "rubric", "judge")
PAPER = "paper"
"""Stands for all of `CLIP_LIKE`."""


@dataclass(frozen=True)
class EvaluatorOptions:
    """How evaluators are run. "auto" is chosen when they are loaded.

    frames: of a clip, looked at by the image models; VideoCLIP-XL takes as many as it was trained with. device: "auto",
    "cpu", "cuda" or "cuda:1". dtype: "auto" (float16 on a GPU, else float32), "float32" or "float16". backend: "auto",
    "onnx" or "torch". batch: frames encoded at once, None chooses. workers, timeout_seconds: processes that decode, and
    what one clip may take. cache: folder of features, None for the user's own; cache_bytes: how large it may grow, 0
    switches it off. judge: the judge's model (as `--model`); judge_engine ("auto", "transformers", "openai", "vllm") and
    judge_options: how that is run; judge_tokens: of an answer at most, thoughts counted; repeats: answers per text.
    """

    frames: int = 8
    device: str = "auto"
    dtype: str = "auto"
    backend: str = "auto"
    batch: int | None = None
    workers: int = 2
    timeout_seconds: float = 120.0
    cache: Path | None = None
    cache_bytes: int = 2_000_000_000
    judge: str | None = None
    judge_engine: str = "auto"
    judge_options: EngineOptions = field(default_factory=EngineOptions)
    judge_tokens: int = 1536
    repeats: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Named:
    """An evaluator as the user named it. where: a checkpoint file, folder or hub id; None for the registry's."""

    name: str
    where: str | None = None


def parse_names(asked: Sequence[str]) -> list[Named]:
    """What was asked for, each name once, in order: "builtin", "paper", "clip=FOLDER_OR_FILE" ...

    Raises:
        InputError: an unknown name, one twice, or a place for what has none; the message says what there is.
    """
    found: list[Named] = []
    for text in asked:
        name, equals, where = text.partition("=")
        if name == PAPER and not equals:
            found += [Named(one) for one in CLIP_LIKE]
            continue
        if name not in NAMES:
            from difflib import get_close_matches

            near = get_close_matches(name, [*NAMES, PAPER], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join((*NAMES, PAPER))}"
            raise InputError(f"no evaluator {name!r}; {hint}")
        if equals and name not in CLIP_LIKE:
            raise InputError(f"{text!r}: {name!r} has no weights of one's own; write {name!r} alone")
        if equals and not where.strip():
            raise InputError(f"{text!r} names no place; write {name}=FILE, {name}=FOLDER or {name}=HUB/ID")
        found.append(Named(name, where or None))
    names = [one.name for one in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"the evaluator {twice[0]!r} was named twice; name it once")
    return found


def make_evaluator(
    asked: Sequence[str],
    options: EvaluatorOptions | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluator:
    """One evaluator for all names; nothing is loaded yet. say: is told what a user should hear while it works.

    Raises:
        InputError: as `parse_names`; or "judge" without a model.
        WeightsMissing: not on this machine; the message holds the command that fetches it. Every name that was asked for
            is needed: none is left out silently.
    """
    from scoring.ensemble import Ensemble

    options = options or EvaluatorOptions()
    named = parse_names(asked)
    members: list[Evaluator] = []
    clip_like = [one for one in named if one.name in CLIP_LIKE]
    for one in named:
        if one.name in CLIP_LIKE:
            if one is clip_like[0]:  # they share each clip's decoding
                from scoring.similarity import Similarity

                members.append(Similarity(clip_like, options, say))
        elif one.name == "builtin":
            from scoring.builtin.evaluator import BuiltinEvaluator

            members.append(BuiltinEvaluator(options, say))
        elif one.name == "rubric":
            from scoring.rubric import RubricEvaluator

            members.append(RubricEvaluator())
        else:
            from scoring.judge.evaluator import JudgeEvaluator

            members.append(JudgeEvaluator(options, say))
    return Ensemble(members)
