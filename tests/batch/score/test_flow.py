"""Rows of one clip are found together, and every row comes out once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import batch.score.flow as flow
from batch.inputs.entry import ClipEntry
from batch.score.asking import Asking
from batch.score.flow import batches
from batch.score.jobs import Places, ScoreJob, ScoreSettings, beam_rows, candidate_of, digest_of, job_of
from batch.score.rows import known_row, scored_row
from vidprompter.errors import InputError, ModelError, OutOfMemory, VideoNotFound, VidPrompterError
from vidprompter.scores import EvaluatorIdentity, Outcome, Score, Scored
from vidprompter.tasks import Request, Task

SEES = EvaluatorIdentity("clip", -100.0, 100.0, "m", "1", settings={"frames": (8, 8)})
READS = EvaluatorIdentity("rubric", 0.0, 10.0, needs_video=False)


def job(clip: int | None, number: int) -> ScoreJob:
    entry = None if clip is None else ClipEntry(f"c{clip}", "", listed=True)
    return ScoreJob({"number": number}, entry)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.integers(0, 9), max_size=120), st.integers(1, 40), st.integers(1, 8))
def test_batches_hold_every_row_once_and_clips_together(
    clips: list[int | None], window: int, size: int
) -> None:
    before = flow.WINDOW_ROWS
    flow.WINDOW_ROWS = window
    try:
        jobs = [job(clip, number) for number, clip in enumerate(clips)]
        found = list(batches(iter(jobs), 1, size))
    finally:
        flow.WINDOW_ROWS = before
    assert sorted(one.row["number"] for batch in found for group in batch for one in group) == list(
        range(len(clips))
    )
    assert all(1 <= len(batch) <= size for batch in found)
    for batch in found:
        for group in batch:
            assert len({one.entry for one in group}) == 1
            assert group[0].entry is not None or len(group) == 1
            assert [one.row["number"] for one in group] == sorted(one.row["number"] for one in group)
    if window >= len(clips):
        firsts = [group[0].entry.path for batch in found for group in batch if group[0].entry is not None]
        assert len(firsts) == len(set(firsts))


def test_rows_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield job(taken, taken)

    stream = batches(endless())
    for _ in range(5):
        next(stream)
    assert taken <= flow.WINDOW_ROWS + 5 * flow.BATCH_CLIPS


# --- jobs ---------------------------------------------------------------------------------------------------


def places(**more: Any) -> Places:
    from pathlib import Path

    return Places("'c.jsonl'", Path("clips"), ScoreSettings((SEES,), **more))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "x"}, "has no 'path'; clip cannot judge"),
        ({"prompt": "x", "path": 3}, "'path' is 3"),
        ({"prompt": 3, "path": "a"}, "'prompt' is 3"),
        ({"prompt": "x", "path": "../a"}, "leaves the folder"),
        ({"prompt": "x", "path": "a/../../b"}, "leaves the folder"),
        ({"prompt": "x", "path": "a", "start": 2, "end": 1}, "end 1 is not after start 2"),
        ({"prompt": "x", "path": "a", "start": "now"}, "'start' is 'now'"),
    ],
)
def test_what_is_wrong_with_a_row_is_its_problem(row: dict[str, Any], told: str) -> None:
    problem = places().job(7, row).problem
    assert isinstance(problem, InputError)
    assert told in str(problem)
    assert "'c.jsonl' row 7" in str(problem)


def test_jobs_survive_the_ledger() -> None:
    for row in ({"prompt": "ü\udcff", "path": "a", "start": 1}, {"prompt": "x", "path": "../a"}):
        made = places().job(1, row)
        back = job_of(made.to_json(), "k")
        assert made.to_json().isascii()
        assert (back.row, back.entry, back.key) == (made.row, made.entry, "k")
        assert str(back.problem) == str(made.problem)


def test_a_column_of_somebody_elses_is_not_written_over() -> None:
    with pytest.raises(InputError, match="column 'mean', where scores would go"):
        places().job(1, {"prompt": "x", "path": "a", "mean": 3})
    assert places().job(1, {"prompt": "x", "path": "a", "mean": 3, "evaluators": []}).problem is None


def test_keys_change_with_evaluators_texts_and_nothing_else() -> None:
    row = {"prompt": "x", "path": "a"}
    settings_ = ScoreSettings((SEES,))
    name = candidate_of(places().job(1, row), settings_).name
    assert candidate_of(places().job(9, dict(reversed(row.items()))), settings_).name == name
    scored = {**row, "scores": {}, "mean": 1.0, "evaluators": []}
    assert digest_of(scored) == digest_of(row)
    assert candidate_of(places().job(1, {**row, "prompt": "y"}), settings_).name != name
    other = EvaluatorIdentity("clip", -100.0, 100.0, "m", "2")
    assert candidate_of(places().job(1, row), ScoreSettings((other,))).name != name


# --- scores that are there already --------------------------------------------------------------------------


def scored(identity: EvaluatorIdentity = SEES, **more: Any) -> dict[str, Any]:
    return {
        "prompt": "x",
        "path": "a",
        "scores": {identity.name: 3.0, "rubric": 2.0},
        "mean": None,
        "truncated": {identity.name: 4},
        "score_flags": [f"{identity.name}:truncated", "rubric:weak"],
        "score_error": None,
        "evaluators": ScoreSettings((identity, READS)).told,
        **more,
    }


def test_scores_of_the_same_evaluators_are_used_again() -> None:
    known = known_row(ScoreJob(scored(), None), ScoreSettings((SEES,), reuse=True))
    assert known is not None
    assert known["scores"] == {"clip": 3.0}
    assert known["mean"] == 3.0
    assert known["truncated"] == {"clip": 4}
    assert known["score_flags"] == ["clip:truncated"]
    assert known["evaluators"] == ScoreSettings((SEES,)).told


@pytest.mark.parametrize(
    "row",
    [
        scored(EvaluatorIdentity("clip", -100.0, 100.0, "m", "2")),
        scored(score_error={"type": "CorruptVideo", "message": ""}),
        scored(scores={"rubric": 1.0}),
        scored(scores="broken"),
        {"prompt": "x", "path": "a"},
    ],
)
def test_scores_of_others_are_not(row: dict[str, Any]) -> None:
    assert known_row(ScoreJob(row, None), ScoreSettings((SEES,), reuse=True)) is None
    assert known_row(ScoreJob(scored(), None), ScoreSettings((SEES,))) is None


# --- beams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["lines", "csv", "parquet"])
def test_beams_of_all_forms_become_rows(form: str) -> None:
    beams = '[{"text": "one", "logprob": -1.0}, {"text": "two", "logprob": -2.0}]'
    row: dict[str, Any] = {"prompt": "one", "path": "a"}
    if form == "lines":
        row["beams"] = [{"text": "one", "logprob": -1.0}, {"text": "two", "logprob": -2.0}]
    elif form == "csv":
        row["beams"] = beams
    else:
        row["more"] = f'{{"beams": {beams}}}'
    found = list(beam_rows(row, ScoreSettings((SEES,))))
    assert [(one["prompt"], one["beam"], one["logprob"]) for one in found] == [
        ("one", 0, -1.0),
        ("two", 1, -2.0),
    ]
    assert all("beams" not in one for one in found)


def test_rows_without_beams_stay_and_broken_ones_are_named() -> None:
    settings_ = ScoreSettings((SEES,), beams=True)
    assert list(beam_rows({"prompt": "x", "beams": ""}, settings_)) == [{"prompt": "x", "beams": ""}]
    problem = places(beams=True).job(1, {"prompt": "x", "path": "a", "beams": [3]}).problem
    assert "'beams' holds no list" in str(problem)


# --- evaluators that break ----------------------------------------------------------------------------------


class Breaking:
    """Raises `error` where more than `most` requests come at once, or one asks about the text "bad"."""

    identities = (READS,)

    def __init__(self, error: Exception, most: int = 1000) -> None:
        self.error = error
        self.most = most
        self.calls: list[int] = []

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        self.calls.append(len(requests))
        if len(requests) > self.most or any("bad" in texts for texts in candidates):
            raise self.error
        return [[Scored(text, (Score("rubric", 1.0),)) for text in texts] for texts in candidates]

    def close(self) -> None: ...


def ask(evaluator: Breaking, texts: list[str]) -> tuple[list[Outcome], list[str]]:
    said: list[str] = []
    requests = [Request(Task.SHORT_TO_PROMPT, short="a")] * len(texts)
    return Asking(evaluator, said.append).score(requests, [[text] for text in texts]), said


def test_out_of_memory_halves_the_batch() -> None:
    evaluator = Breaking(OutOfMemory("full"), most=3)
    outcomes, said = ask(evaluator, ["a"] * 10)
    assert len(outcomes) == 10
    assert not any(isinstance(one, VidPrompterError) for one in outcomes)
    assert evaluator.calls == [10, 5, 2, 2, 2, 2, 2]
    assert said == [
        "out of memory with 10 clips at once; going on with 5",
        "out of memory with 5 clips at once; going on with 2",
    ]


def test_a_fault_costs_its_own_clip() -> None:
    outcomes, _ = ask(Breaking(RuntimeError("oh")), ["a", "bad", "b"])
    assert [isinstance(one, VidPrompterError) for one in outcomes] == [False, True, False]
    assert "RuntimeError: oh" in str(outcomes[1])
    outcomes, _ = ask(Breaking(VideoNotFound("gone")), ["bad"])
    assert isinstance(outcomes[0], VideoNotFound)


def test_a_broken_evaluator_ends_the_run() -> None:
    with pytest.raises(ModelError, match="on the first 16 clips alike"):
        ask(Breaking(RuntimeError("oh")), ["bad"] * 20)
    for error in (ModelError("damaged"), InputError("wrong")):
        with pytest.raises(type(error)):
            ask(Breaking(error), ["bad"])


def test_an_evaluator_that_miscounts_ends_the_run() -> None:
    class Short(Breaking):
        def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
            return [[] for _ in requests]

    with pytest.raises(VidPrompterError, match="0 scores for 1 texts"):
        ask(Short(RuntimeError()), ["a"])


def test_a_number_that_is_none_is_said_and_not_written() -> None:
    scored_ = Scored("x", (Score("clip", float("nan")),), float("nan"))
    row = scored_row(ScoreJob({"prompt": "x"}, None), [scored_], ScoreSettings((SEES,)))
    assert (row["scores"], row["mean"], row["score_flags"]) == ({"clip": None}, None, ["clip:not_finite"])
