"""`vidprompter eval judge`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batch.commands.score import answer, say
from scoring.names import EvaluatorOptions
from vidprompter.engines.options import EngineOptions
from vidprompter.errors import InputError

if TYPE_CHECKING:
    from scoring.judge.calibrate import Calibration, Marked

_ENGINES = ("auto", "transformers", "openai", "vllm")
_REPEATS = 3


@click.command(
    "judge",
    short_help="Say how far a judge can be trusted.",
    help="""Say how far a judge can be trusted.

    It marks texts whose marks are agreed on, from very bad to very good, each fault of the seven factors among
    them. Told are: how many answers hold a score, how many scores lie in the agreed band, Spearman's
    correlation, the mean bias, and how well repeated answers agree.

    \b
      vidprompter eval judge --judge openai:MODEL@http://localhost:8000/v1
      vidprompter eval judge --judge MODEL --repeats 5 --json
      vidprompter eval judge --rubric
    """,
)
@click.option("--judge", metavar="MODEL", help="The judge's model; named as --model of `caption`.")
@click.option("--rubric", is_flag=True, help="Try the evaluator `rubric`, which needs no model.")
@click.option(
    "--judge-engine", type=click.Choice(_ENGINES), default="auto", show_default=True, help="What runs it."
)
@click.option(
    "--judge-template",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Your own instruction for the judge; {caption} in it is the text.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=_REPEATS,
    show_default=True,
    help="Answers of the judge for each text.",
)
@click.option(
    "--judge-tokens",
    type=click.IntRange(1, 1_000_000),
    default=EvaluatorOptions.judge_tokens,
    show_default=True,
    help="Of an answer at most; more for models that think first.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1.")
@click.option(
    "--call-timeout",
    type=click.FloatRange(0, 86400, min_open=True),
    default=EngineOptions.timeout_seconds,
    show_default=True,
    help="Seconds one call to a judge's server may take.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    default=EngineOptions.concurrency,
    show_default=True,
    help="Calls to a judge's server at once.",
)
@click.option(
    "--items",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Texts of your own, as JSONL: {text, low, high, fault, why}.  [default: ours]",
)
@click.option("--json", "as_json", is_flag=True, help="One object on stdout, with every mark.")
def judge_command(
    judge: str | None,
    rubric: bool,
    judge_engine: str,
    judge_template: str | None,
    repeats: int,
    judge_tokens: int,
    seed: int,
    device: str,
    call_timeout: float,
    concurrency: int,
    items: Path | None,
    as_json: bool,
) -> int:
    """Puts the parts together; see the help text."""
    from scoring.judge.calibrate import calibrate, calibration_items
    from scoring.judge.evaluator import JudgeEvaluator
    from scoring.rubric import RubricEvaluator

    if rubric and judge is not None:
        raise InputError(f"--rubric and --judge {judge} are two evaluators; name one of them")
    options = EvaluatorOptions(
        judge=judge,
        judge_engine=judge_engine,
        judge_options=EngineOptions(
            device=device, template=judge_template, timeout_seconds=call_timeout, concurrency=concurrency
        ),
        judge_tokens=judge_tokens,
        repeats=repeats,
        seed=seed,
    )
    texts = calibration_items(items)
    evaluator = RubricEvaluator() if rubric else JudgeEvaluator(options, say)
    try:
        found = calibrate(evaluator, texts)
    finally:
        evaluator.close()
    if as_json:
        answer(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(found)
    return 0 if found.parsed == 1 else 1


def _show(found: Calibration) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from batch.score.show import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in (("mark", True), ("band", True), ("", False), ("what is wrong with the text", False)):
        table.add_column(name, justify="right" if right else "left")
    for one in found.marked:
        band = f"{one.item.low:g} to {one.item.high:g}"
        table.add_row(_mark(one), band, _verdict(one), Text(one.item.fault or one.item.text[:40]))
    console().print(table)
    answer("\n".join(_lines(found)))


def _mark(one: Marked) -> str:
    return "-" if one.value is None else f"{one.value:.1f}"


def _verdict(one: Marked) -> str:
    if one.value is None:
        return "no mark"
    return "" if one.inside else f"{one.off:+.1f}"


def _lines(found: Calibration) -> list[str]:
    who = f"{found.evaluator} ({found.model})" if found.model else found.evaluator
    lines = [
        f"{who}, {len(found.marked)} texts: {found.parsed:.0%} marked, {found.inside:.0%} in the agreed band",
        f"Spearman's correlation {_number(found.correlation)}, mean bias {_number(found.bias, sign='+')}",
    ]
    if found.agreement is not None and (line := found.agreement.line()):
        lines.append(line)
    lines += [f"no mark: {one.item.fault}: {one.reason}" for one in found.marked if one.value is None]
    return lines


def _number(value: float | None, sign: str = "") -> str:
    return "unknown" if value is None else f"{value:{sign}.2f}"
