"""Models of the model hub: found in the hub's own cache, fetched into it; the network is used on a pull alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from models.entry import Entry, HubSource
from models.errors import ModelError, WeightsMissing
from models.fetching.hub_cache import (
    commit_here,
    damaged_file,
    hub_cache,
    hub_is_off,
    repo_folder,
    snapshot_folder,
    split_hub_id,
    what_is_missing,
)
from models.fetching.hub_large import LARGE, fetch_large, half_files
from models.fetching.pins import Pin, write_pin

# No pickles and no code: what a safetensors model needs and what says its terms, and nothing that can run.
WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md", "LICENSE*", "NOTICE*")

_POLL_SECONDS = 0.5
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM}
_SPARE_DISK = 1.02  # of what is still to come


@dataclass(frozen=True)
class Offer:
    """What the hub has for us. revision: as it was asked for; files: those we take, name -> bytes."""

    repo: str
    revision: str
    commit: str
    files: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(self.files.values())

    @property
    def bytes_to_come(self) -> int:
        """What is not on this machine yet, in bytes; a file that came in part counts whole."""
        folder = snapshot_folder(self.repo, self.commit)
        return sum(size for name, size in self.files.items() if not (folder / name).is_file())


def entry_of(hub_id: str) -> Entry:
    """An entry for a hub id ("org/name" or "org/name@revision") that the registry does not know."""
    return Entry(
        name=hub_id,
        kind=_kind_of(hub_id),
        description="a model of the hub that VidPrompter's registry does not name",
        licence="see its model card",
        upstream=split_hub_id(hub_id)[0],
        upstream_licence="see its model card",
        source=HubSource(split_hub_id(hub_id)[0], None, 0, approximate=True),
    )


def _kind_of(hub_id: str) -> str:
    """What a repository holds, by its settings where they are here; before that it is taken for a prompt writer."""
    repo, revision = split_hub_id(hub_id)
    commit = commit_here(repo, revision)
    folder = snapshot_folder(repo, commit) if commit else None
    if folder is None:
        return "video-lmm"
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    is_clip = isinstance(said, dict) and said.get("model_type") == "clip"
    return "evaluator" if is_clip or (folder / "open_clip_config.json").is_file() else "video-lmm"


def revision_of(entry: Entry, source: HubSource) -> str:
    """What a pull of `entry` asks the hub for: the pinned commit, the revision of the hub id, or main."""
    asked = split_hub_id(entry.name)[1] if "/" in entry.name else None
    return source.commit or asked or "main"


def find_on_disk(source: HubSource, revision: str | None = None) -> Path | None:
    """The folder of the pinned commit in the hub's cache, None when nothing of it is there. Asks no network.

    Raises:
        WeightsMissing: Some of it is there and some is not.
    """
    commit = source.commit or commit_here(source.repo, revision)
    folder = snapshot_folder(source.repo, commit) if commit else None
    if commit is None or folder is None or not folder.is_dir():
        return None
    if wrong := what_is_missing(source.repo, commit, source.files):
        raise WeightsMissing(f"{source.repo} at {commit[:12]} is not whole: {wrong}")
    return folder


def offered(repo: str, revision: str, wanted: Sequence[str] = ()) -> Offer:
    """What the hub has at `revision` (a commit, branch or tag) of `repo`. Asks the network.

    wanted: names of the files to take; empty: safetensors and what belongs to them.

    Raises:
        ModelError: The hub is switched off, cannot be reached or refuses; or there are no safetensors, or a wanted file
            is not there.
    """
    if hub_is_off():
        raise ModelError(f"HF_HUB_OFFLINE is set, so {repo} cannot be fetched; unset it for the pull")
    with _plainly(repo, revision):
        info: Any = _hub().model_info(repo, revision=revision, files_metadata=True)
    files = {
        file.rfilename: int(file.size or 0)
        for file in info.siblings or ()
        if (file.rfilename in wanted if wanted else any(fnmatch(file.rfilename, one) for one in WANTED))
    }
    if gone := [name for name in wanted if name not in files]:
        raise ModelError(f"{repo} at {revision} has no file {gone[0]!r} any more; report this")
    if not wanted and not any(name.endswith(".safetensors") for name in files):
        raise ModelError(
            f"{repo} at {revision} has no safetensors weights; pickled ones are never fetched, since they can run code"
        )
    return Offer(repo, revision, str(info.sha), files)


def offered_for(entry: Entry, source: HubSource) -> Offer:
    """What the hub has for an entry that is not here, or not whole; files of it that are damaged are removed first.

    Raises:
        ModelError: As `offered`.
    """
    revision = revision_of(entry, source)
    offer = offered(source.repo, revision, source.files)
    folder = snapshot_folder(source.repo, offer.commit)
    while folder.is_dir() and (wrong := damaged_file(folder)):
        wrong.resolve().unlink()
        wrong.unlink(missing_ok=True)
    return offer


def download(offer: Offer, seen: Callable[[int], None] = lambda _arrived: None) -> Path:
    """The folder of what was offered, fetched into the hub's cache; what came before is kept and gone on with.

    `seen` hears twice a second how many bytes are there, from a thread of its own.

    Raises:
        ModelError: No space; the hub cannot be reached, or refuses; or what came is not what was offered.
    """
    from huggingface_hub import snapshot_download

    _check_space(offer)
    with _plainly(offer.repo, offer.revision), _watched(offer, seen), _no_bars():
        fetch_large(offer.repo, offer.commit, _large_ones(offer), _endpoint())
        snapshot_download(
            offer.repo,
            revision=offer.commit,
            cache_dir=hub_cache(),
            allow_patterns=[_literal(name) for name in offer.files],
            endpoint=_endpoint(),
        )
    write_pin(offer.repo, offer.revision, Pin(offer.commit, offer.files))
    if wrong := what_is_missing(offer.repo, offer.commit, tuple(offer.files)):
        raise ModelError(f"{offer.repo} came, but {wrong}; run the pull again")
    return snapshot_folder(offer.repo, offer.commit)


def resolved(entry: Entry, offer: Offer) -> Entry:
    """`entry` with the commit and the true size that the hub told."""
    files = entry.source.files if isinstance(entry.source, HubSource) else ()
    return replace(entry, source=HubSource(offer.repo, offer.commit, offer.bytes, files=files))


def _large_ones(offer: Offer) -> list[str]:
    folder = snapshot_folder(offer.repo, offer.commit)
    return [name for name, size in offer.files.items() if size >= LARGE and not (folder / name).is_file()]


def _check_space(offer: Offer) -> None:
    folder = hub_cache()
    while not folder.exists():
        folder = folder.parent
    needed, free = offer.bytes_to_come * _SPARE_DISK, shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"{offer.repo} needs {needed / 1e9:.2f} GB, {hub_cache()} has {free / 1e9:.2f} GB; "
            f"make room, or name another folder with HF_HUB_CACHE"
        )


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _hub() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint())


def _literal(name: str) -> str:
    """A pattern that matches `name` and nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextmanager
