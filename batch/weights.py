"""What `vidprompter models` shows and does."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from models.entry import Entry, HubSource, PackageSource
from models.errors import WeightsCorrupt, WeightsMissing
from models.fetching import Stage, fetch, find, find_alone
from models.registry import registry

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_STAGES = {
    "waiting": "waiting for another process that fetches it",
    "fetching": "fetching",
    "checking": "checking",
    "preparing": "preparing",
}


class ModelRow(TypedDict):
    """One row of `models list --json`. bytes: of the download; status: "here", "missing" or "damaged"."""

    name: str
    kind: str
    description: str
    licence: str
    upstream: str
    upstream_licence: str
    source: str
    revision: str
    bytes: int
    parts: list[str]
    status: str
    path: str | None


def model_rows() -> list[ModelRow]:
    """One row per entry of the registry, in its order. Files are looked at, no network is asked."""
    return [_row(entry) for entry in registry()]


def print_table(rows: Sequence[ModelRow]) -> None:
    """Prints the rows for people; into a pipe the table is as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "kind", "MB", "licence", "source", "here"):
        table.add_column(title, justify="right" if title == "MB" else "left", overflow="fold")
    for row in rows:
        size = f"{row['bytes'] / 1e6:.1f}" if row["bytes"] else "-"
        here = {"here": "yes", "missing": "no", "damaged": "damaged"}[row["status"]]
        table.add_row(row["name"], row["kind"], size, _licence(row), _source(row), here)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def still_to_fetch(names: Sequence[str]) -> list[Entry]:
    """The entries, parts included, that a pull of `names` would download; each once."""
    found: dict[str, Entry] = {}
    for name in names:
        for entry in registry().with_parts(name):
            if entry.download_bytes and not _is_here(entry):
                found[entry.name] = entry
    return list(found.values())


def pull(names: Sequence[str]) -> Iterator[Path]:
    """The folder of each name, as its pull ends. Progress goes to stderr: a bar on a terminal, else lines."""
    if sys.stderr.isatty():
        yield from _pull_with_bars(names)
        return
    said: set[tuple[str, Stage]] = set()

    def report(entry: Entry, stage: Stage, _arrived: int) -> None:
        if stage in _STAGES and (entry.name, stage) not in said:
            said.add((entry.name, stage))
            talk(f"{entry.name}: {_STAGES[stage]}")

    for name in names:
        yield fetch(name, progress=report)


def talk(line: str) -> None:
    """Says one line on stderr."""
    click.echo(line, err=True)


def _pull_with_bars(names: Sequence[str]) -> Iterator[Path]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        report = _Bars(bars)
        done = [fetch(name, progress=report) for name in names]
    yield from done


class _Bars:
    """One bar for each entry that has to be fetched; none for what is here already."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, entry: Entry, stage: Stage, arrived: int) -> None:
        if entry.name not in self._tasks:
            if stage not in _STAGES:
                return
            self._tasks[entry.name] = self._bars.add_task(entry.name, total=entry.download_bytes)
        doing = f"{entry.name}: {_STAGES[stage]}" if stage in _STAGES else f"{entry.name}: here"
        self._bars.update(self._tasks[entry.name], completed=arrived, description=doing)


def _row(entry: Entry) -> ModelRow:
    status, path = _status(entry)
    return ModelRow(
        name=entry.name,
        kind=entry.kind,
        description=entry.description,
        licence=entry.licence,
        upstream=entry.upstream,
        upstream_licence=entry.upstream_licence,
        source=_kind_of_source(entry),
        revision=entry.revision,
        bytes=entry.download_bytes,
        parts=list(entry.parts),
        status=status,
        path=path,
    )


def _status(entry: Entry) -> tuple[str, str | None]:
    try:
        return "here", str(find(entry.name))
    except WeightsMissing:
        return "missing", None
    except WeightsCorrupt:
        return "damaged", None


def _is_here(entry: Entry) -> bool:
    try:
        find_alone(entry, verify=True)
    except (WeightsMissing, WeightsCorrupt):
        return False
    return True


def _kind_of_source(entry: Entry) -> str:
    if isinstance(entry.source, PackageSource):
        return "package registry"
    return "model hub" if isinstance(entry.source, HubSource) else "shipped"


def _source(row: ModelRow) -> str:
    return f"{row['revision'].split('+')[0]}" + (f" and {', '.join(row['parts'])}" if row["parts"] else "")


def _licence(row: ModelRow) -> str:
    own, above = row["licence"], row["upstream_licence"]
    return own if own == above else f"{own} (upstream: {above})"
