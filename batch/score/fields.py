"""What is written about the scores of one text, in `--json` and in rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, TypedDict

from batch.caption.rows import ErrorField
from vidprompter.scores import EvaluatorIdentity, Score, Scored

NOT_FINITE = "not_finite"


class ScoreFields(TypedDict):
    """The part that all forms share; see docs/output_fields.md."""

    scores: dict[str, float | None]
    mean: float | None
    truncated: dict[str, int]


class ScoreAnswer(ScoreFields):
    """One caption of `score --json`."""

    caption: str
    flags: list[str]
    details: dict[str, Any]
    clip: str | None
    start: float | None
    end: float | None
    evaluators: list[dict[str, Any]]


class RankAnswer(ScoreAnswer):
    """One caption of `rank --json`. index: its place in what was given, from 0."""

    rank: int
    index: int
    value: float | None
    margin: float | None


class ScoredColumns(ScoreFields):
    """What `score --captions` adds to a row."""

    score_flags: list[str]
    score_error: ErrorField | None
    evaluators: list[dict[str, Any]]


class BeamScore(ScoreFields):
    """One of a row's `beam_scores`."""

    flags: list[str]


class BeamColumns(TypedDict):
    """What `score --captions --beams` adds to a row with beams."""

    beam_scores: list[BeamScore]
    best_beam: int | None


class RankColumns(TypedDict):
    """What `rank --captions` adds to a row besides its scores. beam: which beam of its row; only with --beams."""

    rank: int | None
    rank_value: float | None
    margin: float | None


def score_fields(scored: Scored) -> ScoreFields:
    """Numbers, their mean, and what was not read."""
    return {
        "scores": {one.evaluator: plain(one.value) for one in scored.scores},
        "mean": plain(scored.mean),
        "truncated": {name: int(cut) for name, cut in scored.truncated.items()},
    }


def flags_of(scored: Scored) -> list[str]:
    """All flags as "evaluator:flag", in the evaluators' order."""
    return [f"{one.evaluator}:{flag}" for one in scored.scores for flag in (*one.flags, *_not_finite(one))]


def _not_finite(score: Score) -> tuple[str, ...]:
    """A flag where the number is none ("NaN"), which JSON cannot say."""
    return (NOT_FINITE,) if score.value is not None and not math.isfinite(score.value) else ()


def details_of(scored: Scored) -> dict[str, Any]:
    """Evaluator -> why its number is what it is; without those that say nothing."""
    return {one.evaluator: plain(one.details) for one in scored.scores if one.details}


def identities_json(identities: Sequence[EvaluatorIdentity]) -> list[dict[str, Any]]:
    """Who scored, as rows say it: plain values that JSON gives back as they are."""
    return [plain(one.to_json()) for one in identities]


def plain(value: Any) -> Any:
    """`value` with nothing in it but what JSON knows: numbers of numpy are Python's, and what is no number is None."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(one) for one in ordered]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    item = getattr(value, "item", None)  # numpy's scalars; arrays of one number too
    if callable(item):
        return plain(item())
    return str(value)
