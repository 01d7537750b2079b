"""`vidprompter train`."""

from __future__ import annotations

from pathlib import Path

import click

from batch.train import TrainChoices, train_builtin


@click.group("train", short_help="Train adapters of your own.")
def train_group() -> None:
    """Train adapters of your own for the built-in model."""


@train_group.command("sft")
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="JSONL of {short, long} pairs.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of the run; resumed if it holds one.",
)
@click.option("--steps", type=click.IntRange(1), default=262, show_default=True, help="Optimizer steps.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Examples a step.")
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="Use only so many pairs, drawn by --seed."
)
@click.option("--rank", type=click.IntRange(1), default=16, show_default=True, help="Rank of the LoRA.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=4e-4, show_default=True)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=None,
    help="End the schedule after so long at the latest; not repeatable to the bit.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Start from this adapter instead of a fresh one.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--float32", is_flag=True, help="No bfloat16: slower, and the same on every machine up to rounding."
)
def sft_command(
    data: Path, out: Path, steps: int, batch: int, limit: int | None, rank: int, learning_rate: float,
    minutes: float | None, init: Path | None, seed: int, float32: bool,
) -> None:  # fmt: skip
    """Supervised fine-tuning: facts are derived from the long prompts, and the way back is learnt.

    \b
      vidprompter train sft --data pairs.jsonl --out runs/sft

    The result is OUT/adapter.safetensors; OUT/log.jsonl has loss and speed of every step. Interrupt it at any
    time and start it again with the same options: it goes on from the last checkpoint.
    """
    choices = TrainChoices(
        steps=steps, batch=batch, limit=limit, rank=rank, learning_rate=learning_rate, minutes=minutes,
        init=init, seed=seed, bfloat16=not float32,
    )  # fmt: skip
    click.echo(train_builtin(data, out, choices))
