"""Scored rows for tables: nested fields as columns of their own, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

NESTED = ("scores", "mean", "truncated", "score_flags", "score_error", "evaluators")
BEAM = ("beam_scores", "best_beam")
RANK = ("rank", "rank_value", "margin")
ADDED = frozenset((*NESTED, *BEAM, *RANK))
"""All that scoring or ranking adds to a row of JSON."""
_JSON = ("evaluators", "beam_scores", "score_error")


def flat_name(prefix: str, evaluator: str) -> str:
    """The column of an evaluator's number: `score_long_clip`."""
    return f"{prefix}_{evaluator.replace('-', '_')}"


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row for CSV and Parquet: `score_clip`, `truncated_clip` ...; lists of objects are JSON."""
    found = {name: value for name, value in row.items() if name not in ("scores", "truncated", *_JSON)}
    scores = row.get("scores") or {}
    found |= {flat_name("score", name): value for name, value in scores.items()}
    truncated = row.get("truncated") or {}
    found |= {flat_name("truncated", name): truncated.get(name, 0) for name in scores}
    if "score_flags" in found:
        found["score_flags"] = " ".join(found["score_flags"])
    for name in _JSON:
        if name in row:
            value = row[name]
            found[name] = None if value is None else json.dumps(value, ensure_ascii=False)
    return found


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """The row as JSON has it, where `flat` made it; any other row as it is.

    CSV gives texts: numbers among the added columns are made numbers again.
    """
    told = row.get("evaluators")
    if not isinstance(told, str):
        return row
    try:
        evaluators = json.loads(told)
        names = [one["name"] for one in evaluators]
    except (ValueError, TypeError, KeyError):
        return row
    found = dict(row)
    scores = {name: _number(found.pop(flat_name("score", name), None)) for name in names}
    cut = {name: _number(found.pop(flat_name("truncated", name), None)) for name in names}
    found["scores"], found["truncated"] = scores, {name: int(n) for name, n in cut.items() if n}
    found["evaluators"] = evaluators
    found["score_flags"] = (found.get("score_flags") or "").split()
    for name in ("beam_scores", "score_error"):
        if isinstance(found.get(name), str):
            found[name] = json.loads(found[name]) if found[name] else None
    for name in ("mean", "rank_value", "margin"):
        if name in found:
            found[name] = _number(found[name])
    return found


def without_scores(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as it was before anything was added; of rows that scoring never saw, all."""
    if not isinstance(row.get("evaluators"), list):
        return dict(row)
    ours = ADDED if "rank_value" in row else ADDED - set(RANK)  # `rank` may be a column of somebody's own
    return {name: value for name, value in row.items() if name not in ours}


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
