"""An output that is killed at any step, and at a second one, ends as one that never was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["parquet", "webdataset", "skip", "overwrite", "append", "prepend"])
def test_killed_at_every_step(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-m", "tests.batch.outputs.killed", kind, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(run.stdout.split()[-2]) > 20  # steps: the run was watched
