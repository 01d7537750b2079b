"""The model hub's cache on this machine, read as it lies there: no network, no hub library, no writing.

<cache>/models--ORG--NAME/refs/REVISION          the commit that a branch or tag had when it was fetched
<cache>/models--ORG--NAME/snapshots/COMMIT/...   the files, links to ../../blobs/
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from models.fetching.checks import sha256_of
from models.fetching.pins import pin_of, pins_of

COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w.][\w./-]*))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_YES = {"1", "ON", "YES", "TRUE"}


def hub_cache() -> Path:
    """The hub's cache folder, by the settings that the hub's own library reads. May not exist yet."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if named := os.environ.get(name):
            return _expanded(named)
    if named := os.environ.get("HF_HOME"):
        return _expanded(named) / "hub"
    return _expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def hub_is_off() -> bool:
    """Whether HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids asking the hub."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in _YES


def repo_folder(repo: str) -> Path:
    """Where the cache keeps `repo`, an "org/name". May not exist."""
    return hub_cache() / ("models--" + repo.replace("/", "--"))


def is_hub_id(text: str) -> bool:
    """Whether `text` reads like "org/name" or "org/name@revision"."""
    return HUB_ID.fullmatch(text) is not None


def split_hub_id(text: str) -> tuple[str, str | None]:
    """("org/name", revision or None) of "org/name@revision"."""
    found = HUB_ID.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no hub id")
    return found["repo"], found["revision"]


def commit_here(repo: str, revision: str | None = None) -> str | None:
    """The commit of `repo` on this machine that `revision` (a commit, 7 or more of its digits, branch or tag) names.

    None: not here. Without a revision: what `vidprompter models pull` recorded, else what the cache calls main,
    else the only snapshot there is.
    """
    snapshots = _snapshots(repo)
    if revision in (None, "main"):
        commit = pin_of(repo, "main") or _reference(repo, "main")
        if commit is None and len(snapshots) == 1:
            [commit] = snapshots
        return commit if commit in snapshots else None
    if revision in snapshots:
        return revision
    commit = pin_of(repo, revision) or _reference(repo, revision)
    if commit is None and re.fullmatch(r"[0-9a-f]{7,39}", revision):
        like = [one for one in snapshots if one.startswith(revision)]
        commit = like[0] if len(like) == 1 else None
    return commit if commit in snapshots else None


def snapshot_folder(repo: str, commit: str) -> Path:
    """The folder of the files of `repo` at `commit`. May not exist, or not be whole."""
    return repo_folder(repo) / "snapshots" / commit


def what_is_missing(repo: str, commit: str, wanted: Sequence[str] = ()) -> str | None:
    """What a model needs and the snapshot lacks, in a few words; None when it is whole.

    wanted: the names of its files, where they are known; otherwise:

    Against the list that our pull recorded, where there is one: every file with its size. Otherwise (another
    program fetched it) against the snapshot's own index of its weights.
    """
    folder = snapshot_folder(repo, commit)
    if not folder.is_dir():
        return "not on this machine yet"
    if gone := next((name for name in wanted if not (folder / name).is_file()), None):
        return f"{gone} is not there"
    for pin in pins_of(repo).values():
        if pin.commit == commit:
            for name, size in pin.files.items():
                if not (folder / name).is_file():
                    return f"{name} is not there"
                if (found := (folder / name).stat().st_size) != size:
                    return f"{name} has {found} bytes instead of {size}"
            return None
    return None if wanted else missing_weights(folder)


def damaged_file(folder: Path) -> Path | None:
    """The first file of a snapshot whose sha256 is not the one in its blob's name; None when all are right.

    The hub names large files by their sha256, and small ones by another sum, which is not looked at.
    """
    for file in sorted(folder.rglob("*")):
        named = file.resolve().name
        if _SHA256.fullmatch(named) and file.is_file() and sha256_of(file) != named:
            return file
    return None


def missing_weights(folder: Path) -> str | None:
    """What is missing of the safetensors that `folder` holds, by its own index; None when nothing is."""
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return f"{index.name} cannot be read"
        for shard in sorted(map(str, shards)):
            if not (index.parent / shard).is_file():
                return f"{shard} is not there"
    if not any(file.is_file() for file in folder.rglob("*.safetensors")):
        return "there are no safetensors weights in it"
    return None


def _snapshots(repo: str) -> list[str]:
    folder = repo_folder(repo) / "snapshots"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def _reference(repo: str, revision: str) -> str | None:
    file = repo_folder(repo) / "refs" / revision
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def _expanded(named: str) -> Path:
    return Path(os.path.expandvars(named)).expanduser().absolute()
