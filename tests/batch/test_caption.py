"""`caption` with a stub writer and the real reader, workers, ledger and command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.batch.stub import write_video

REPOSITORY = Path(__file__).resolve().parents[2]
FIELDS = (
    "path start end task short variant prompt status error finish flags "
    "model revision engine settings seed seconds"
).split()


@pytest.fixture(scope="module")
def some_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good clips, one of them with a sidecar, and a text file under a video's name."""
    folder = tmp_path_factory.mktemp("some") / "clips"
    folder.mkdir()
    for index in range(3):
        write_video(folder / f"c{index}.mp4", width=64 + 16 * index, shade=40 * index)
    (folder / "c1.txt").write_text("a grey wall")
    (folder / "bad.mp4").write_text("hello")
    return folder


@pytest.fixture
def here(tmp_path: Path, some_clips: Path) -> Path:
    """A folder of one's own with links to the clips."""
    (tmp_path / "clips").mkdir()
    for path in some_clips.iterdir():
        (tmp_path / "clips" / path.name).hardlink_to(path)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **more}


def vidprompter(
    folder: Path, *arguments: str, stdin: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.batch.stub", *arguments],
        cwd=folder,
        env=environment(**more),
        input=stdin,
        capture_output=True,
        text=True,
    )


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {Path(row["path"]).name: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_folder_with_a_bad_clip(here: Path) -> None:
    done = vidprompter(here, "caption", "clips", "--out", "o.jsonl")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = by_name(rows_of(here / "o.jsonl"))
    assert all(list(row) == FIELDS for row in rows.values())
    assert rows["c0.mp4"]["path"] == "clips/c0.mp4"
    assert rows["c0.mp4"]["prompt"] == "A clip, 64 wide, variant 0, seed 0."
    assert [rows["c0.mp4"][name] for name in ("task", "status", "error", "start", "end", "finish")] == [
        "video_to_prompt", "done", None, None, None, "stop",
    ]  # fmt: skip
    assert rows["c1.mp4"]["task"] == "video_and_short_to_prompt"
    assert rows["c1.mp4"]["prompt"] == "a grey wall, 80 wide, variant 0, seed 0."
    assert rows["bad.mp4"]["status"] == "failed"
    assert rows["bad.mp4"]["error"]["type"] == "NotAVideoFile"
    assert rows["bad.mp4"]["prompt"] is None
    assert "NotAVideoFile" in done.stdout
    assert done.stdout.splitlines()[1].split() == ["clips", "4"]


def test_resume_changed_and_retry(here: Path) -> None:
    first = vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--json")
    assert json.loads(first.stdout) == {
        "out": "o.jsonl", "in": 4, "done": 3, "skipped": 0, "failed": 1, "left": 0, "failed_earlier": 0,
        "changed": 0, "retried": 0, "failed_by_reason": {"NotAVideoFile": 1}, "skipped_by_reason": {}, "flags": {},
    }  # fmt: skip
    before = (here / "o.jsonl").read_bytes()
    again = vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout) | {"skipped": 3, "failed": 1, "failed_earlier": 1} == json.loads(
        again.stdout
    )
    assert (here / "o.jsonl").read_bytes() == before
    (here / "clips" / "c0.mp4").unlink()
    write_video(here / "clips" / "c0.mp4", width=128)
    (here / "clips" / "bad.mp4").unlink()
    write_video(here / "clips" / "bad.mp4", width=160)
    third = vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--json", "--retry-failed")
    assert third.returncode == 0, third.stderr
    assert json.loads(third.stdout)["done"] == 2
    rows = by_name(rows_of(here / "o.jsonl"))
    assert "128 wide" in rows["c0.mp4"]["prompt"]
    assert "160 wide" in rows["bad.mp4"]["prompt"]


def test_other_settings_are_other_items_and_fresh_starts_over(here: Path) -> None:
    for seed in ("0", "1", "0"):
        vidprompter(here, "caption", "clips/c0.mp4", "--out", "o.jsonl", "--seed", seed)
    assert [row["seed"] for row in rows_of(here / "o.jsonl")] == [0, 1]
    vidprompter(here, "caption", "clips/c0.mp4", "--out", "o.jsonl", "--seed", "2", "--fresh")
    assert [row["seed"] for row in rows_of(here / "o.jsonl")] == [2]


def test_without_out_prompts_go_to_stdout(here: Path) -> None:
    done = vidprompter(here, "caption", "clips/c0.mp4", "clips/c2.mp4", "--short", "two walls")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.strip().split("\n\n")) == {
        "clips/c0.mp4\ntwo walls, 64 wide, variant 0, seed 0.",
        "clips/c2.mp4\ntwo walls, 96 wide, variant 0, seed 0.",
    }
    assert sorted(path.name for path in here.iterdir()) == ["clips"]


def test_a_list_on_stdin_as_json(here: Path) -> None:
    listed = "clips/c0.mp4\n\nclips/none.mp4\nclips/c0.mp4\n"
    done = vidprompter(here, "caption", "-", "--json", "--no-sidecar", stdin=listed)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((row["path"], row["status"]) for row in rows) == [
        ("clips/c0.mp4", "done"), ("clips/c0.mp4", "done"), ("clips/none.mp4", "failed"),
    ]  # fmt: skip
    assert {row["error"]["type"] for row in rows if row["error"]} == {"VideoNotFound"}


