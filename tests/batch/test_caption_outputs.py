"""Formats, stretches, shards and lists of `caption`, through the command line."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.batch.stub import write_video
from tests.batch.test_caption import by_name, rows_of, vidprompter


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "clips" / "sub").mkdir(parents=True)
    for index in range(4):
        write_video(tmp_path / "clips" / f"c{index}.mp4", frames=40, width=64 + 16 * index)  # five seconds
    write_video(tmp_path / "clips" / "sub" / "d.mp4")
    (tmp_path / "clips" / "bad.mp4").write_text("no video")
    return tmp_path


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    return list(pyarrow.parquet.read_table(path).to_pylist())


def test_the_suffix_chooses_the_format_and_a_second_run_changes_nothing(here: Path) -> None:
    for output in ("o.parquet", "o.tar"):
        first = vidprompter(here, "caption", "clips", "--out", output)
        assert first.returncode == 1, first.stderr
        before = (here / output).read_bytes()
        assert vidprompter(here, "caption", "clips", "--out", output).returncode == 1
        assert (here / output).read_bytes() == before
    rows = parquet_rows(here / "o.parquet")
    assert len(rows) == 6
    assert {row["error_type"] for row in rows} == {None, "NotAVideoFile"}
    with tarfile.open(here / "o.tar") as tar:
        names = tar.getnames()
        assert len([name for name in names if name.endswith(".mp4")]) == 5
        clips = {tar.extractfile(name).read() for name in names if name.endswith(".mp4")}  # type: ignore[union-attr]
    assert clips == {path.read_bytes() for path in here.glob("clips/**/*.mp4") if path.name != "bad.mp4"}


def test_a_changed_clip_is_replaced_in_every_format(here: Path) -> None:
    for output in ("o.parquet", "o.tar"):
        vidprompter(here, "caption", "clips", "--out", output)
    vidprompter(here, "caption", "clips", "--format", "txt", "--out", "texts")
    write_video(here / "clips" / "c1.mp4", width=320)
    for arguments in (["--out", "o.parquet"], ["--out", "o.tar"], ["--format", "txt", "--out", "texts"]):
        assert "1 files had changed" in vidprompter(here, "caption", "clips", *arguments).stdout
    prompts = {Path(row["path"]).name: row["prompt"] for row in parquet_rows(here / "o.parquet")}
    assert len(prompts) == 6
    assert "320 wide" in prompts["c1.mp4"]
    assert "320 wide" in (here / "texts" / "c1.txt").read_text()
    with tarfile.open(here / "o.tar") as tar:
        texts = [tar.extractfile(name).read().decode() for name in tar.getnames() if name.endswith(".txt")]  # type: ignore[union-attr]
    assert len(texts) == 5
    assert sum("320 wide" in text for text in texts) == 1


@pytest.mark.parametrize(
    ("mode", "text", "skipped"),
    [("skip", "mine", 1), ("overwrite", "{}", 0), ("append", "mine\n{}", 0), ("prepend", "{}\nmine", 0)],
)
def test_text_files_beside_the_clips(here: Path, mode: str, text: str, skipped: int) -> None:
    (here / "clips" / "c2.txt").write_text("mine")
    done = vidprompter(here, "caption", "clips", "--format", "txt", "--on-exists", mode, "--json")
    summary = json.loads(done.stdout)
    assert summary["in"] == 6 == summary["done"] + summary["failed"] + summary["skipped"]
    assert summary["skipped_by_reason"] == ({"has a text file already": 1} if skipped else {})
    prompt = "A clip, 96 wide, variant 0, seed 0."  # `mine` is no description then
    assert (here / "clips" / "c2.txt").read_text().rstrip() == text.format(prompt)
    assert (here / "clips" / "sub" / "d.txt").read_text().rstrip() == "A clip, 64 wide, variant 0, seed 0."
    again = json.loads(
        vidprompter(here, "caption", "clips", "--format", "txt", "--on-exists", mode, "--json").stdout
    )
    assert again["done"] == 0
    assert again["skipped"] == 5
    assert (here / "clips" / "c2.txt").read_text().rstrip() == text.format(prompt)


def test_windows_are_rows_and_are_not_searched_for_again(here: Path) -> None:
    done = vidprompter(here, "caption", "clips", "--every", "2", "--out", "o.jsonl", "--json")
    summary = json.loads(done.stdout)
    assert (summary["in"], summary["done"], summary["failed"]) == (14, 13, 1)
    rows = rows_of(here / "o.jsonl")
    spans = sorted((row["start"], row["end"]) for row in rows if row["path"].endswith("c0.mp4"))
    assert spans == [(0.0, 2.0), (2.0, 4.0), (4.0, 5.0)]
    assert len({json.dumps([row["path"], row["start"]]) for row in rows}) == 14
    before = (here / "o.jsonl").read_bytes()
    again = json.loads(
        vidprompter(here, "caption", "clips", "--every", "2", "--out", "o.jsonl", "--json").stdout
    )
    assert (again["in"], again["done"], again["skipped"]) == (14, 0, 13)
    assert (here / "o.jsonl").read_bytes() == before
    write_video(here / "clips" / "c0.mp4", frames=64)
    third = json.loads(
        vidprompter(here, "caption", "clips", "--every", "2", "--out", "o.jsonl", "--json").stdout
    )
    assert (third["in"], third["done"], third["skipped"]) == (15, 4, 10)
    assert len(rows_of(here / "o.jsonl")) == 15


def test_pictures_stay_whole(here: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 48)).save(here / "still.png")
    done = vidprompter(here, "caption", "still.png", "--per-shot", "--json")
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["status"], row["start"], row["end"]) == ("done", None, None)


def test_shards_are_merged_into_a_run_that_is_done(here: Path) -> None:
    early = vidprompter(here, "merge", "o.jsonl")
    assert early.returncode == 2
    assert "no shards of 'o.jsonl'" in early.stderr
    for number in (0, 2):
        vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--shard", f"{number}/3")
    missing = vidprompter(here, "merge", "o.jsonl")
    assert missing.returncode == 2
    assert "there is no 1" in missing.stderr
    vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--shard", "1/3", "--limit", "6")
    merged = vidprompter(here, "merge", "o.jsonl", "--json")
    assert json.loads(merged.stdout) == {
        "out": "o.jsonl",
        "shards": 3,
        "duplicates": 0,
        "done": 5,
        "failed": 1,
    }
    assert len(by_name(rows_of(here / "o.jsonl"))) == 6
    summary = json.loads(vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--json").stdout)
    assert (summary["done"], summary["skipped"], summary["failed_earlier"]) == (0, 5, 1)
    taken = vidprompter(here, "merge", "o.jsonl")
    assert taken.returncode == 2
    assert "--fresh" in taken.stderr
    assert vidprompter(here, "merge", "o.jsonl", "--fresh").returncode == 0
    assert len(rows_of(here / "o.jsonl")) == 6


def test_clips_out_of_an_archive_and_a_parquet_list(here: Path) -> None:
    with tarfile.open(here / "shard.tar", "w") as tar:
        for name in ("c0.mp4", "c1.mp4"):
            tar.add(here / "clips" / name, arcname=name)
    table = pyarrow.table({"video": ["clips/c2.mp4", "clips/c2.mp4"], "start": [0.0, 1.0], "end": [1.0, 2.0]})
    pyarrow.parquet.write_table(table, here / "list.parquet")
    command = ["caption", "shard.tar", "list.parquet", "--column", "path=video", "--out", "o.jsonl"]
    done = vidprompter(here, *command)
    assert done.returncode == 0, done.stderr
    rows = sorted(rows_of(here / "o.jsonl"), key=lambda row: (row["path"], row["start"] or 0))
    assert [row["path"] for row in rows] == ["clips/c2.mp4"] * 2 + ["shard.tar/c0.mp4", "shard.tar/c1.mp4"]
    assert "80 wide" in rows[3]["prompt"]
    assert rows[1]["start"] == 1.0
    assert "skipped" in vidprompter(here, *command).stdout


def test_the_summary_adds_up(here: Path) -> None:
    vidprompter(here, "caption", "clips", "--out", "o.jsonl", "--limit", "3")
    vidprompter(here, "caption", "clips", "--out", "o.jsonl")
    summary = json.loads((here / "o.jsonl.summary.json").read_text())
    assert summary["outcome"] == "finished"
    assert summary["in"] == 6 == summary["done"] + summary["failed"] + summary["skipped"]
    assert summary["failed_by_reason"] == {"NotAVideoFile": 1}
    assert summary["skipped_by_reason"] == {"done by an earlier run": 2}
    assert summary["settings"]["model"] == "letters"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "parquet"], "needs --out FILE.parquet"),
        (["--format", "parquet", "--out", "o.jsonl"], "name it 'o.parquet'"),
        (["--on-exists", "append", "--out", "o.jsonl"], "is for --format txt"),
        (["--format", "txt", "--out", "clips/c0.mp4"], "is a file"),
        (["--out", "clips"], "is a folder"),
        (["--shard", "0/2"], "needs --out FILE"),
        (["--shard", "2/2", "--out", "o.jsonl"], "counts from 0"),
        (["--shard", "two", "--out", "o.jsonl"], "must be I/N"),
        (["--per-shot", "--every", "3"], "every"),
        (["--every", "0.1"], "every"),
        (["--column", "path"], "column"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(here: Path, arguments: list[str], says: str) -> None:
    done = vidprompter(here, "caption", "clips", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert says in line
    assert sorted(path.name for path in here.iterdir()) == ["clips"]
