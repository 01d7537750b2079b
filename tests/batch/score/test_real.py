"""The commands with real evaluators: tiny CLIP-like checkpoints in their published layouts, the rubric, the built-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batch.cli import run
from tests.batch.score.conftest import rows_of, write_rows
from tests.models.clip.tiny import write_clip, write_long_clip, write_videoclip_xl


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that ask for all three."""
    folder = tmp_path_factory.mktemp("checkpoints")
    places = {
        "clip": write_clip(folder / "clip"),
        "long-clip": write_long_clip(folder / "longclip-L.pt"),
        "videoclip-xl": write_videoclip_xl(folder / "VideoCLIP-XL.bin"),
    }
    asked = [f"--evaluator={name}={place}" for name, place in places.items()]
    return [*asked, "--backend", "torch", "--workers", "1"]


def test_three_checkpoints_on_a_file_and_its_ranking(
    here: Path, checkpoints: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    long = "a long sentence of several words " * 20
    rows = [
        {"path": f"c{n % 3}.mp4", "prompt": text}
        for n, text in enumerate(["a dog", "🎬 日本語", long, "a cat"])
    ]
    write_rows(here / "c.jsonl", [*rows, {"path": "bad.mp4", "prompt": "x"}])
    asked = [*checkpoints, "--cache", "features"]
    assert run(["score", "--captions", "c.jsonl", *asked, "--out", "s.jsonl"]) == 1
    found = {(row["path"], row["prompt"]): row for row in rows_of(here / "s.jsonl")}
    assert len(found) == 5
    for row in found.values():
        if row["path"] == "bad.mp4":
            assert row["score_error"]["type"] == "NotAVideoFile"
            continue
        scores = row["scores"]
        assert list(scores) == ["clip", "long-clip", "videoclip-xl"]
        assert all(-100.0 <= value <= 100.0 for value in scores.values())
        assert row["mean"] == pytest.approx(sum(scores.values()) / 3)
    assert set(found["c2.mp4", long]["truncated"]) == {"clip"}
    capsys.readouterr()
    # one by one they get the same numbers
    assert run(["score", "c0.mp4", "a dog", "a cat", *asked, "--json"]) == 0
    for answer in json.loads(capsys.readouterr().out):
        assert answer["scores"] == pytest.approx(found["c0.mp4", answer["caption"]]["scores"], abs=0.02)
    assert run(["rank", "--captions", "s.jsonl", *asked, "--out", "r.jsonl"]) == 1
    ranked = [row for row in rows_of(here / "r.jsonl") if row["path"] == "c0.mp4"]
    assert [row["rank"] for row in ranked] == [1, 2]
    assert ranked[0]["mean"] >= ranked[1]["mean"]


def test_missing_weights_are_named_with_what_fetches_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", "c0.mp4", "a dog", "--evaluator", "paper"]) == 1
    told = capsys.readouterr()
    assert "vidprompter models pull" in told.err
    assert told.out == ""
    assert run(["score", "c0.mp4", "a dog", "--evaluator", "judge"]) == 2
    assert "--judge MODEL" in capsys.readouterr().err


def test_the_rubric_explains_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = "A dog runs along a sandy beach at sunset. It carries a red ball. The camera follows it from the side."
    assert run(["score", "--no-clip", good, "Ein Hund läuft am Strand entlang.", "--explain"]) == 1
    told = capsys.readouterr().out
    assert "caption 1" in told
    assert "factor" in told
    assert "- (language)" in told


@pytest.mark.weights
def test_the_built_in_evaluator_explains_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "c5.mp4", "A grey wall.", "Three red dogs on a green beach.", "--explain"]) == 0
    told = capsys.readouterr().out
    assert "0 to 100" in told
    assert "verdict" in told
    assert run(["score", "c5.mp4", "A grey wall.", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert 0.0 <= answer["scores"]["builtin"] <= 100.0
    assert "builtin" in answer["details"]
