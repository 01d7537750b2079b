"""What was pulled from the model hub: for each repository and revision the commit, and its files with their sizes.

<home>/hub/ORG--NAME.json   written as the last step of a pull, so that what it lists was whole
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from models.fetching.places import home


@dataclass(frozen=True)
class Pin:
    """One pulled revision. commit: 40 hex digits; files: name in the snapshot -> bytes."""

    commit: str
    files: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(self.files.values())


def pins_of(repo: str) -> dict[str, Pin]:
    """The pins of `repo` by revision; empty where nothing was pulled, or the record is damaged."""
    try:
        record = json.loads(_file(repo).read_text(encoding="utf-8"))
        return {
            str(revision): Pin(str(row["commit"]), {str(k): int(v) for k, v in row["files"].items()})
            for revision, row in record.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def pin_of(repo: str, revision: str) -> str | None:
    """The commit that `revision` of `repo` was pinned to at its pull, None before."""
    pin = pins_of(repo).get(revision)
    return pin.commit if pin else None


def pinned_repos() -> list[str]:
    """The hub ids ("org/name") of which something was pulled, in order of their names."""
    return sorted(file.stem.replace("--", "/", 1) for file in (home() / "hub").glob("*--*.json"))


def write_pin(repo: str, revision: str, pin: Pin) -> None:
    """Records that `revision` of `repo` was pulled whole."""
    file = _file(repo)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: asdict(one) for name, one in {**pins_of(repo), revision: pin}.items()}
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(file)


def _file(repo: str) -> Path:
    return home() / "hub" / (repo.replace("/", "--") + ".json")
