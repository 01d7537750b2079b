"""What goes wrong around a run: full disks, read-only places, vanished folders, locked and damaged ledgers.

Each ends in one clear line, loses nothing, and the same command goes on when the cause is gone.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.batch.stub import write_video
from tests.batch.test_caption import begin, environment, rows_of, wait_until

CLIPS = 60
COMMAND = [sys.executable, "-m", "tests.batch.stub", "caption", "clips", "--batch-size", "3"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    first = write_video(tmp_path / "clips" / "c0.mp4")
    for index in range(1, CLIPS):
        shutil.copy(first, tmp_path / "clips" / f"c{index}.mp4")
    return tmp_path


def caption(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
    )


def one_line(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The error, which must be the only one, on one line, without a traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("vidprompter: error:")]
    return line


def all_once(rows: list[dict[str, Any]]) -> bool:
    names = sorted(Path(row["path"]).name for row in rows)
    return names == sorted(f"c{index}.mp4" for index in range(CLIPS)) and all(
        row["status"] == "done" for row in rows
    )


# --- a full disk: a small tmpfs in a mount namespace of its own ----------------------------------------------

_CAN_MOUNT = (
    subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"], capture_output=True
    ).returncode == 0
    if shutil.which("unshare") else False
)  # fmt: skip
needs_mount = pytest.mark.skipif(
    not _CAN_MOUNT, reason="needs `unshare -rm` and mounts: Linux, user namespaces"
)


def on_small_disk(here: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in which ./small is a tmpfs and RUN the command."""
    (here / "small").mkdir(exist_ok=True)
    program = f"set -u; mount -t tmpfs -o size=$SIZE tmpfs small; {script}"
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", program],
        cwd=here,
        env={**environment(), "RUN": " ".join(COMMAND), **more},
        capture_output=True,
        text=True,
        timeout=300,
    )


@needs_mount
@pytest.mark.parametrize(
    ("output", "size"),
    [("o.jsonl", "100k"), ("o.jsonl", "156k"), ("o.jsonl", "220k"), ("o.parquet", "220k"), ("o.tar", "220k")],
)
def test_a_full_disk_is_one_line_and_nothing_is_lost(here: Path, output: str, size: str) -> None:
    """The sizes make the ledger, the rows or the merge the first to find no room."""
    script = (
        f"$RUN --out small/{output} >/dev/null; echo $? >code; "
        f"mount -o remount,size=20m small; $RUN --out small/{output} --json >summary; echo $? >code2; "
        f"cp small/{output} ."
    )
    done = on_small_disk(here, script, SIZE=size)
    assert (here / "code").read_text().strip() == "1", done.stderr
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1, done.stderr
    assert "run the same" in errors[0]
    assert "Traceback" not in done.stderr
    assert (here / "code2").read_text().strip() == "0", done.stderr
    summary = json.loads((here / "summary").read_text())
    assert summary["in"] == CLIPS == summary["done"] + summary["skipped"]
    if output == "o.jsonl":
        assert all_once(rows_of(here / output))


@needs_mount
def test_a_read_only_place_is_one_line(here: Path) -> None:
    script = "mount -o remount,ro small; $RUN --out small/o.jsonl; echo $? >code"
    done = on_small_disk(here, script, SIZE="1m")
    assert (here / "code").read_text().strip() == "1"
    (line,) = done.stderr.splitlines()
    assert "cannot write in" in line and "Read-only" in line


# --- the folder of the clips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("leave_mount_point", [False, True])
def test_a_folder_that_vanishes_stops_the_run_until_it_is_back(here: Path, leave_mount_point: bool) -> None:
    process = begin(
        here, "--out", "o.jsonl", "--workers", "1", STUB_SECONDS="0.2", STUB_MEASURE_SECONDS="0.1"
    )
    wait_until(lambda: (here / "o.jsonl").exists() and len(rows_of(here / "o.jsonl")) >= 3)
    (here / "clips").rename(here / "away")
    if leave_mount_point:
        (here / "clips").mkdir()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "has gone away" in err
    assert "Traceback" not in err
    assert all(row["status"] == "done" for row in rows_of(here / "o.jsonl"))
    if leave_mount_point:
        (here / "clips").rmdir()
    (here / "away").rename(here / "clips")
    assert caption(here, "--out", "o.jsonl").returncode == 0
    assert all_once(rows_of(here / "o.jsonl"))


# --- the ledger ------------------------------------------------------------------------------------------------


def test_a_locked_ledger_is_one_line(here: Path) -> None:
    caption(here, "--out", "o.jsonl", "--limit", "3")
    other = sqlite3.connect(here / "o.jsonl.ledger.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    line = one_line(caption(here, "--out", "o.jsonl"))
    assert "locked by another program" in line
    other.execute("ROLLBACK")
    other.close()
    assert caption(here, "--out", "o.jsonl").returncode == 0
    assert all_once(rows_of(here / "o.jsonl"))


def _scribble(ledger: Path) -> None:
    """Damages pages in the middle, as a failing disk does; the head stays good."""
    data = bytearray(ledger.read_bytes())
    for start in range(4096 * 3, len(data), 4096):
        data[start : start + 64] = os.urandom(64)
    ledger.write_bytes(data)


def _no_database(ledger: Path) -> None:
    ledger.write_bytes(b"this was a ledger once" * 500)


@pytest.mark.parametrize("damage", [_scribble, _no_database, Path.unlink])
@pytest.mark.parametrize("output", ["o.jsonl", "o.parquet"])
def test_a_damaged_ledger_is_made_again_from_the_output(
    here: Path, damage: Callable[[Path], None], output: str
) -> None:
    ledger = here / f"{output}.ledger.sqlite"
    (here / "clips" / "c7.mp4").write_text("no video")
    assert caption(here, "--out", output, "--limit", "40").returncode == 1
    before = ledger.read_bytes()
    damage(ledger)
    done = caption(here, "--out", output)
    assert "vidprompter runs repair" in one_line(done, 2 if damage is Path.unlink else 1)
    repaired = subprocess.run(
        [sys.executable, "-m", "tests.batch.stub", "runs", "repair", output],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert repaired.returncode == 0, repaired.stderr
    assert "40 rows" in repaired.stdout
    if damage is not Path.unlink:
        assert (here / f"{output}.ledger.sqlite.bak").stat().st_size == len(before) or damage is _no_database
    done = caption(here, "--out", output, "--json")
    summary = json.loads(done.stdout)
    assert summary["skipped"] == 39
    assert summary["failed_earlier"] == 1
    assert summary["done"] == CLIPS - 40
    if output == "o.jsonl":
        rows = rows_of(here / output)
        assert len(rows) == CLIPS
        assert len({row["path"] for row in rows}) == CLIPS
    assert caption(here, "--out", output, "--retry-failed", "--json").returncode == 1
