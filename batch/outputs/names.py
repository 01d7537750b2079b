"""Names of formats and files."""

from __future__ import annotations

from pathlib import Path

FORMATS = ("jsonl", "parquet", "txt", "webdataset")
ON_EXISTS = ("skip", "overwrite", "append", "prepend")
SUFFIXES = {"jsonl": ".jsonl", "parquet": ".parquet", "webdataset": ".tar"}


def format_of(path: Path) -> str:
    """The format that a suffix stands for; JSON lines where it stands for none."""
    suffix = path.suffix.lower()
    return next((name for name, its in SUFFIXES.items() if its == suffix), "jsonl")


def shard_path(output: Path, shard: tuple[int, int]) -> Path:
    """Where shard (number from 0, count) of an output is written: `captions.shard-0-of-8.jsonl`."""
    number, count = shard
    return output.with_name(f"{output.stem}.shard-{number}-of-{count}{output.suffix}")
