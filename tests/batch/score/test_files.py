"""`score --captions` and `rank --captions`: real clips, ledger and command line, a small evaluator."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batch.score.fields import BeamColumns, RankColumns, ScoredColumns
from tests.batch.score.conftest import Command, rows_of, write_rows

REPOSITORY = Path(__file__).resolve().parents[3]
CLIP = ("--evaluator", "clip")


def row(clip: int, prompt: str | None, **more: Any) -> dict[str, Any]:
    return {"path": f"c{clip}.mp4", "prompt": prompt, **more}


def calls_of(path: Path) -> list[tuple[str, int]]:
    """(clip, texts) of every request that the evaluator got."""
    if not path.exists():
        return []
    return [(Path(line.split()[0]).name, int(line.split()[1])) for line in path.read_text().splitlines()]


@pytest.fixture
def calls(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = here / "calls"
    monkeypatch.setenv("STUB_CALLS", str(path))
    return path


MIXED: list[dict[str, Any]] = [
    row(0, "x" * 16, id=1, note="ü🎬"),
    row(1, "x" * 30, id=2, error=None, status="done"),
    row(0, "word " * 10_000, id=3),
    row(2, None, id=4, status="failed"),
    row(2, "  ", id=5),
    {"path": "bad.mp4", "prompt": "x", "id": 6},
    {"path": "none.mp4", "prompt": "x", "id": 7},
    {"path": "../c1.mp4", "prompt": "x", "id": 8},
    row(0, "hopeless", id=9, start=0.1),
    {"prompt": "x", "id": 10, "path": None},
    row(1, "日本語", id=11),
]


def test_every_row_comes_out_with_its_scores_or_the_reason(
    here: Path, vidprompter: Command, calls: Path
) -> None:
    write_rows(here / "c.jsonl", MIXED)
    done = vidprompter("score", "--captions", "c.jsonl", *CLIP, "--evaluator", "builtin")
    assert done.code == 1
    rows = {one["id"]: one for one in rows_of(here / "c.scored.jsonl")}
    assert sorted(rows) == list(range(1, 12))
    for given in MIXED:
        told = rows[given["id"]]
        assert {name: told[name] for name in given} == given
        assert set(told) == {*given, *ScoredColumns.__annotations__}
        assert [one["name"] for one in told["evaluators"]] == ["clip", "builtin"]
    assert rows[1]["scores"] == {"clip": 100.0, "builtin": 100.0}
    assert rows[1]["mean"] == 100.0
    assert rows[3]["truncated"] == {"clip": 9980, "builtin": 9980}
    assert rows[3]["score_flags"] == ["clip:truncated", "builtin:truncated"]
    for number in (4, 5):
        assert rows[number]["score_flags"] == ["clip:empty", "builtin:empty"]
        assert rows[number]["scores"] == {"clip": None, "builtin": None}
        assert rows[number]["score_error"] is None
    errors = {number: rows[number]["score_error"]["type"] for number in range(6, 11)}
    assert errors == {
        6: "NotAVideoFile", 7: "VideoNotFound", 8: "InputError", 9: "GenerationError", 10: "InputError",
    }  # fmt: skip
    assert "rows                   11" in done.out
    assert "done                    6" in done.out
    assert "failed                  5" in done.out
    assert "failed: VideoNotFound: " in done.err
    # not for rows without a text
    assert not any(clip == "c2.mp4" for clip, _ in calls_of(calls))
    assert rows_of(here / "c.jsonl") == MIXED


def test_the_same_command_repeats_nothing(here: Path, vidprompter: Command, calls: Path) -> None:
    write_rows(here / "c.jsonl", MIXED)
    vidprompter("score", "--captions", "c.jsonl", *CLIP)
    before, text = calls_of(calls), (here / "c.scored.jsonl").read_bytes()
    done = vidprompter("score", "--captions", "c.jsonl", *CLIP, "--json")
    assert calls_of(calls) == before
    assert (here / "c.scored.jsonl").read_bytes() == text
    told = json.loads(done.out)
    assert (told["in"], told["done"], told["skipped"], told["failed"], told["left"]) == (11, 0, 6, 5, 0)
    assert told["failed_earlier"] == 5
    assert told["evaluators"]["clip"]["scored"] == 4
    assert told["evaluators"]["clip"]["truncated"] == 1
    (here / "none.mp4").hardlink_to(here / "c1.mp4")  # it is there now: done without --retry-failed
    told = json.loads(vidprompter("score", "--captions", "c.jsonl", *CLIP, "--json").out)
    assert (told["done"], told["skipped"], told["failed"], told["changed"]) == (1, 6, 4, 1)
    told = json.loads(vidprompter("score", "--captions", "c.jsonl", *CLIP, "--retry-failed", "--json").out)
    assert (told["done"], told["failed"], told["retried"]) == (0, 4, 4)


def test_other_evaluators_settings_and_texts_are_other_rows(
    here: Path, vidprompter: Command, calls: Path
) -> None:
    rows = [row(0, "x"), row(1, "y")]
    write_rows(here / "c.jsonl", rows)
    base = ("score", "--captions", "c.jsonl", "--out", "o.jsonl", "--json")
    assert json.loads(vidprompter(*base, *CLIP).out)["done"] == 2
    for other in (("--evaluator", "clip=other"), (*CLIP, "--frames", "4"), ("--evaluator", "builtin")):
        done = vidprompter(*base, *other)
        assert json.loads(done.out)["done"] == 2
        assert "of earlier runs with other evaluators" in done.err
    write_rows(here / "c.jsonl", [*rows, row(0, "new")])
    assert json.loads(vidprompter(*base, *CLIP).out)["done"] == 1
    assert len(rows_of(here / "o.jsonl")) == 9
    done = vidprompter(*base, *CLIP, "--fresh")
    assert json.loads(done.out)["done"] == 3
    assert len(rows_of(here / "o.jsonl")) == 3
    assert "earlier runs" not in done.err


def test_interleaved_clips_are_looked_at_once(here: Path, vidprompter: Command, calls: Path) -> None:
    write_rows(here / "c.jsonl", [row(n % 6, f"text {n}") for n in range(60)])
    assert vidprompter("score", "--captions", "c.jsonl", *CLIP).code == 0
    assert sorted(calls_of(calls)) == [(f"c{n}.mp4", 10) for n in range(6)]


def test_a_list_of_expand_needs_no_clips(here: Path, vidprompter: Command) -> None:
    (here / "e.json").write_text(json.dumps([{"short": "a dog", "prompt": "a dog runs", "variant": 0}] * 2))
    assert vidprompter("score", "--captions", "e.json", "--evaluator", "rubric").code == 0
    assert [one["scores"] for one in rows_of(here / "e.scored.jsonl")] == [{"rubric": 1.5}] * 2
    done = vidprompter("score", "--captions", "e.json", *CLIP)
    assert done.code == 2
    assert "no column 'path'" in done.err
    assert "--path-column" in done.err
    assert "rubric, judge" in done.err


def test_tables_in_and_out(here: Path, vidprompter: Command) -> None:
    (here / "t.csv").write_text('video,text,id\nc0.mp4,xxxx,007\nc1.mp4,"a, b",8\n,x,9\nc1.mp4,,10\n')
    columns = ("--text-column", "text", "--path-column", "video")
    done = vidprompter("score", "--captions", "t.csv", *columns, *CLIP)
    assert done.code == 1, done.err
    with (here / "t.scored.csv").open(newline="") as file:
        found = {one["id"]: one for one in csv.DictReader(file)}
    assert sorted(found) == ["007", "10", "8", "9"]
    assert found["007"]["score_clip"] == "88.0"
    assert found["8"]["truncated_clip"] == "0"
    assert json.loads(found["9"]["score_error"])["type"] == "InputError"
    assert found["10"]["score_flags"] == "clip:empty"
    done = vidprompter("score", "--captions", "t.csv", *columns, *CLIP, "--out", "o.parquet")
    table = pq.read_table(here / "o.parquet")
    assert table.column("score_clip").to_pylist() == [88.0, 72.0, None, None]
    assert table.column("id").to_pylist() == ["007", "8", "10", "9"]  # rows of one clip stand together
    # a scored table is scored again by another, and its own columns stay
    done = vidprompter(
        "score", "--captions", "o.parquet", *columns, "--evaluator", "builtin", "--out", "p.parquet"
    )
    again = pq.read_table(here / "p.parquet")
    assert again.column("id").to_pylist() == ["007", "8", "10", "9"]
    assert "score_clip" not in again.column_names
    assert again.column("score_builtin").to_pylist() == [88.0, 72.0, None, None]


def test_beams_are_scored_and_the_best_is_named(here: Path, vidprompter: Command, calls: Path) -> None:
    beams = [{"text": "x" * n, "logprob": -1.0, "tokens": 3, "finish": "stop"} for n in (10, 16, 30)]
    write_rows(here / "c.jsonl", [row(0, "x" * 12, beams=beams), row(1, "y"), row(0, None, beams=None)])
    done = vidprompter("score", "--captions", "c.jsonl", "--beams", *CLIP)
    assert done.code == 0, done.err
    first, *others = sorted(rows_of(here / "c.scored.jsonl"), key=lambda one: "beams" not in one)
    assert set(first) >= set(BeamColumns.__annotations__)
    assert [one["scores"]["clip"] for one in first["beam_scores"]] == [94.0, 100.0, 86.0]
    assert first["best_beam"] == 1
    assert first["scores"] == {"clip": 96.0}
    assert first["beams"] == beams
    assert {one["best_beam"] for one in others} == {None}
    assert ("c0.mp4", 4) in calls_of(calls)
    mixed = (*CLIP, "--evaluator", "rubric")
    assert vidprompter("score", "--captions", "c.jsonl", "--beams", *mixed).code == 2
    assert vidprompter("score", "--captions", "c.jsonl", "--beams", *mixed, "--by", "clip").code == 0


def test_folders(here: Path, vidprompter: Command) -> None:
    (here / "in").mkdir()
    write_rows(here / "in" / "c.jsonl", [row(0, "x")])
    done = vidprompter("score", "--captions", "in/c.jsonl", *CLIP)
    assert done.code == 2
    assert "add --root ." in done.err
    assert not (here / "in" / "c.scored.jsonl").exists()
    assert vidprompter("score", "--captions", "in/c.jsonl", *CLIP, "--root", ".").code == 0
    write_rows(here / "in" / "a.jsonl", [{"path": str(here / "c1.mp4"), "prompt": "x"}])
    assert vidprompter("score", "--captions", "in/a.jsonl", *CLIP).code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["c0.mp4", "--captions", "c.jsonl"], "brings clips and captions of its own"),
        (["--captions", "c.jsonl", "--explain"], "--explain goes without --captions"),
        (["--captions", "c.jsonl", "--from", "c.jsonl"], "--from goes without --captions"),
        (["--captions", "c.jsonl", "--out", "c.jsonl"], "is the file of captions itself"),
        (["--captions", "c.jsonl", "--out", "o.xlsx"], "no file of captions by its name"),
        (["--captions", "c.jsonl", "--out", "no/o.jsonl"], "does not exist"),
        (["--captions", "c.jsonl", "--text-column", "caption"], "no column 'caption'; its columns are 'path', 'prompt'"),
        (["--captions", "none.jsonl"], "does not exist"),
        (["--captions", "empty.jsonl"], "has no rows"),
        (["--captions", "mine.jsonl"], "a column 'mean', where scores would go"),
        (["--captions", "c.jsonl", "--by", "clip"], "it needs --beams"),
        (["--captions", "broken.jsonl"], "line 2 is not JSON"),
    ],
)  # fmt: skip
def test_usage_errors_exit_2_and_leave_no_rows(
    here: Path, vidprompter: Command, arguments: list[str], told: str
) -> None:
    write_rows(here / "c.jsonl", [row(0, "x")])
    (here / "empty.jsonl").write_text("\n")
    write_rows(here / "mine.jsonl", [row(0, "x", mean=3)])
    (here / "broken.jsonl").write_text('{"path": "c0.mp4", "prompt": "x"}\n{"path"')
    done = vidprompter("score", *arguments, *CLIP)
    assert done.code == 2, done.out
    assert told in done.err
    assert not any(rows_of(path) for path in here.glob("*.scored.jsonl"))


def test_an_output_without_its_ledger_is_not_written_over(here: Path, vidprompter: Command) -> None:
    write_rows(here / "c.jsonl", [row(0, "x")])
    (here / "c.scored.jsonl").write_text("mine\n")
    assert vidprompter("score", "--captions", "c.jsonl", *CLIP).code == 2
    assert (here / "c.scored.jsonl").read_text() == "mine\n"


def test_runs_tells_of_scored_files_too(here: Path, vidprompter: Command) -> None:
    write_rows(here / "c.jsonl", [row(0, "x"), {"path": "none.mp4", "prompt": "y"}])
    vidprompter("score", "--captions", "c.jsonl", *CLIP)
    assert json.loads(vidprompter("runs", "status", "c.scored.jsonl", "--json").out)["counts"] == {
        "done": 1, "failed": 1,
    }  # fmt: skip
    assert "none.mp4  VideoNotFound" in vidprompter("runs", "failed", "c.scored.jsonl").out
    (here / "c.scored.jsonl.ledger.sqlite").unlink()
    done = vidprompter("runs", "repair", "c.scored.jsonl")
    assert done.code == 2
    assert "give `score` another --out, or --fresh" in done.err


# --- rank ---------------------------------------------------------------------------------------------------


def test_candidates_of_each_clip_are_ranked(here: Path, vidprompter: Command, calls: Path) -> None:
    rows = [
        row(1, "x" * 30, id=1), row(0, "x" * 10, id=2), row(1, "x" * 32, id=3), row(0, "x" * 16, id=4),
        row(1, "x" * 32, id=5), row(1, None, id=6), row(1, "x" * 32, id=7, start=0.1),
    ]  # fmt: skip
    write_rows(here / "c.jsonl", rows)
    done = vidprompter("rank", "--captions", "c.jsonl", *CLIP, "--json")
    assert done.code == 0, done.err
    found = rows_of(here / "c.ranked.jsonl")
    assert [(one["id"], one["rank"], one["margin"]) for one in found] == [
        (3, 1, 0.0), (5, 1, 2.0), (1, 3, None), (6, None, None), (4, 1, 6.0), (2, 2, None), (7, 1, None),
    ]  # fmt: skip
    assert set(found[0]) == {
        "id",
        "path",
        "prompt",
        *ScoredColumns.__annotations__,
        *RankColumns.__annotations__,
    }
    told = json.loads(done.out)
    assert (told["clips"], told["candidates"], told["written"], told["left_out"]) == (3, 7, 7, 0)
    before = calls_of(calls)
    done = vidprompter("rank", "--captions", "c.jsonl", *CLIP, "--keep", "1")
    assert [one["id"] for one in rows_of(here / "c.ranked.jsonl")] == [3, 4, 7]
    assert "rows written: 3, 4 left out" in done.out
    assert calls_of(calls) == before


def test_candidates_of_earlier_runs_are_none(here: Path, vidprompter: Command) -> None:
    write_rows(here / "c.jsonl", [row(0, "x" * 16), row(0, "x" * 10)])
    vidprompter("rank", "--captions", "c.jsonl", *CLIP)
    write_rows(here / "c.jsonl", [row(0, "x" * 10), row(0, "x" * 12)])
    vidprompter("rank", "--captions", "c.jsonl", *CLIP)
    assert [len(one["prompt"]) for one in rows_of(here / "c.ranked.jsonl")] == [12, 10]
    vidprompter("rank", "--captions", "c.jsonl", "--evaluator", "builtin")
    assert [one["scores"] for one in rows_of(here / "c.ranked.jsonl")] == [
        {"builtin": 96.0},
        {"builtin": 94.0},
    ]


def test_scored_files_are_ranked_without_the_evaluator(here: Path, vidprompter: Command, calls: Path) -> None:
    beams = [{"text": "x" * n} for n in (10, 16, 30)]
    write_rows(here / "c.jsonl", [row(0, "x" * 10, beams=beams), row(0, "x" * 16)])
    vidprompter("score", "--captions", "c.jsonl", "--beams", *CLIP, "--out", "s.jsonl")
    calls.unlink()
    done = vidprompter("rank", "--captions", "s.jsonl", *CLIP, "--out", "r.csv")
    assert done.code == 0, done.err
    assert not calls.exists()
    done = vidprompter("rank", "--captions", "s.jsonl", *CLIP, "--beams", "--keep", "2", "--out", "b.jsonl")
    assert not calls.exists()
    found = rows_of(here / "b.jsonl")
    assert [(one["prompt"], one.get("beam"), one["rank"]) for one in found] == [
        ("x" * 16, 1, 1), ("x" * 16, None, 1),
    ]  # fmt: skip
    assert not any("beams" in one for one in found)


def test_rank_of_different_ranges(here: Path, vidprompter: Command) -> None:
    write_rows(here / "c.jsonl", [row(0, "x"), row(0, "a b c")])
    both = ("--evaluator", "clip", "--evaluator", "rubric")
    assert vidprompter("rank", "--captions", "c.jsonl", *both).code == 2
    assert not (here / "c.ranked.jsonl").exists()
    assert vidprompter("rank", "--captions", "c.jsonl", *both, "--by", "rubric").code == 0
    assert [one["rank_value"] for one in rows_of(here / "c.ranked.jsonl")] == [1.5, 0.5]


def test_rank_leaves_a_rank_of_somebody_elses_alone(here: Path, vidprompter: Command) -> None:
    write_rows(here / "c.jsonl", [row(0, "x", rank=7)])
    done = vidprompter("rank", "--captions", "c.jsonl", *CLIP)
    assert done.code == 2
    assert "a column 'rank', where its rank would go" in done.err


# --- interrupted and killed ---------------------------------------------------------------------------------


def begin(folder: Path, *arguments: str, seconds: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "STUB_SECONDS": str(seconds)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.batch.score.stub", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_rows(process: subprocess.Popen[str], path: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and len(rows_of(path)) >= count):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def many(here: Path) -> None:
    write_rows(here / "c.jsonl", [row(n % 6, f"text {n}", start=0.01 * (n // 6 + 1)) for n in range(240)])


def test_killed_at_any_moment_every_row_comes_once(here: Path, vidprompter: Command, calls: Path) -> None:
    many(here)
    out = here / "c.scored.jsonl"
    for first, seconds in ((1, 0.0), (20, 0.02), (100, 0.05)):
        process = begin(here, "score", "--captions", "c.jsonl", *CLIP, seconds=0.15)
        wait_for_rows(process, out, first)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    asked_before = len(calls_of(calls))
    kept = len(rows_of(out))
    assert 100 <= kept < 240
    told = json.loads(vidprompter("score", "--captions", "c.jsonl", *CLIP, "--json").out)
    assert (told["in"], told["skipped"], told["failed"], told["left"]) == (240, told["skipped"], 0, 0)
    assert told["skipped"] + told["done"] == 240
    assert told["skipped"] >= kept
    assert len(calls_of(calls)) - asked_before == told["done"]  # nothing finished was asked again
    rows = rows_of(out)
    assert sorted(one["prompt"] for one in rows) == sorted(f"text {n}" for n in range(240))


def test_ctrl_c_finishes_the_batch_and_says_how_to_go_on(here: Path, vidprompter: Command) -> None:
    many(here)
    process = begin(here, "score", "--captions", "c.jsonl", *CLIP, "--out", "o.csv", seconds=0.3)
    time.sleep(0.1)
    while not (here / "o.csv.ledger.sqlite").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    with (here / "o.csv").open(newline="") as file:  # the table has what was finished
        kept = len(list(csv.DictReader(file)))
    assert kept < 240
    told = json.loads(vidprompter("score", "--captions", "c.jsonl", *CLIP, "--out", "o.csv", "--json").out)
    assert told["skipped"] == kept
    assert told["skipped"] + told["done"] == 240


def test_ranks_wait_until_all_is_scored(here: Path, vidprompter: Command) -> None:
    many(here)
    process = begin(here, "rank", "--captions", "c.jsonl", *CLIP, seconds=0.3)
    while not (here / "c.ranked.jsonl.ledger.sqlite").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert not (here / "c.ranked.jsonl").exists()
    assert vidprompter("rank", "--captions", "c.jsonl", *CLIP).code == 0
    assert len(rows_of(here / "c.ranked.jsonl")) == 240
