"""`eval captions`: a folder of several models' captions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.batch.score.conftest import Command, write_rows
from tests.batch.score.test_files import calls_of

TASKS = ("video_to_prompt", "video_and_short_to_prompt")


@pytest.fixture
def calls(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STUB_CALLS", str(here / "calls"))
    return here / "calls"


@pytest.fixture
def outputs(here: Path) -> Path:
    """Two models on five clips in tasks 1 and 2, and on three ideas; gamma has task 1 on three of the clips."""
    folder = here / "outputs"
    folder.mkdir()
    for name, off in (("alpha", 0), ("beta", 4)):
        rows: list[dict[str, Any]] = [
            {"path": f"c{n}.mp4", "task": task, "prompt": "x" * (16 * (n + 1) - off - n)}
            for n in range(5)
            for task in TASKS
        ]
        rows += [
            {"task": "short_to_prompt", "short": f"idea {n}", "prompt": "w " * (4 + n + off)}
            for n in range(3)
        ]
        write_rows(folder / f"{name}.jsonl", rows)
    gamma = [{"path": f"c{n}.mp4", "prompt": "x"} for n in range(3)] + [{"path": "none.mp4", "prompt": "x"}]
    (folder / "gamma.json").write_text(json.dumps(gamma))
    return folder


ASKED = (
    "--root",
    ".",
    "--evaluator",
    "clip",
    "--evaluator",
    "rubric",
    "--evaluator",
    "judge",
    "--judge",
    "m",
)


def test_the_table_of_a_folder(here: Path, outputs: Path, vidprompter: Command, calls: Path) -> None:
    done = vidprompter("eval", "captions", "outputs", *ASKED, "--out", "report", "--json")
    assert done.code == 1, done.err  # gamma names a clip that is not there
    told = json.loads(done.out)
    assert [one["model"] for one in told["models"]] == ["alpha", "beta", "gamma"]
    cells = {
        (one["model"], cell["task"], cell["evaluator"]): cell
        for one in told["models"]
        for cell in one["cells"]
    }
    assert sorted({key[1:] for key in cells}) == [
        (1, "clip"), (1, "rubric"), (2, "clip"), (2, "rubric"), (3, "judge"), (3, "rubric"),
    ]  # fmt: skip
    assert cells["alpha", 1, "clip"]["clips"] == 3  # those that gamma has too
    assert cells["alpha", 1, "clip"]["mean"] == pytest.approx(99.0)
    assert cells["beta", 2, "clip"]["mean"] == pytest.approx(94.0)
    assert cells["beta", 2, "clip"]["is_worse_than_best"] is True
    assert ("gamma", 2, "clip") not in cells
    assert told["models"][2]["failures"] == {"VideoNotFound": 1}
    assert any(
        "the 3 clips that all models have (alpha 5, beta 5, gamma 3)" in note for note in told["notes"]
    )
    assert sorted(path.name for path in (here / "report").iterdir()) == [
        "plot.png", "plot.svg", "scores", "table.csv", "table.json", "table.md",
    ]  # fmt: skip
    assert json.loads((here / "report" / "table.json").read_text()) == told
    before = calls_of(calls)
    assert (
        before.count(("c0.mp4", 5)) == 2
    )  # all models' captions of a clip at once, for each of two evaluators
    again = vidprompter("eval", "captions", "outputs", *ASKED, "--out", "report", "--json")
    assert json.loads(again.out) == told
    assert calls_of(calls) == before


def test_people_get_a_table_and_its_legend(outputs: Path, vidprompter: Command) -> None:
    done = vidprompter("eval", "captions", "outputs", "--root", ".")
    assert "alpha" in done.out
    assert "builtin" in done.out
    assert "rubric" in done.out
    assert "95 % interval" in done.out
    assert "gamma: 1 of 4 captions lack a score (1 VideoNotFound)" in done.out
    done = vidprompter("eval", "captions", "outputs", "--root", ".", "--evaluator", "clip")
    assert "alpha has captions of task 3, which nobody was asked to score" in done.err


def test_scores_that_are_there_are_used(here: Path, outputs: Path, vidprompter: Command, calls: Path) -> None:
    for name in ("alpha", "beta"):
        path = outputs / f"{name}.jsonl"
        write_rows(
            path, [row for line in path.read_text().splitlines() if "path" in (row := json.loads(line))]
        )
        vidprompter(
            "score", "--captions", str(path), "--root", ".", "--evaluator", "clip", "--evaluator", "builtin"
        )
    (outputs / "gamma.json").unlink()
    calls.unlink()
    done = vidprompter("eval", "captions", "outputs", "--root", ".", "--evaluator", "builtin", "--json")
    assert done.code == 0, done.err
    assert not calls.exists()
    assert "alpha.scored.jsonl is used in place of alpha.jsonl" in done.err
    assert [one["model"] for one in json.loads(done.out)["models"]] == ["alpha", "beta"]
    os.utime(outputs / "alpha.scored.jsonl", (1, 1))
    done = vidprompter("eval", "captions", "outputs", "--root", ".", "--evaluator", "builtin=", "--json")
    assert done.code == 2
    done = vidprompter("eval", "captions", "outputs", "--root", ".", "--evaluator", "clip=other", "--json")
    assert "alpha.jsonl is newer than alpha.scored.jsonl" in done.err
    assert calls.exists()  # another revision is another evaluator


@pytest.mark.parametrize(
    ("prepare", "arguments", "told"),
    [
        ({}, (), "holds no files of captions"),
        ({"a.jsonl": "", "a.csv": "prompt\nx\n"}, (), "would both be the model 'a'"),
        (
            {"a.jsonl": '{"path": "c0.mp4", "prompt": "x"}'},
            ("--out", "outs"),
            "is the folder of the captions",
        ),
        ({"a.jsonl": '{"path": "c0.mp4", "prompt": "x"}'}, ("--out", "c0.mp4"), "is a file; name a folder"),
        ({"a.jsonl": '{"path": "c0.mp4", "prompt": "x"}'}, ("--evaluator", "clop"), "did you mean 'clip'?"),
        ({"a.jsonl": '{"path": "no.mp4", "prompt": "x"}'}, (), "no caption in 'outs' has a score"),
        ({"a.jsonl": '{"path": "c0.mp4", "text": "x"}'}, (), "no column 'prompt'"),
    ],
)
def test_usage_errors(
    here: Path, vidprompter: Command, prepare: dict[str, str], arguments: tuple[str, ...], told: str
) -> None:
    (here / "outs").mkdir()
    for name, text in prepare.items():
        (here / "outs" / name).write_text(text)
    done = vidprompter("eval", "captions", "outs", "--root", ".", *(arguments or ("--evaluator", "clip")))
    assert done.code == 2, (done.out, done.err)
    assert told in done.err


def test_the_group_names_its_members(vidprompter: Command) -> None:
    done = vidprompter("eval", "--help")
    assert "captions" in done.out
    assert "judge" in done.out
    assert vidprompter("eval", "caption").code == 2
