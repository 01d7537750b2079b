"""The options of commands that read files of captions, and what they are good for together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from vidprompter.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = (
    click.option(
        "--captions",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Rows of `caption` or `expand`, or your own: .jsonl, .json, .csv, .tsv, .parquet.",
    ),
    click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Where relative paths of --captions start.  [default: the folder of FILE]",
    ),
    click.option(
        "--text-column", default="prompt", show_default=True, metavar="NAME", help="Which column is scored."
    ),
    click.option(
        "--path-column",
        default="path",
        show_default=True,
        metavar="NAME",
        help="Which column names the clip.",
    ),
    click.option(
        "--fresh", is_flag=True, help="Forget an earlier run: --out and its ledger are written anew."
    ),
    click.option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run."),
)
_OF_FILES = ("out", "root", "fresh", "retry_failed", "beams", "keep")
_OF_THE_LINE = ("source_file", "no_clip", "start", "end", "explain")
_NAMES = {"source_file": "--from"}


def file_options(command: Command) -> Command:
    """The command with these options."""
    for option in reversed(_FILE):
        command = option(command)
    return command


def check_mode(words: Sequence[str], given: dict[str, Any]) -> bool:
    """Whether rows of a file are asked for, and not captions on the command line.

    Raises:
        InputError: options of both.
    """
    has_file = given["captions"] is not None
    wrong = _OF_THE_LINE if has_file else _OF_FILES
    used = [name for name in wrong if given.get(name) not in (None, False)]
    if has_file and words:
        raise InputError(
            f"--captions brings clips and captions of its own; drop {words[0][:60]!r}, or --captions"
        )
    if used:
        name = _NAMES.get(used[0], f"--{used[0].replace('_', '-')}")
        other = "goes without --captions" if has_file else "is for --captions FILE"
        raise InputError(f"{name} {other}; drop one" if has_file else f"{name} {other}; add that, or drop it")
    return has_file
