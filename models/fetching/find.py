"""Finding an entry's files on this machine. Never asks a network."""

from __future__ import annotations

import json
from pathlib import Path

from models.entry import Entry, HubSource, PackageSource, ShippedSource
from models.errors import WeightsCorrupt, WeightsMissing
from models.fetching import hub
from models.fetching.checks import difference
from models.fetching.hub_cache import commit_here, damaged_file, is_hub_id
from models.fetching.pins import pin_of
from models.fetching.places import made_folder, version_folder
from models.registry import Registry, registry


def find(name: str, *, verify: bool = False, known: Registry | None = None) -> Path:
    """The folder of the files of the entry called `name`; its parts are looked for too.

    Sizes are compared always, sha256 sums with `verify` (a tenth of a second per 100 MB, or more).

    Raises:
        UnknownModel: No such entry.
        WeightsMissing: Not on this machine; the message holds the command that fetches it.
        WeightsCorrupt: There, but of another size or sha256 than the table says.
    """
    for entry in entries_of(name, known or registry()):
        try:
            folder = find_alone(entry, verify=verify)
        except WeightsMissing as error:
            if entry.name == name:
                raise
            raise WeightsMissing(f"{name!r} is not complete: {error}") from error
    return folder


def entries_of(name: str, known: Registry) -> tuple[Entry, ...]:
    """The entry called `name` and all it needs, parts first. A hub id that the registry does not know is one, too.

    Raises:
        UnknownModel: Neither a name of the registry nor a hub id.
    """
    if name not in known and is_hub_id(name):
        return (hub.entry_of(name),)
    return known.with_parts(name)


def find_alone(entry: Entry, *, verify: bool = False) -> Path:
    """The folder of the files of `entry` itself, whatever its parts.

    Raises:
        WeightsMissing: Not on this machine.
        WeightsCorrupt: There, but not as it should be.
    """
    if isinstance(entry.source, ShippedSource):
        return _shipped(entry, entry.source)
    if isinstance(entry.source, HubSource):
        return _from_hub(entry, entry.source, verify=verify)
    return _fetched(entry, entry.source, verify=verify)


def derived_on_record(version: Path) -> dict[str, tuple[int, str]]:
    """What `prepare` wrote at the pull of this version: name -> (bytes, sha256); empty without a record."""
    try:
        record = json.loads((version / "made.json").read_text(encoding="utf-8"))
        return {name: (int(size), str(digest)) for name, (size, digest) in record.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def is_fetched(entry: Entry) -> bool:
    """Whether the files of a hub entry are here and right, so that no network is needed; made from them or not."""
    if not isinstance(entry.source, HubSource):
        return False
    try:
        _in_hub_cache(entry, entry.source, verify=True)
    except (WeightsMissing, WeightsCorrupt):
        return False
    return True


def _from_hub(entry: Entry, source: HubSource, *, verify: bool) -> Path:
    if not entry.derived:
        return _in_hub_cache(entry, source, verify=verify)
    revision = hub.revision_of(entry, source)
    commit = source.commit or commit_here(source.repo, revision) or pin_of(source.repo, revision)
    version = made_folder(entry, commit) if commit else None
    if version is None or not version.is_dir():
        _in_hub_cache(entry, source, verify=False)
        raise _missing(entry, "fetched, but not converted yet")
    # What was made stands alone: the hub's cache may be emptied.
    _check_derived(entry, version, verify=verify)
    return version / "files"


def _in_hub_cache(entry: Entry, source: HubSource, *, verify: bool) -> Path:
    try:
        folder = hub.find_on_disk(source, hub.revision_of(entry, source))
    except WeightsMissing as error:
        raise WeightsMissing(f"{error}; run `vidprompter models pull {entry.name}`") from error
    if folder is None:
        about = "about " if source.approximate else ""
        size = f" ({about}{source.bytes / 1e9:.1f} GB)" if source.bytes else ""
        raise WeightsMissing(
            f"{entry.name!r}: not on this machine yet; run `vidprompter models pull {entry.name}`{size}"
        )
    if verify and (wrong := damaged_file(folder)):
        raise _corrupt(entry, folder, f"{wrong.name} has another sha256 than the hub says")
    return folder


def _fetched(entry: Entry, source: PackageSource, *, verify: bool) -> Path:
    version = version_folder(entry, source)
    folder = version / "files"
    if not folder.is_dir():
        raise _missing(entry)
    for file in source.files:
        wrong = difference(folder / file.name, size=file.bytes, sha256=file.sha256 if verify else None)
        if wrong:
            raise _corrupt(entry, folder, wrong)
    _check_derived(entry, version, verify=verify)
    return folder


def _check_derived(entry: Entry, version: Path, *, verify: bool) -> None:
    """Nothing, when what `prepare` made is as it made it."""
    made, folder = derived_on_record(version), version / "files"
    for name in entry.derived:
        if name not in made:  # pulled by an older VidPrompter, which derived another file
            raise _missing(entry, f"{name} has not been made from it yet")
        size, digest = made[name]
        if wrong := difference(folder / name, size=size, sha256=digest if verify else None):
            raise _corrupt(entry, folder, wrong)


def _shipped(entry: Entry, source: ShippedSource) -> Path:
    for name in source.files:
        if not (source.folder / name).is_file():
            raise WeightsMissing(
                f"{entry.name!r}: {name} is not in {source.folder}; it comes with VidPrompter itself, "
                f"so install VidPrompter again"
            )
    return source.folder


def _missing(entry: Entry, what: str = "not on this machine yet") -> WeightsMissing:
    return WeightsMissing(f"{entry.name!r}: {what}; run `vidprompter models pull {entry.name}`")


def _corrupt(entry: Entry, folder: Path, wrong: str) -> WeightsCorrupt:
    return WeightsCorrupt(
        f"{entry.name!r} in {folder} is damaged: {wrong}; run `vidprompter models pull {entry.name}`"
    )