def test_a_manifest_with_an_escape_and_a_refusal(here: Path) -> None:
    (here / "l.csv").write_text("path,short\nclips/c0.mp4,a dog\n../x.mp4,\nclips/c1.mp4,refuse\n")
    done = vidprompter(here, "caption", "l.csv", "--out", "o.jsonl")
    assert done.returncode == 1
    rows = by_name(rows_of(here / "o.jsonl"))
    assert rows["c0.mp4"]["prompt"] == "a dog, 64 wide, variant 0, seed 0."
    assert rows["x.mp4"]["error"]["type"] == "InputError"
    assert rows["c1.mp4"]["error"]["type"] == "GenerationError"


def test_names_with_quotes_emoji_and_raw_bytes(here: Path) -> None:
    source = here / "clips" / "c0.mp4"
    names = ['it\'s "so".mp4', "🎬 ü.mp4", "new\nline.mp4", os.fsdecode(b"raw\xff.mp4")]
    (here / "odd").mkdir()
    for name in names:
        (here / "odd" / name).hardlink_to(source)
    done = vidprompter(here, "caption", "odd", "--out", "o.jsonl")
    assert done.returncode == 0, done.stderr
    assert sorted(row["path"] for row in rows_of(here / "o.jsonl")) == sorted(f"odd/{name}" for name in names)
    assert vidprompter(here, "caption", "odd").returncode == 0


def test_dry_run_writes_nothing(here: Path) -> None:
    done = vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == ["write", "5", "B", "clips/bad.mp4"]
    assert "4 write" in done.stderr
    assert "estimate: 4 clips in 0:00:" in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["clips"]
    vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--limit", "2")
    done = vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--dry-run", "--json")
    assert [json.loads(line)["would"] for line in done.stdout.splitlines()] == [
        "skip (failed)", "skip (done)", "write", "write",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["clips", "--out", "no/o.jsonl"],
        ["clips", "--temperature", "-1"],
        ["clips", "--workers", "0"],
    ],
)
def test_usage_errors_exit_2_and_leave_nothing(here: Path, arguments: list[str]) -> None:
    done = vidprompter(here, "caption", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["clips"]


def test_a_closed_pipe_is_quiet(here: Path) -> None:
    program = f"{sys.executable} -m tests.batch.stub caption clips/c*.mp4 --batch-size 1 | head -n 1"
    done = subprocess.run(
        program, shell=True, cwd=here, env=environment(STUB_SECONDS="0.3"), capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_runs_tells_what_the_ledger_knows(here: Path) -> None:
    vidprompter(here, "caption", "clips", "--out", "o.jsonl")
    status = json.loads(vidprompter(here, "runs", "status", "o.jsonl", "--json").stdout)
    assert status["counts"] == {"done": 3, "failed": 1}
    assert status["errors"] == {"NotAVideoFile": 1}
    assert status["last_run"] == "finished"
    assert "bad.mp4  NotAVideoFile" in vidprompter(here, "runs", "failed", "o.jsonl").stdout
    assert "o.jsonl  3 done, 1 failed" in vidprompter(here, "runs", "list").stdout
    assert vidprompter(here, "runs", "status", "other.jsonl").returncode == 2


# --- interrupted and killed ---------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    first = write_video(tmp_path / "clips" / "c0.mp4")
    for index in range(1, 12):
        (tmp_path / "clips" / f"c{index}.mp4").write_bytes(first.read_bytes())
    return tmp_path


def begin(folder: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.batch.stub", "caption", "clips", "--batch-size", "1", *arguments],
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_at_any_moment_every_clip_comes_once(many: Path) -> None:
    """Kills the whole process group again and again; the output parses at every look in between."""
    output = many / "o.jsonl"

    def written() -> int:
        return len(rows_of(output)) if output.exists() else 0

    for kill, (rows_first, delay) in enumerate(
        ((0, 0.3), (1, 0.0), (3, 0.01), (5, 0.02), (8, 0.03), (10, 0.0))
    ):
        process = begin(many, "--out", "o.jsonl", STUB_SECONDS="0.05")
        wait_until(lambda: written() >= rows_first)  # noqa: B023 - called before the next round
        time.sleep(delay)
        process.kill() if kill % 2 else os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if output.exists():
            by_name(rows_of(output))
    done = vidprompter(many, "caption", "clips", "--out", "o.jsonl")
    assert done.returncode == 0, done.stderr
    rows = by_name(rows_of(output))
    assert sorted(rows) == sorted(f"c{index}.mp4" for index in range(12))
    assert all(row["status"] == "done" for row in rows.values())


def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_resume(many: Path) -> None:
    process = begin(many, "--out", "o.jsonl", STUB_SECONDS="0.3")
    output = many / "o.jsonl"
    wait_until(lambda: output.exists() and len(rows_of(output)) >= 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    rows = by_name(rows_of(many / "o.jsonl"))
    assert 2 <= len(rows) < 12
    assert out.split()[2] == "12"
    done = vidprompter(many, "caption", "clips", "--out", "o.jsonl", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["skipped"] == len(rows)


def test_a_second_ctrl_c_stops_at_once(many: Path) -> None:
    mark = many / "mark"
    process = begin(many, "--out", "o.jsonl", "--batch-size", "4", STUB_SECONDS="60", STUB_MARK=str(mark))
    wait_until(mark.exists)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    wait_until(lambda: "Ctrl-C again" in (process.stderr.readline() if process.stderr else ""))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert time.monotonic() - began < 30
    assert process.returncode == 130
    assert "Traceback" not in err
