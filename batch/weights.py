"""What `vidprompter models` shows and does."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from models.entry import Entry, HubSource, PackageSource
from models.errors import WeightsCorrupt, WeightsMissing
from models.fetching import Stage, fetch, find, find_alone
from models.fetching.find import entries_of, is_fetched
from models.fetching.pins import pinned_repos, pins_of
from models.registry import registry

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from models.fetching.hub import Offer

_STAGES = {
    "waiting": "waiting for another process that fetches it",
    "fetching": "fetching",
    "checking": "checking",
    "preparing": "preparing",
}
_NARROW = 110  # columns; below, the table leaves out where things come from
_PIPE = 200


class ModelRow(TypedDict):
    """One row of `models list --json`.

    bytes: of the download, approximate or not; pinned: whether its commit or sha256 is known before the pull;
    status: "here", "missing" or "damaged".
    """

    name: str
    kind: str
    description: str
    licence: str
    upstream: str
    upstream_licence: str
    source: str
    revision: str
    pinned: bool
    bytes: int
    approximate: bool
    parts: list[str]
    status: str
    path: str | None


@dataclass(frozen=True)
class ToFetch:
    """One entry that a pull would download. bytes: what is still to come."""

    entry: Entry
    bytes: int
    offer: Offer | None = None


def model_rows() -> list[ModelRow]:
    """One row per entry of the registry, in its order, then what else was pulled from the hub. No network is asked."""
    return [model_row(entry) for entry in registry()] + [model_row(entry) for entry in _pulled_besides()]


def print_table(rows: Sequence[ModelRow]) -> None:
    """Prints the rows for people; into a pipe the table is as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else _PIPE)
    wide = console.width >= _NARROW
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "kind", "size", "licence", *(("source",) if wide else ()), "here"):
        fixed = title in ("name", "size", "here")
        table.add_column(
            title, justify="right" if title == "size" else "left", overflow="fold", no_wrap=fixed
        )
    for row in rows:
        here = {"here": "yes", "missing": "no", "damaged": "damaged"}[row["status"]]
        source = (_source(row),) if wide else ()
        table.add_row(row["name"], row["kind"], size_text(row), _licence(row), *source, here)
    console.print(table)
    if any(row["approximate"] for row in rows):
        console.print("~ about; the hub tells the true size before a pull", style="dim", highlight=False)
    if unpinned := [row["name"] for row in rows if not row["pinned"]]:
        console.print(
            f"pinned at pull (the commit of main is looked up then, and kept): {', '.join(unpinned)}",
            style="dim",
        )


def plan(names: Sequence[str], *, update: bool = False) -> list[ToFetch]:
    """What a pull of `names` would download, parts included, each once. Asks the hub for what is to come from it.

    update: what is not pinned is looked up at the hub again, even if it is here.

    Raises:
        UnknownModel: Neither a name of the registry nor a hub id.
        ModelError: The hub cannot be reached.
    """
    found: dict[str, ToFetch] = {}
    for name in names:
        for entry in entries_of(name, registry()):
            if entry.name not in found and (wanted := _to_fetch(entry, update=update)):
                found[entry.name] = wanted
    return list(found.values())


def pull(names: Sequence[str], wanted: Sequence[ToFetch] = ()) -> Iterator[Path]:
    """The folder of each name, as its pull ends. Progress goes to stderr: a bar on a terminal, else lines."""
    offers = {one.entry.name: one.offer for one in wanted if one.offer}
    if sys.stderr.isatty():
        yield from _pull_with_bars(names, offers)
        return
    said: set[tuple[str, Stage]] = set()

    def report(entry: Entry, stage: Stage, _arrived: int) -> None:
        if stage in _STAGES and (entry.name, stage) not in said:
            said.add((entry.name, stage))
            talk(f"{entry.name}: {_STAGES[stage]}")

    for name in names:
        yield fetch(name, progress=report, offers=offers)


def talk(line: str) -> None:
    """Says one line on stderr."""
    click.echo(line, err=True)


def _to_fetch(entry: Entry, *, update: bool) -> ToFetch | None:
    source = entry.source
    if isinstance(source, HubSource):
        from models.fetching import hub

        here = _is_here(entry) or is_fetched(entry)  # what is only to be converted needs no network
        if here and not (update and source.commit is None):
            return None
        offer = (
            hub.offered(source.repo, hub.revision_of(entry, source), source.files)
            if here
            else hub.offered_for(entry, source)
        )
        if here and hub.resolved(entry, offer).revision == entry.revision:
            return None
        return ToFetch(hub.resolved(entry, offer), offer.bytes_to_come, offer)
    if entry.download_bytes and not _is_here(entry):
        return ToFetch(entry, entry.download_bytes)
    return None


def _pulled_besides() -> list[Entry]:
    """Entries for the hub ids that were pulled and that the registry does not name."""
    from models.fetching.hub import entry_of

    known = {entry.source.repo for entry in registry() if isinstance(entry.source, HubSource)}
    return [
        entry_of(repo if revision == "main" else f"{repo}@{revision}")
        for repo in pinned_repos()
        if repo not in known
        for revision in pins_of(repo)
    ]


def _pull_with_bars(names: Sequence[str], offers: dict[str, Offer]) -> Iterator[Path]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        report = _Bars(bars)
        done = [fetch(name, progress=report, offers=offers) for name in names]
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
        self._bars.update(
            self._tasks[entry.name], total=entry.download_bytes, completed=arrived, description=doing
        )


def model_row(entry: Entry) -> ModelRow:
    """The row of one entry; files are looked at."""
    status, path = _status(entry)
    source = entry.source
    hub_source = source if isinstance(source, HubSource) else None
    return ModelRow(
        name=entry.name,
        kind=entry.kind,
        description=entry.description,
        licence=entry.licence,
        upstream=entry.upstream,
        upstream_licence=entry.upstream_licence,
        source=_kind_of_source(entry),
        revision=entry.revision,
        pinned=hub_source is None or not entry.revision.endswith("@unpinned"),
        bytes=entry.download_bytes or _pulled_bytes(hub_source),
        approximate=hub_source is not None and hub_source.approximate and hub_source.bytes > 0,
        parts=list(entry.parts),
        status=status,
        path=path,
    )


def size_text(row: ModelRow) -> str:
    """The size for people: "92.9 MB", "~8.9 GB", "-" for what is shipped."""
    if not row["bytes"]:
        return "-"
    number = f"{row['bytes'] / 1e9:.1f} GB" if row["bytes"] >= 1e9 else f"{row['bytes'] / 1e6:.1f} MB"
    return f"~{number}" if row["approximate"] else number


def _pulled_bytes(source: HubSource | None) -> int:
    pin = next(iter(pins_of(source.repo).values()), None) if source else None
    return pin.bytes if pin else 0


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
