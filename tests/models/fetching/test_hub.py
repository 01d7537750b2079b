"""A hub entry is found in the hub's own cache without a network; nothing of it is ever guessed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = f"""
from models.entry import HubSource
from models.fetching.hub import find_on_disk
print(find_on_disk(HubSource("someone/something", "{COMMIT}", 1)))
"""


def look(cache: Path) -> str:
    """What a fresh process finds: the hub library reads its settings when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=Path(__file__).resolve().parents[3],
        env=os.environ | {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_pinned_commit_and_no_other(tmp_path: Path) -> None:
    repo = tmp_path / "models--someone--something"
    other = repo / "snapshots" / ("f" * 40)
    other.mkdir(parents=True)
    (other / "config.json").write_text("{}")
    assert look(tmp_path) == "None"
    right = repo / "snapshots" / COMMIT
    right.mkdir()
    (right / "model.safetensors").write_bytes(b"")
    assert look(tmp_path) == str(right)
