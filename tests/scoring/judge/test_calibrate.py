"""The calibration: our own items, what it makes of marks, and its command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batch.cli import run
from scoring.judge.calibrate import Item, calibrate, calibration_items, spearman
from scoring.judge.evaluator import JudgeEvaluator
from scoring.names import EvaluatorOptions
from scoring.rubric import RubricEvaluator
from tests.scoring.judge.scripted import ScriptedJudge
from vidprompter.errors import InputError, ModelError


def test_the_items_cover_all_factors_from_very_bad_to_very_good() -> None:
    items = calibration_items()
    assert len(items) >= 24
    assert len({item.text for item in items}) == len(items)
    faults = " ".join(item.fault for item in items)
    for factor in (
        "sentences",
        "subject",
        "background",
        "camera",
        "style",
        "natural",
        "frame by frame",
        "repetition",
    ):
        assert factor in faults
    assert "length" in faults
    assert min(item.high for item in items) <= 1
    assert max(item.low for item in items) >= 9
    assert all(item.why for item in items)


def test_the_rubric_marks_them_much_as_agreed() -> None:
    found = calibrate(RubricEvaluator())
    assert found.parsed == 1
    assert found.inside >= 0.75
    assert found.correlation is not None
    assert found.correlation >= 0.75
    assert found.bias is not None
    assert abs(found.bias) < 1
    json.dumps(found.to_json())


def test_a_judge_is_measured() -> None:
    items = [
        Item("a", 0, 2, "", ""),
        Item("b", 4, 6, "", ""),
        Item("c", 8, 10, "", ""),
        Item("d", 0, 1, "", ""),
    ]
    answers = {"a": "Score: 1", "b": "Score: 8", "c": "Score: 9", "d": "?"}
    with ScriptedJudge(lambda text, body: answers[text]) as server:
        found = calibrate(JudgeEvaluator(EvaluatorOptions(judge=server.name, repeats=2)), items)
    assert (found.parsed, found.inside) == (0.75, 0.5)
    assert found.correlation == pytest.approx(1)
    assert found.bias == pytest.approx((0 + 3 + 0) / 3)
    assert [one.off for one in found.marked] == [0, 2, 0, 0]
    assert found.agreement is not None
    assert found.agreement.difference == 0
    assert found.marked[3].reason == "it holds no score"


def test_spearman() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # With ties, by hand: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    assert spearman([1, 2, 2, 5], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert spearman([1, 1], [1, 2]) is None
    assert spearman([1], [1]) is None


def test_a_server_that_lets_nobody_in_is_no_calibration() -> None:
    with ScriptedJudge(lambda text, body: 401) as server, pytest.raises(ModelError):
        calibrate(JudgeEvaluator(EvaluatorOptions(judge=server.name)))


def test_items_of_ones_own_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text('{"text": "a", "low": 1, "high": 2}\n\n')
    assert calibration_items(file) == [Item("a", 1, 2, "", "")]
    for bad in ('{"text": "a"}', '{"text": "a", "low": 3, "high": 2}', "[]", "\n"):
        file.write_text(bad)
        with pytest.raises(InputError, match="calibration file"):
            calibration_items(file)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text(
        '{"text": "a", "low": 1, "high": 2, "fault": "short"}\n{"text": "b", "low": 8, "high": 10}\n'
    )
    with ScriptedJudge(lambda text, body: f"Score: {2 if text == 'a' else 7}") as server:
        asked = ["eval", "judge", "--judge", server.name, "--repeats", "2", "--items", str(items)]
        assert run(asked) == 0
        shown = capsys.readouterr().out
        assert run([*asked, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
    assert "50% in the agreed band" in shown
    assert "-1.0" in shown
    assert (found["parsed"], found["inside_band"], found["agreement"]["answers"]) == (1.0, 0.5, 4)
    assert found["marks"][1]["value"] == 7
    assert run(["eval", "judge", "--rubric", "--judge", "m"]) == 2
    assert "name one of them" in capsys.readouterr().err
