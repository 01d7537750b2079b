"""Whatever stands in a file: every row comes out once, counts add up, and a second run does nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.caption.run import Talk
from batch.score.jobs import ScoreSettings
from batch.score.run import ScoreOptions, ScoreRun
from batch.score.tables import read_rows
from batch.score.views import scored_view
from tests.batch.score.conftest import rows_of, write_rows
from tests.batch.score.stub import make_stub

texts = (
    st.none() | st.text(max_size=30) | st.sampled_from(["a dog", "word " * 30, "hopeless", "\ud83d", "\0"])
)
paths = st.sampled_from(
    ["c0.mp4", "c1.mp4", "c2.mp4", "bad.mp4", "none.mp4", "../c0.mp4", "", None, 7, "c0.mp4/x", "\0"]
)
rows = st.fixed_dictionaries(
    {"path": paths, "prompt": texts},
    optional={"start": st.sampled_from([None, 0, 0.2, -1, "x"]), "mine": st.integers() | st.text(max_size=5)},
)
SUFFIXES = (".jsonl", ".csv", ".parquet")


def execute(folder: Path, suffix: str) -> dict[str, Any]:
    evaluator = make_stub(["clip", "builtin"])
    said: list[str] = []
    source = folder / "c.jsonl"
    out = folder / f"o{suffix}"
    options = ScoreOptions(source, folder, out, scored_view(out, source), as_json=True)
    answers: list[str] = []
    run = ScoreRun(ScoreSettings(evaluator.identities), options, evaluator, Talk(answers.append, said.append))
    run.execute(read_rows(source))
    told: dict[str, Any] = json.loads(answers[0])
    return told


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=12), st.sampled_from(SUFFIXES))
def test_every_row_comes_out_once(made_clips: Path, given_rows: list[dict[str, Any]], suffix: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for path in made_clips.iterdir():
            (folder / path.name).symlink_to(path)
        write_rows(folder / "c.jsonl", given_rows)
        told = execute(folder, suffix)
        assert told["in"] == told["done"] + told["failed"] == len(given_rows)
        again = execute(folder, suffix)
        assert (again["done"], again["skipped"], again["failed"]) == (0, told["done"], told["failed"])
        assert again["evaluators"] == told["evaluators"]
        found = (
            rows_of(folder / "o.jsonl")
            if suffix == ".jsonl"
            else [row for _, row, _ in read_rows(folder / f"o{suffix}")]
        )
        assert len(found) == len(given_rows)
        if suffix == ".jsonl":
            left = list(given_rows)
            for row in found:
                left.remove(
                    {
                        name: value
                        for name, value in row.items()
                        if name in ("path", "prompt", "start", "mine")
                    }
                )
            assert left == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_but_empty_rows(tmp_path: Path, suffix: str) -> None:
    write_rows(tmp_path / "c.jsonl", [{"path": "c.mp4", "prompt": None}] * 3)
    told = execute(tmp_path, suffix)
    assert (told["done"], told["failed"]) == (3, 0)
    assert told["evaluators"]["clip"] == {
        "scored": 0, "without_score": 3, "mean": None, "standard_deviation": None, "truncated": 0, "flagged": 3,
    }  # fmt: skip
