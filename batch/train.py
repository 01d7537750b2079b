"""Training from the command line: data in, a run folder out, progress on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from vidprompter.errors import InputError


@dataclass(frozen=True)
class TrainChoices:
    """What `vidprompter train sft` lets a user choose."""

    steps: int
    batch: int
    limit: int | None
    rank: int
    learning_rate: float
    minutes: float | None
    init: Path | None
    seed: int
    bfloat16: bool


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(short, long) pairs of a JSONL file.

    Raises:
        InputError: the file or a line of it cannot be used; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}; give a UTF-8 JSONL file of {{short, long}}"
        ) from error
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            pairs.append((str(row["short"]), str(row["long"])))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} line {number} is no object with short and long ({error}); mend or remove it"
            ) from error
    if not pairs:
        raise InputError(f"{path} holds no pairs; give a JSONL file with one {{short, long}} a line")
    return pairs


def train_builtin(data: Path, out: Path, choices: TrainChoices) -> Path:
    """Train a LoRA for the built-in model on the pairs of `data`; returns the adapter's path."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from vidprompter.training.derive import derive
    from vidprompter.training.sft import Progress as Report
    from vidprompter.training.sft import SFTSettings, train_sft

    console = Console(file=sys.stderr)
    settings = SFTSettings(
        steps=choices.steps, batch=choices.batch, rank=choices.rank, alpha=2 * choices.rank,
        learning_rate=choices.learning_rate, minutes=choices.minutes, seed=choices.seed, bfloat16=choices.bfloat16,
    )  # fmt: skip
    pairs = read_pairs(data)
    if choices.limit is not None and choices.limit < len(pairs):
        pairs = Random(choices.seed).sample(pairs, choices.limit)
    console.print(f"deriving examples from {len(pairs)} pairs (about {len(pairs) / 40:.0f} s) ...")
    examples = [example for made in derive(pairs, seed=choices.seed) for example in made]
    console.print(f"{len(examples)} examples; training {settings.steps} steps of {settings.batch}")
    from models.language import load_language_model

    loaded = load_language_model(dtype="float32")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=settings.steps)

        def report(p: Report) -> None:
            bar.update(
                task, completed=p.step, description=f"loss {p.loss:.3f}  {p.tokens_per_second:.0f} tokens/s"
            )
            if not console.is_terminal and (p.step == 1 or p.step % 10 == 0):
                console.print(
                    f"step {p.step}/{settings.steps}  loss {p.loss:.3f}  {p.tokens_per_second:.0f} tokens/s"
                )

        return train_sft(
            loaded.model, loaded.tokenizer, examples, out=out, base=loaded.revision, settings=settings,
            init=choices.init, report=report,
        )  # fmt: skip
