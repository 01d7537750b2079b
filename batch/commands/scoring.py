"""The options of all commands that score captions: by whom, how they are run, and how many candidates are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from batch.caption.flow import usable_cores
from scoring.names import NAMES, PAPER, EvaluatorOptions
from vidprompter.engines.options import MAX_FRAMES, EngineOptions
from vidprompter.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])
DTYPES = ("auto", "float32", "float16")
BACKENDS = ("auto", "onnx", "torch")
_ENGINES = ("auto", "transformers", "openai", "vllm")
DEFAULT = ("builtin",)
DEFAULT_WITHOUT_CLIP = ("rubric",)
_DEFAULTS = EvaluatorOptions()
_GIGABYTE = 1_000_000_000

_RUNNING = (
    click.option("--judge", metavar="MODEL", help="Of the evaluator `judge`; named as --model of `caption`."),
    click.option(
        "--judge-engine", type=click.Choice(_ENGINES), default="auto", show_default=True, help="What runs it."
    ),
    click.option(
        "--judge-template",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="Your own instruction for the judge; {caption} in it is the text.",
    ),
    click.option(
        "--judge-tokens",
        type=click.IntRange(1, 1_000_000),
        default=_DEFAULTS.judge_tokens,
        show_default=True,
        help="Of a judge's answer at most; more for models that think first.",
    ),
    click.option(
        "--repeats",
        type=click.IntRange(1, 100),
        default=_DEFAULTS.repeats,
        show_default=True,
        help="Answers of the judge for each text.",
    ),
    click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True),
    click.option(
        "--frames",
        type=click.IntRange(1, MAX_FRAMES),
        default=_DEFAULTS.frames,
        show_default=True,
        help="Of a clip, looked at by clip and long-clip.",
    ),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1."),
    click.option("--dtype", type=click.Choice(DTYPES), default="auto", show_default=True),
    click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True),
    click.option(
        "--workers", type=click.IntRange(1, 256), help="Decoding processes.  [default: one per core]"
    ),
    click.option(
        "--decode-timeout",
        type=click.FloatRange(0, 86400, min_open=True),
        default=_DEFAULTS.timeout_seconds,
        show_default=True,
        help="Seconds a clip may take to be read.",
    ),
    click.option(
        "--cache",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of what was seen in clips.  [default: your cache folder]",
    ),
    click.option(
        "--cache-size",
        type=click.FloatRange(0),
        default=_DEFAULTS.cache_bytes / _GIGABYTE,
        show_default=True,
        metavar="GB",
        help="How large it may grow; 0 switches it off.",
    ),
    click.option(
        "--call-timeout",
        type=click.FloatRange(0, 86400, min_open=True),
        default=EngineOptions.timeout_seconds,
        show_default=True,
        help="Seconds one call to a judge's server may take.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        default=EngineOptions.concurrency,
        show_default=True,
        help="Calls to a judge's server at once.",
    ),
)


def evaluator_options(default: str = "builtin; without a clip rubric") -> Callable[[Command], Command]:
    """Adds these options to a command; `options_of` and `names_of` read them. default: evaluators, for the help page."""
    evaluator = click.option(
        "--evaluator",
        "evaluators",
        multiple=True,
        metavar="NAME",
        help=f"{', '.join(NAMES)}; {PAPER}: the three CLIP-like ones; NAME=FILE, FOLDER or HUB/ID. Repeatable.  "
        f"[default: {default}]",
    )

    def add(command: Command) -> Command:
        for option in reversed((evaluator, *_RUNNING)):
            command = option(command)
        return command

    return add


def options_of(given: dict[str, Any]) -> EvaluatorOptions:
    """How evaluators are run, from a command's options."""
    return EvaluatorOptions(
        frames=given["frames"],
        device=given["device"],
        dtype=given["dtype"],
        backend=given["backend"],
        workers=given["workers"] or usable_cores(),
        timeout_seconds=given["decode_timeout"],
        cache=given["cache"],
        cache_bytes=round(given["cache_size"] * _GIGABYTE),
        judge=given["judge"],
        judge_engine=given["judge_engine"],
        judge_options=EngineOptions(
            device=given["device"],
            template=given["judge_template"],
            concurrency=given["concurrency"],
            timeout_seconds=given["call_timeout"],
        ),
        judge_tokens=given["judge_tokens"],
        repeats=given["repeats"],
        seed=given["seed"],
    )


def names_of(given: dict[str, Any], default: Sequence[str]) -> tuple[str, ...]:
    """The evaluators that were asked for, or `default`; a judge's model alone asks for the judge.

    Raises:
        InputError: a model for a judge that is not asked.
    """
    asked: tuple[str, ...] = given["evaluators"]
    if given["judge"] is None:
        return asked or tuple(default)
    if not asked:
        return ("judge",)
    if "judge" not in asked:
        raise InputError(
            f"--judge {given['judge']} says nothing without --evaluator judge; add that, or drop it"
        )
    return asked
