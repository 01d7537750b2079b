"""A judge's answer as a number, or the reason why it holds none. A doubtful number is none: it can be asked for again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scoring.judge.cleaning import json_objects, plain, without_quotation, without_thoughts
from scoring.judge.context import between_markers, closes, stands_alone
from scoring.judge.labels import Found, Rank, found_in
from scoring.judge.values import HIGH, LOW, value_at

MAX_LETTERS = 20_000
"""Of a longer answer the end is read."""
_MANY = 3  # marks, even if they are alike: those of factors
_OVERALL_KEYS = ("overallscore", "finalscore", "totalscore", "overallrating", "overall", "final", "total")
_SCORE_KEYS = ("score", "rating", "mark", "grade")
_FACTOR_KEYS = ("factor", "criterion", "aspect", "category", "dimension")
_MAX_KEYS = ("maxscore", "max", "maximum", "outof", "maxpoints")
_EVIDENCE_KEYS = (
    "evaluationevidence",
    "evidence",
    "explanation",
    "reason",
    "reasoning",
    "rationale",
    "justification",
)
_WRAPPING_KEYS = (
    "evaluation",
    "result",
    "output",
    "answer",
    "response",
    "assessment",
    "judgment",
    "judgement",
)
_EVIDENCE = re.compile(r"^[\s>#*_]*(?:evaluation\s+)?evidence[\s*_]*:[\s*_]*", re.I)
# "Score: 5. On reflection, Score: 6": a mark that is taken back.
_TAKEN_BACK = re.compile(
    r"\b(?:on reflection|actually|reconsider\w*|instead|correct(?:ion|ed)|revis\w+|chang\w+|wait|i mean|hmm|"
    r"adjust\w*|updat\w+|second thoughts?|sorry|scratch that|(?<!would )make (?:it|that)|then|lower\w*|rais\w+)\b[^.\n]{0,40}?"
    r"(?:\b(?:score|rating|mark|grade|to|it|is)\b|[:=])[\s:=*<\[]*(?P<number>\d+(?:[.,]\d+)?)",
    re.I,
)
_LEFTOVER = re.compile(r"^[\s\-*_#|>`,.;:]+|[\s\-*_#|>`,;:{}\[]+$")


@dataclass(frozen=True)
class Parsed:
    """score: 0 to 10. evidence: what was said beside it, "" for nothing."""

    score: float
    evidence: str


@dataclass(frozen=True)
class Unparsed:
    """reason: one line on why there is no number."""

    reason: str


def parse_score(answer: str, *, judged: str = "", cut: bool = False) -> Parsed | Unparsed:
    """The number that a judge's answer comes to, or why it comes to none; never raises.

    judged: the text that was judged, so that what the answer repeats of it is not taken for the judge's own. cut: the
    answer ended for want of tokens: what it would have said is not known, so that it is never a number.

    An overall mark comes before one that is only labelled, and that before one in a sentence; of two different ones of the
    highest kind neither is taken. Marks of factors alone are none. A stated scale of 5, 10 or 100 is taken to 0 to 10;
    without one, what is above 10 is no mark. Ranges ("7-8"), sums and limits are none either.
    """
    told = without_thoughts(plain(answer[-MAX_LETTERS:]))
    if told is None:
        return Unparsed("it was still thinking when it ended")
    if cut:
        return Unparsed("it was cut before its end; more tokens, or a judge that says less, would help")
    told = without_quotation(told, judged)
    if not told.strip():
        return Unparsed("it is empty")
    from_json = _from_json(told)
    if isinstance(from_json, Unparsed):
        return from_json
    rest = told if from_json is None else from_json[1]
    if from_json is not None:
        others = (one for one in found_in(rest) if one.rank >= Rank.LABELLED)
        if any(one.value.score != from_json[0].score for one in others):
            return Unparsed("its JSON and its text name different scores")
        return from_json[0]
    found = _best(rest)
    if found is None:
        return _alone(told)
    if isinstance(found, Unparsed):
        return found
    score = found.value.score
    if score is None:
        return Unparsed(f"no score can be read of it: {found.value.reason}")
    after = rest[found.end :]
    if any(float(m["number"].replace(",", ".")) != score for m in _TAKEN_BACK.finditer(after)):
        return Unparsed(f"it names the score {score:g}, and takes it back")
    return _parsed(score, _evidence(rest[: found.start], after))


def _best(text: str) -> Found | Unparsed | None:
    """The one mark of the highest rank; None where no number is named as one."""
    by_place: dict[int, Found] = {}
    for one in found_in(text):  # the same number found by two patterns is one
        other = by_place.get(one.value.end)
        if other is None or (one.rank, -one.start) > (other.rank, -other.start):
            by_place[one.value.end] = one
    every = [by_place[end] for end in sorted(by_place)]
    if not every:
        return None
    rank = max(one.rank for one in every)
    if rank is Rank.FACTOR:
        return Unparsed("it marks factors alone, or speaks of a mark without giving it")
    top = [one for one in every if one.rank is rank]
    if rank is Rank.QUOTED and not all(stands_alone(text, one.start, one.end) for one in top):
        return Unparsed("it names a score in a quotation alone")
    if rank is not Rank.OVERALL:
        doubtful = [one for one in top if between_markers(text, one.start, one.end)]
        top = [one for one in top if one not in doubtful]
        if not top:
            return Unparsed("it marks numbered points and says no overall score")
        if doubtful and len(top) == 1 and not closes(text, top[0].end):
            return Unparsed("it marks numbered points and says no overall score")
        if doubtful and top[0].value.score != doubtful[-1].value.score and rank is Rank.LABELLED:
            return Unparsed("it marks numbered points; whether the last mark is the overall one is not said")
        if rank is Rank.LABELLED and len(top) >= _MANY:
            return Unparsed(f"it names {len(top)} scores and none as the overall one")
    values = {one.value.score for one in top}
    if len(values) > 1:
        shown = ", ".join("?" if one.value.score is None else f"{one.value.score:g}" for one in top)
        return Unparsed(f"it names different scores: {shown}")
    return top[-1]


def _alone(text: str) -> Parsed | Unparsed:
    """An answer that is but a number, or whose last line is one with its scale."""
    lines = [line for line in text.splitlines() if re.search(r"\w", line)]
    if not lines:
        return Unparsed("it holds no score")
    value = value_at(lines[-1], 0)
    if value is None or value.placeholder or re.search(r"[^\W_]", lines[-1][value.end :]):
        return Unparsed("it holds no score")
    if value.score is None:
        return Unparsed(f"no score can be read of it: {value.reason}")
    said_before = len(lines) == 1 or lines[-2].rstrip(" *_\"'").endswith((".", "!", "?", "\u3002"))
    if len(lines) > 1 and not (said_before and value.stated and len(re.findall(r"\d\s*/\s*\d", text)) == 1):
        return Unparsed("it ends in a number that is not said to be the score")
    return _parsed(value.score, _evidence("\n".join(lines[:-1]), ""))


# ---- JSON


def _from_json(text: str) -> tuple[Parsed, str] | Unparsed | None:
    """The mark of the JSON objects in an answer, and the rest of the text; None where they say nothing of one."""
    found: list[tuple[float, str]] = []
    rest, last, seen = "", 0, False
    for thing, start, end in json_objects(text):
        keys = _keys(thing)
        name = next((key for key in (*_OVERALL_KEYS, *_SCORE_KEYS) if key in keys), None)
        inner = next((keys[key] for key in _WRAPPING_KEYS if isinstance(keys.get(key), dict)), None)
        if name is None and inner is not None:  # {"evaluation": {"score": 8}}
            keys = _keys(inner)
            name = next((key for key in (*_OVERALL_KEYS, *_SCORE_KEYS) if key in keys), None)
        rest, last = rest + text[last:start], end
        if any(key in keys for key in _FACTOR_KEYS):
            overall = str(next(keys[key] for key in _FACTOR_KEYS if key in keys)).lower()
            name, seen = (name if overall in _OVERALL_KEYS else None), True
        if name is None:
            seen = seen or any("score" in key or "rating" in key for key in keys)
            continue
        score = _json_number(keys[name], next((keys[key] for key in _MAX_KEYS if key in keys), None))
        if isinstance(score, Unparsed):
            return score
        evidence = next((str(keys[key]) for key in _EVIDENCE_KEYS if key in keys), "")
        found.append((score, evidence))
    if len({score for score, _ in found}) > 1:
        return Unparsed("its JSON names different scores")
    if not found:
        return Unparsed("its JSON marks factors and names no overall score") if seen else None
    return _parsed(found[0][0], found[0][1]), rest + text[last:]


def _keys(thing: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"[^a-z]", "", str(key).lower()): value for key, value in thing.items()}


def _json_number(value: Any, top: Any = None) -> float | Unparsed:
    """The mark of a JSON value. top: what it is out of, where that is told."""
    if isinstance(value, dict):
        keys = {str(key).lower(): one for key, one in value.items()}
        name = next((key for key in ("score", "value", "overall") if key in keys), None)
        return (
            _json_number(keys[name])
            if name
            else Unparsed("its JSON marks factors and names no overall score")
        )
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return Unparsed(f"its JSON names no number as the score: {str(value)[:40]!r}")
    text = str(value).strip()
    scale = float(top) if isinstance(top, int | float) and not isinstance(top, bool) else None
    read = value_at(text, 0, scale)
    if read is None or read.score is None or text[read.end :].strip(" ."):
        why = read.reason if read is not None and read.reason else f"{text[:40]!r}"
        return Unparsed(f"its JSON names no number from 0 to 10 as the score: {why}")
    return read.score


# ---- evidence


def _evidence(before: str, after: str) -> str:
    """What was said beside the mark, without the labels of the form."""
    parts = [_EVIDENCE.sub("", _LEFTOVER.sub("", part)).strip() for part in (before, after)]
    return "\n".join(part for part in parts if re.search(r"\w", part))


def _parsed(score: float, evidence: str) -> Parsed:
    assert LOW <= score <= HIGH
    return Parsed(score, evidence.strip())
