"""From `--out`, `--format` and `--on-exists` to the output of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from batch.outputs.names import FORMATS, ON_EXISTS, SUFFIXES, format_of, shard_path
from vidprompter.errors import InputError
from vidprompter.runs.output import Output
from vidprompter.video.files import show

if TYPE_CHECKING:
    from batch.inputs.entry import ClipEntry
    from batch.outputs.spots import Spot

__all__ = ["FORMATS", "ON_EXISTS", "Chosen", "Wanted", "choose_output", "view_of"]
TEXTS = "prompts"
"""The name that ledger and summary of text files go by; there is no such file."""


@dataclass(frozen=True)
class Wanted:
    """What the command line says. paths: of the clips; shard: (number from 0, count)."""

    out: Path | None
    format: str | None
    on_exists: str | None
    paths: Sequence[str]
    shard: tuple[int, int] | None = None


HasOne: TypeAlias = "Callable[[ClipEntry, Output | None], bool]"


@dataclass(frozen=True)
class Chosen:
    """base: the output's path, beside which the ledger stands; None for stdout. view: makes the output.

    has_one: says of a clip that it needs no text; asks the output, where that is open.
    writes_sidecars: what is written beside the clips is no description to read.
    label: how people call the output, if not by its path.
    """

    base: Path | None
    view: Callable[[Path], Output]
    has_one: HasOne | None = None
    writes_sidecars: bool = False
    label: str | None = None


def choose_output(wanted: Wanted, say: Callable[[str], None]) -> Chosen:
    """The output that fits what was asked.

    Raises:
        InputError: options that do not go together.
    """
    name = wanted.format or (format_of(wanted.out) if wanted.out is not None else "jsonl")
    if wanted.on_exists is not None and name != "txt":
        raise InputError(
            f"--on-exists {wanted.on_exists} is for --format txt; the format here is {name}, whose rows are kept "
            f"by its ledger (see --fresh)"
        )
    if name == "txt":
        return _texts(wanted, say)
    if wanted.out is None:
        if name != "jsonl":
            raise InputError(f"--format {name} needs --out FILE{SUFFIXES[name]}")
        if wanted.shard is not None:
            raise InputError("--shard needs --out FILE: the shards are joined by their ledgers")
        return Chosen(None, view_of)
    if wanted.out.is_dir():
        raise InputError(
            f"--out {show(wanted.out)} is a folder; name a file in it, such as {wanted.out.name}/captions.jsonl"
        )
    if format_of(wanted.out) != name and wanted.out.suffix in SUFFIXES.values():
        raise InputError(
            f"--out {show(wanted.out)} has the suffix of another format than --format {name}; "
            f"name it {wanted.out.with_suffix(SUFFIXES[name]).name!r}, or leave --format away"
        )
    base = shard_path(wanted.out, wanted.shard) if wanted.shard is not None else wanted.out
    return Chosen(base, lambda path: view_of(path, name))


def view_of(path: Path, name: str | None = None) -> Output:
    """The output at `path`; name: of its format, by its suffix if None."""
    name = name or format_of(path)
    if name == "parquet":
        from batch.outputs.parquet import ParquetOutput

        return ParquetOutput(path)
    if name == "webdataset":
        from batch.outputs.webdataset import TarOutput

        return TarOutput(path)
    from vidprompter.runs.rowfile import RowFile

    return RowFile(path)


def _texts(wanted: Wanted, say: Callable[[str], None]) -> Chosen:
    """Text files: beside the clips, or under a folder that mirrors theirs."""
    from batch.outputs.sidecars import SidecarOutput, beside, under

    mode: Any = wanted.on_exists or "skip"
    folder = wanted.out
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"--out {show(folder)} is a file; with --format txt it is the folder for the texts")
    if folder is not None and not folder.exists():
        if not folder.absolute().parent.is_dir():
            raise InputError(f"the folder of --out {show(folder)} does not exist; make it first")
        folder.mkdir()
    roots = _roots(wanted.paths)
    place = beside if folder is None else under(folder, roots)
    home = folder if folder is not None else _home(roots)
    base = home / TEXTS
    if wanted.shard is not None:
        base = shard_path(base, wanted.shard)
    where = "beside the clips" if folder is None else f"under {folder}"
    return Chosen(
        base,
        lambda path: SidecarOutput(mode, place, state=path.with_name(path.name + ".ledger.texts")),
        partial(_has_text, place=place) if mode == "skip" else None,
        writes_sidecars=folder is None,
        label=f"text files {where}; ledger {base}.ledger.sqlite",
    )


def _has_text(entry: ClipEntry, output: Output | None, *, place: Callable[[dict[str, Any]], Spot]) -> bool:
    """Whether a text that is not the clip's own stands where its text would go."""
    if entry.problem is not None:
        return False
    row = {"path": entry.path, "start": entry.start, "end": entry.end}
    if output is None:
        return place(row).path.exists()
    from batch.outputs.sidecars import SidecarOutput

    assert isinstance(output, SidecarOutput)
    return output.is_somebodys(row)


def _roots(paths: Sequence[str]) -> list[Path]:
    """The folders that were given, and those of the files; the working folder for a list on stdin or a glob."""
    roots = []
    for path in paths:
        if path == "-" or not os.path.lexists(path):
            roots.append(Path.cwd())
        else:
            there = Path(path).absolute()
            roots.append(there if there.is_dir() else there.parent)
    return list(dict.fromkeys(roots))


def _home(roots: Sequence[Path]) -> Path:
    """Where ledger and summary go: the folder that holds all others."""
    home = Path(os.path.commonpath(roots))
    return home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home
