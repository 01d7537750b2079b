"""Bootstrap against a known distribution; models compared on the clips that they share."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.score.bootstrap import interval, resampled_means
from batch.score.compare import Column, Comparison, EvalCell, Model, compare, task_of_row
from batch.score.eval_tables import cell_text, csv_text, cut_text, markdown, screen_table
from batch.score.plot import draw, plot
from batch.score.report import Figures
from vidprompter.scores import EvaluatorIdentity

CLIP, JUDGE = (
    EvaluatorIdentity("clip", -100.0, 100.0),
    EvaluatorIdentity("judge", 0.0, 10.0, needs_video=False),
)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(50.0, 10.0, size=(400, 1))
    low, high = interval(resampled_means(values, resamples=10_000, seed=3)[:, 0])
    half = 1.959964 * values.std(ddof=1) / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.06)
    assert high == pytest.approx(values.mean() + half, abs=0.06)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(300):
        sample = rng.exponential(2.0, size=(60, 1))  # skewed, mean 2
        low, high = interval(resampled_means(sample, resamples=1000, seed=trial)[:, 0])
        held += low <= 2.0 <= high
    assert 0.89 <= held / 300 <= 0.98  # 95 % less what the percentile interval lacks with so few


def test_draws_are_paired_seeded_and_independent_of_their_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(50, 1))
    both = np.hstack([values, values + 3.0])
    means = resampled_means(both, resamples=500, seed=1)
    assert np.allclose(means[:, 1] - means[:, 0], 3.0)  # the same clips for both
    assert np.array_equal(means, resampled_means(both, resamples=500, seed=1))
    assert not np.array_equal(means, resampled_means(both, resamples=500, seed=2))
    import batch.score.bootstrap as bootstrap

    monkeypatch.setattr(bootstrap, "_DRAWS_AT_ONCE", 700)
    assert np.allclose(means, resampled_means(both, resamples=500, seed=1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.floats(-1e3, 1e3), max_size=40))
def test_figures_agree_with_numpy(values: list[float | None]) -> None:
    figures = Figures()
    for value in values:
        figures.add(value, truncated=False, flagged=value is None)
    there = [value for value in values if value is not None]
    told = figures.to_json()
    assert (told["scored"], told["without_score"]) == (len(there), len(values) - len(there))
    assert told["mean"] == (pytest.approx(np.mean(there), abs=1e-6) if there else None)
    assert told["standard_deviation"] == (
        pytest.approx(np.std(there, ddof=1), rel=1e-6, abs=1e-6) if len(there) > 1 else None
    )


def scored(value: float | None, name: str = "clip", cut: int = 0, error: str | None = None) -> dict[str, Any]:
    return {
        "scores": {name: value},
        "truncated": {name: cut} if cut else {},
        "score_flags": [] if value is not None else ["failed" if error else f"{name}:empty"],
        "score_error": {"type": error, "message": ""} if error else None,
    }


def model(name: str, values: dict[str, float | None], task: int = 1, **more: Any) -> Model:
    made = Model(name)
    for clip, value in values.items():
        made.add(scored(value, **more), clip, task, ["clip"])
    return made


def compared(*models: Model) -> Comparison:
    return compare(models, [CLIP, JUDGE], resamples=2000, seed=0)


def cell(comparison: Comparison, name: str, task: int = 1) -> EvalCell:
    return comparison.cells[name, Column(task, "clip")]


CLIPS = [f"c{n}" for n in range(40)]


def test_a_small_constant_difference_is_seen_through_the_spread_of_clips() -> None:
    spread = dict(zip(CLIPS, np.random.default_rng(2).normal(25.0, 5.0, 40).tolist(), strict=True))
    noise = np.random.default_rng(3).normal(0.0, 5.0, 40)
    a = model("a", spread)
    b = model("b", {clip: value - 0.5 for clip, value in spread.items()})
    c = model(
        "c", {clip: value + shift - 0.4 for (clip, value), shift in zip(spread.items(), noise, strict=True)}
    )
    found = compared(a, b, c)
    assert cell(found, "a")["is_best"]
    assert cell(found, "b")["is_worse_than_best"] is True
    assert cell(found, "b")["behind_best"] == pytest.approx(0.5)
    assert cell(found, "c")["is_worse_than_best"] is False
    assert cell(found, "a")["is_worse_than_best"] is None
    low, mean, high = (cell(found, "a")[name] for name in ("low", "mean", "high"))  # type: ignore[literal-required]
    assert low < mean < high
    assert cell_text(found, found.models[1], found.columns[0]).split()[0].endswith("*")
    assert found.notes == ()


def test_several_captions_of_a_clip_count_as_one_clip() -> None:
    made = model("a", {"c1": 10.0, "c2": 20.0})
    made.add(scored(40.0), "c2", 1, ["clip"])
    found = cell(compared(made), "a")
    assert (found["mean"], found["clips"], found["captions"]) == (20.0, 2, 3)
    assert not found["is_best"]  # there is nobody else


def test_models_are_compared_on_shared_clips_and_it_is_said() -> None:
    a = model("a", dict.fromkeys(CLIPS, 10.0) | {"only": 99.0})
    b = model("b", dict.fromkeys(CLIPS[:30], 11.0) | {CLIPS[30]: None})
    found = compared(a, b)
    assert (cell(found, "a")["mean"], cell(found, "a")["clips"]) == (10.0, 30)
    assert cell(found, "a")["is_worse_than_best"] is True
    assert found.notes == (
        "task 1: the numbers are of the 30 clips that all models have (a 41, b 30)",
        "b: 1 of 31 captions lack a score (1 empty)",
    )


def test_models_without_a_common_clip_are_not_compared() -> None:
    found = compared(model("a", {"c1": 1.0, "c2": 2.0}), model("b", {"c3": 9.0}))
    assert "share no clips (a 2, b 1)" in found.notes[0]
    for name in "ab":
        assert cell(found, name)["is_best"] is False
        assert cell(found, name)["is_worse_than_best"] is None
    assert cell(found, "b")["low"] is None  # one clip has no interval


def test_missing_cells_and_other_tasks() -> None:
    a = model("a|b", dict.fromkeys(CLIPS, 10.0), cut=3)
    b = model("b", dict.fromkeys(CLIPS, 9.0), task=2)
    b.add(scored(7.5, "judge"), "an idea", 3, ["judge"])
    b.add(scored(None, "judge", error="NoAnswer"), "other", 3, ["judge"])
    found = compared(a, b)
    assert found.columns == (Column(1, "clip"), Column(2, "clip"), Column(3, "judge"))
    assert [cell_text(found, a, column) for column in found.columns] == ["10.0 [10.0, 10.0]", "-", "-"]
    assert cut_text(found, a) == "clip 100 %"
    assert cut_text(found, b) == "-"
    page = markdown(found)
    assert "| a\\|b | 40 |" in page
    assert "1 short prompts are few" in page
    assert "b: 1 of 42 captions lack a score (1 NoAnswer)" in page
    lines = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert lines[1]["task3_judge_mean"] == "7.5"
    assert lines[0]["task3_judge_mean"] == ""
    assert lines[0]["task1_clip_truncated_share"] == "1.0"
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [len(one["cells"]) for one in told["models"]] == [1, 2]
    assert set(told["models"][0]["cells"][0]) == {"task", "evaluator", *EvalCell.__annotations__}
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=120).print(screen_table(found))
    assert "task 3" in out.getvalue()


def test_the_plot_is_drawn_without_a_screen_and_the_same_twice(tmp_path: Path) -> None:
    a = model(
        "a model of a very long name that nobody could ever print beside a panel", dict.fromkeys(CLIPS, 1.0)
    )
    b = model("日本語 $x_1$ <&>", {clip: float(n) for n, clip in enumerate(CLIPS)}, task=2)
    found = compared(a, b)
    (tmp_path / "x").mkdir()
    paths = [*plot(found, tmp_path), *plot(found, tmp_path / "x")]
    assert [path.name for path in paths] == ["plot.png", "plot.svg"] * 2
    assert paths[0].read_bytes()[:4] == b"\x89PNG"
    assert paths[1].read_bytes() == paths[3].read_bytes()
    figure = draw(found)
    words = [
        text.get_text() for part in figure.subfigs for axes in part.axes for text in axes.get_yticklabels()
    ]
    assert "a model of a very long name t..." in words


@pytest.mark.parametrize(
    ("row", "task"),
    [
        ({"task": "video_and_short_to_prompt", "path": "a"}, 2),
        ({"path": "a"}, 1),
        ({"path": "a", "short": "x"}, 2),
        ({"path": "", "short": "x"}, 3),
        ({"task": "other", "short": "x"}, 3),
    ],
)
def test_the_task_of_a_row(row: dict[str, Any], task: int) -> None:
    assert task_of_row(row, "path") == task
