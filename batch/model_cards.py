"""`vidprompter models show` and `default`: one model in full, and which one is taken where none is named."""

from __future__ import annotations

from pathlib import Path

import click

from batch.weights import ModelRow, model_row, size_text, talk
from models.default import set_default
from models.entry import Entry, HubSource, ShippedSource
from models.errors import WeightsMissing
from models.fetching.find import entries_of
from models.locate import where
from models.registry import registry
from vidprompter.engines.choose import SERVER


class Card(ModelRow):
    """A row of `models list --json` and the card's text."""

    card: str


def card_of(name: str) -> Card:
    """The card of a registry name, a hub id or a folder.

    Raises:
        UnknownModel: None of these.
    """
    if name not in registry() and Path(name).expanduser().is_dir():
        return _card_of_folder(name)
    entry = entries_of(name, registry())[-1]
    return Card(**model_row(entry), card=_text(entry))


def print_card(card: Card) -> None:
    """Prints the card for people."""
    click.echo(f"{card['name']}: {card['description']}\n")
    licence, above = card["licence"], card["upstream_licence"]
    revision = card["revision"] if card["pinned"] else f"{card['revision']} (pinned at pull)"
    lines = {
        "kind": card["kind"],
        "licence": licence if licence == above else f"{licence}; of the weights: {above}",
        "size": size_text(card),
        "from": f"{card['source']}: {card['upstream']}",
        "revision": revision,
        "needs": ", ".join(card["parts"]),
        "lies in": card["path"] or _not_here(card),
    }
    for what, says in lines.items():
        if says:
            click.echo(f"{what:>9}  {says}")
    if card["card"]:
        text = card["card"]
        click.echo("\n" + (text if "\n" in text else click.wrap_text(text, width=80)))


def choose_default(name: str) -> None:
    """Makes `name` the default model, a server's (`openai:MODEL@URL`) unseen; says so where it is not here yet.

    Raises:
        UnknownModel: Nothing of that name, or nothing that writes prompts.
    """
    if name.startswith(SERVER):
        set_default(name)
        return
    try:
        found = where(name)
    except WeightsMissing as error:
        set_default(name)
        talk(f"note: {error}")
        return
    set_default(str(found.folder) if found.origin == "folder" else name)


def _not_here(card: Card) -> str:
    return f"not on this machine ({card['status']}); `vidprompter models pull {card['name']}`"


def _text(entry: Entry) -> str:
    if isinstance(entry.source, ShippedSource):
        file = entry.source.folder / "README.md"
        return file.read_text(encoding="utf-8").strip() if file.is_file() else entry.card
    if isinstance(entry.source, HubSource) and not entry.card:
        return "Not one of those that VidPrompter's tests cover: whether it works shows when it is loaded."
    return entry.card


def _card_of_folder(name: str) -> Card:
    found = where(name)
    size = sum(file.stat().st_size for file in found.folder.rglob("*") if file.is_file())
    layout = "VILA's layout" if found.kind == "vila" else "the layout of transformers"
    return Card(
        name=str(found.folder),
        kind="video-lmm",
        description=f"a model folder of yours, in {layout}",
        licence="yours to know",
        upstream=str(found.folder),
        upstream_licence="yours to know",
        source="folder",
        revision=found.revision,
        pinned=True,
        bytes=size,
        approximate=False,
        parts=[],
        status="here",
        path=str(found.folder),
        card="",
    )
