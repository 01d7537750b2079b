"""Tokens a second of the built-in model: our engine against transformers and llama.cpp, in one run.

    python benchmarks/engines.py [--tokens 48] [--repeats 2] [--json]

float32, bfloat16: `generate` of transformers. llama.cpp: the wheel xllamacpp, with the same 8-bit numbers as a GGUF file.
builtin: our engine's drawer. Greedy, a context of about 80 tokens, the same number of new tokens for all; a rate counts
all of a call, reading the context included. Each has a process of its own, which waits while another one computes; they
take turns, and of all turns the best counts, since neighbours only ever make one slower.

first token: seconds for a text of one token. peak: resident memory of the process, libraries included, after batch 1
and after all. agreement with float32 over 20 ideas: how many begin with the same 8 tokens, and the share of tokens
before the first that differs.

Needs the built-in weights, and the packages xllamacpp and gguf.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
NAMES = ("float32", "bfloat16", "llama.cpp", "builtin")
BATCHES = (1, 4, 16)
BEGINNING = 8


@click.command(help=__doc__)
@click.option(
    "--tokens", type=click.IntRange(min=8), default=48, show_default=True, help="New tokens of a text."
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Turns; twice as many at batch 1.",
)
@click.option("--json", "as_json", is_flag=True)
def main(tokens: int, repeats: int, as_json: bool) -> None:
    missing = [name for name in ("xllamacpp", "gguf") if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{' and '.join(missing)} not here; run `pip install {' '.join(missing)}`")
    with tempfile.TemporaryDirectory() as folder:
        gguf = Path(folder) / "builtin.q8_0.gguf"
        _say(as_json, "preparing")
        subprocess.run([*_command("prepare", gguf)], check=True, stderr=subprocess.DEVNULL)
        children: dict[str, Child] = {}
        try:
            for name in NAMES:
                _say(as_json, f"loading {name}")
                children[name] = Child(name, gguf)
            measured = _measure(children, tokens, repeats, as_json)
        finally:
            for child in children.values():
                child.end()
    result = measured | {"ratios": _ratios(measured["tokens_per_second"])}
    if as_json:
        click.echo(json.dumps(result))
    else:
        Console().print(_table(result))


class Child:
    """A contender's process, loaded."""

    def __init__(self, name: str, gguf: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            _command(name, gguf),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Sleeping threads, which suit a shared machine, would halve the speed of llama.cpp.
            env={name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"},
        )
        self._answer()  # that it is loaded

    def ask(self, **asked: int) -> Any:
        """Its answer; see `engines_contenders.py`."""
        assert self._process.stdin
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(f"{self.name} ended with exit code {self._process.wait()}")
        return json.loads(line)

    def end(self) -> None:
        """Ends the process, which is of no use any more."""
        self._process.kill()
        self._process.wait()


def _command(name: str, gguf: Path) -> list[str]:
    return [sys.executable, str(HERE / "engines_contenders.py"), name, str(gguf)]


def _measure(children: dict[str, Child], tokens: int, repeats: int, quiet: bool) -> dict[str, Any]:
    rates: dict[str, dict[str, list[float]]] = {name: {str(b): [] for b in BATCHES} for name in NAMES}
    first: dict[str, list[float]] = {name: [] for name in NAMES}
    peaks: dict[str, dict[str, int]] = {name: {} for name in NAMES}
    for batch in BATCHES:
        for turn in range(2 * repeats if batch == 1 else repeats):  # those are short
            for name, child in children.items():
                warm = int(turn == 0)
                if batch == 1:
                    first[name].append(child.ask(batch=1, tokens=1, warm=warm))
                seconds = child.ask(batch=batch, tokens=tokens, warm=warm)
                rates[name][str(batch)].append(batch * tokens / seconds)
                _say(quiet, f"{name}, {batch} at once: {batch * tokens / seconds:.1f} tokens a second")
        for name, child in children.items():
            peaks[name][str(batch)] = round(child.ask(peak=1) / 1e6)
    texts = {name: child.ask(texts=tokens) for name, child in children.items()}
    return {
        "tokens": tokens,
        "tokens_per_second": {
            name: {batch: round(max(all_), 1) for batch, all_ in by_batch.items()}
            for name, by_batch in rates.items()
        },
        "all_turns": {
            name: {batch: [round(one, 1) for one in all_] for batch, all_ in by_batch.items()}
            for name, by_batch in rates.items()
        },
        "first_token_seconds": {name: round(min(all_), 4) for name, all_ in first.items()},
        "peak_mb": {name: {"1": by["1"], "all": by[str(BATCHES[-1])]} for name, by in peaks.items()},
        "agreement": {name: _agreement(texts["float32"], texts[name]) for name in NAMES[1:]},
    }


def _agreement(exact: list[list[int]], other: list[list[int]]) -> dict[str, float]:
    alike = [_alike(*pair) for pair in zip(exact, other, strict=True)]
    return {
        "same_beginning": round(sum(one >= BEGINNING for one in alike) / len(alike), 3),
        "before_difference": round(sum(alike) / sum(map(len, exact)), 3),
    }


def _alike(one: list[int], other: list[int]) -> int:
    """How many tokens are the same before the first that differs."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _ratios(rates: dict[str, dict[str, float]]) -> dict[str, float]:
    ours = rates["builtin"]
    return {
        "builtin_vs_float32_b1": round(ours["1"] / rates["float32"]["1"], 3),
        "builtin_vs_llamacpp_b1": round(ours["1"] / rates["llama.cpp"]["1"], 3),
        "builtin_vs_bfloat16_b16": round(ours["16"] / rates["bfloat16"]["16"], 3),
    }


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        click.echo(line, err=True)


def _table(result: dict[str, Any]) -> Table:
    ratios = ", ".join(f"{name} {value}" for name, value in result["ratios"].items())
    table = Table(title=f"tokens a second, {result['tokens']} new tokens", caption=ratios)
    for column in ("", *(f"batch {b}" for b in BATCHES), "first token", "peak MB", "agreement"):
        table.add_column(column, justify="right" if column else "left")
    for name in NAMES:
        rates, peaks = result["tokens_per_second"][name], result["peak_mb"][name]
        alike = result["agreement"].get(name)
        table.add_row(
            name,
            *(f"{rates[str(b)]:.1f}" for b in BATCHES),
            f"{1000 * result['first_token_seconds'][name]:.0f} ms",
            f"{peaks['1']} to {peaks['all']}",
            f"{alike['same_beginning']:.0%}, {alike['before_difference']:.0%}" if alike else "",
        )
    return table


if __name__ == "__main__":
    main()