def _plainly(repo: str, revision: str) -> Iterator[None]:
    """What goes wrong at the hub, as one line that says what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{repo} asks for its terms to be accepted on its page; do that, then set HF_TOKEN and pull again"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{repo} has no commit, branch or tag {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub has no model {repo!r}, or it is private (then set HF_TOKEN); check the spelling"
        ) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise ModelError(
                f"{repo} cannot be stored in {hub_cache()}: {error.strerror}; make room, or set HF_HUB_CACHE elsewhere"
            ) from error
        raise ModelError(f"the model hub did not give {repo} at {revision}: {_last_line(error)}") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError) as error:
        raise ModelError(f"the model hub did not give {repo} at {revision}: {_last_line(error)}") from error


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


@contextmanager
def _watched(offer: Offer, seen: Callable[[int], None]) -> Iterator[None]:
    """Inside, `seen` hears the bytes of the repository's blobs that grow."""
    blobs = repo_folder(offer.repo) / "blobs"
    before, done = _bytes_in(blobs) - half_files(offer.repo), threading.Event()
    had = offer.bytes - offer.bytes_to_come

    def look() -> None:
        while not done.wait(_POLL_SECONDS):
            seen(min(had + _bytes_in(blobs) - before, offer.bytes))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.glob("*"):
        try:
            total += file.stat().st_size
        except OSError:  # renamed at this moment
            continue
    return total


@contextmanager
def _no_bars() -> Iterator[None]:
    """The hub library's own bars are off inside; ours shows the same."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    off = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not off:
            enable_progress_bars()
