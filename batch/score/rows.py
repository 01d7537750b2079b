"""Rows with their scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from batch.caption.rows import error_field
from batch.score.fields import BeamColumns, BeamScore, ScoredColumns, flags_of, score_fields
from batch.score.flat import without_scores
from batch.score.jobs import ScoreJob, ScoreSettings
from scoring.ranking import rank
from vidprompter.errors import VidPrompterError
from vidprompter.scores import Scored, empty_score


def scored_row(job: ScoreJob, scored: Sequence[Scored], settings: ScoreSettings) -> dict[str, Any]:
    """The row with the scores of its text, and behind them those of its beams, in the order of both."""
    own, *beams = scored
    columns: ScoredColumns = {
        **score_fields(own),
        "score_flags": flags_of(own),
        "score_error": None,
        "evaluators": settings.told,
    }
    row = {**without_scores(job.row), **columns}
    if settings.beams:
        row |= _beam_columns(beams, settings.best_by)
    return row


def failed_row(job: ScoreJob, error: VidPrompterError, settings: ScoreSettings) -> dict[str, Any]:
    """The row of a text that could not be scored, with the reason."""
    columns: ScoredColumns = {
        "scores": dict.fromkeys(settings.names),
        "mean": None,
        "truncated": {},
        "score_flags": ["failed"],
        "score_error": error_field(error),
        "evaluators": settings.told,
    }
    row = {**without_scores(job.row), **columns}
    if settings.beams:
        row |= _beam_columns([], settings.best_by)
    return row


def empty_scored(settings: ScoreSettings, text: str = "") -> Scored:
    """What a row without a text gets: no number, and flags that say so."""
    return Scored(text, tuple(empty_score(name) for name in settings.names))


def known_row(job: ScoreJob, settings: ScoreSettings) -> dict[str, Any] | None:
    """The row with the scores that it has already, None where they are not from the same evaluators.

    Scores of evaluators that were not asked are left out.
    """
    row = job.row
    told = row.get("evaluators")
    if not settings.reuse or not isinstance(told, list) or row.get("score_error") or settings.beams:
        return None
    if not all(one in told for one in settings.told):
        return None
    scores, cut, flags = row.get("scores"), row.get("truncated"), row.get("score_flags")
    if not (isinstance(scores, dict) and isinstance(cut, dict) and isinstance(flags, list)):
        return None
    if not all(name in scores for name in settings.names):
        return None
    kept = {name: scores[name] for name in settings.names}
    same_range = len({(one.low, one.high) for one in settings.identities}) == 1
    has_all = all(value is not None for value in kept.values())
    columns: ScoredColumns = {
        "scores": kept,
        "mean": sum(kept.values()) / len(kept) if same_range and has_all else None,
        "truncated": {name: cut[name] for name in settings.names if cut.get(name)},
        "score_flags": [flag for flag in flags if flag.partition(":")[0] in kept],
        "score_error": None,
        "evaluators": settings.told,
    }
    return {**without_scores(row), **columns}


def row_text(row: dict[str, Any]) -> str:
    """The row as one line of JSON; numbers that are none ("NaN") stay as they came."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: a file name that is not UTF-8
        return json.dumps(row, ensure_ascii=True)
    return text


def _beam_columns(beams: Sequence[Scored], best_by: str) -> BeamColumns:
    told: list[BeamScore] = [{**score_fields(one), "flags": flags_of(one)} for one in beams]
    best = rank(beams, best_by)[0] if beams else None
    return {
        "beam_scores": told,
        "best_beam": best.index if best is not None and best.value is not None else None,
    }
