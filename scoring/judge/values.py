"""A mark as judges write it: "8", "7,5/10", "eight out of ten", "85 %"; and what looks like one and is none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

LOW, HIGH = 0.0, 10.0
SCALES = (5.0, 10.0, 100.0)
"""Stated scales that are taken to 0 to 10; of others ("6/7") nobody knows whether they count points or factors."""

WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10,
}  # fmt: skip
_NUMBER = r"\d{1,4}(?:[.,]\d{1,8})?"
_WORD = "|".join(WORDS)
_OPEN = r"(?:[ \t*_\"'`\[({#$<]|\\boxed|\\text|\\mathbf)*"
_ABOUT = r"(?:(?:~|\u2248|about|approximately|approx\.?|around|roughly|therefore|thus|hence|a|an|solid|strong)\s*)?"
_START = re.compile(rf"{_OPEN}{_ABOUT}{_OPEN}\+?", re.I)
_VALUE = re.compile(rf"(?P<number>{_NUMBER})|(?P<word>{_WORD})\b", re.I)
_NEGATIVE = re.compile(r"[-\u2212\u2013]\s*\d|(?:minus|negative)\s+(?:\d|\w+\b)", re.I)
_NONE = re.compile(r"(?:n\s*/\s*a|none|null|unknown|not applicable|undefined)\b", re.I)
_RANGE_WORD = re.compile(rf"(?:between|from)\s+(?:{_NUMBER}|{_WORD})\b", re.I)
# A placeholder such as "<0-10>" or "[0 to 10]" says what may stand there.
_PLACEHOLDER = re.compile(r"[<\[({]\s*(?:0|1)\s*(?:-|\u2013|to|\.\.+)\s*(?:5|10|100)\s*[>\])}]")
_HALF = re.compile(r"\s*(?:\u00bd|and (?:a|one) half\b)|\s+1/2(?!\d)", re.I)
_CLOSE = r"[ \t*_\"'`\])}>$]*"
# What may stand right behind the digits: a unit. Any other letter makes it
# no mark ("8K", "3rd"); stars are of five or of ten.
_UNIT = re.compile(
    r"\s*(?:points?|stars?|pts?\.?|\u5206|\u70b9|\u9ede|\uc810|\u0431\u0430\u043b\w*|puntos|punkte?)", re.I
)
_STARS = re.compile(r"\s*(?:stars?\b(?! out of)|[\u2605\u2b50])", re.I)
_SLASH = re.compile(
    rf"{_CLOSE}(?:/|\u2044|\u2215){_OPEN}(?P<scale>\d{{1,4}}(?:[.,]0+)?)(?![\d/]|[.,]\d|[A-Za-z])"
)
_OUT_OF = re.compile(
    rf"{_CLOSE}[(\[,]?\s*(?:out of(?: the| a possible| a maximum of)?|of(?: the)?|on a scale of(?: 0 to)?|"
    rf"von|sur|de|su|из|满分为?|滿分)\s*{_OPEN}"
    r"(?P<scale>\d{1,4}|ten|five|hundred)(?:\.0+)?(?![\d/A-Za-z]|[.,]\d)",
    re.I,
)
_ON_SCALE = re.compile(
    rf"{_CLOSE}[(\[,]?\s*on (?:a|the) scale (?:of|from)?\s*[01]\s*(?:-|\u2013|to)\s*(?P<scale>\d{{1,3}})(?!\d)",
    re.I,
)
_PERCENT = re.compile(rf"{_CLOSE}(?:%|percent\b)", re.I)
_RANGE = re.compile(
    rf"{_CLOSE}(?:[-\u2013\u2014~]|to\b|or\b|through\b|bis\b|oder\b|\u81f3|\u5230|\+/-|\u00b1){_OPEN}(?:{_NUMBER}|{_WORD}\b)",
    re.I,
)
# Sums, corrections, second thoughts, times of day: another number close behind.
_MORE = re.compile(
    rf"(?:\d|[+=^\u00d7\u00b1/~\u2192]|[-=]>|\*\s*\d|[:.]\d|[;,]\s*\d|[^\w\s.;,\n(]{{1,3}}[ \t]*\d"
    rf"|[(,]?\s*(?:maybe|possibly|perhaps|or|if not|even)\s+(?:even\s+)?(?:{_NUMBER}|{_WORD})\b|[(,]?\s*or\b|point\s+\w)",
    re.I,
)
# The same mark once more, "8 (80%)", or another one.
_AGAIN = re.compile(
    rf"\(\s*(?P<number>{_NUMBER}|{_WORD})\s*(?P<scale>%|/\s*\d{{1,3}}|out of \d{{1,3}})?\s*\)"
)
_AFTER_WORD = re.compile(r"[ \t]*(?:$|[^\w\s]|\n|out of\b|points?\b(?!\s+\w)|and (?:a|one) half\b)", re.I)


@dataclass(frozen=True)
class Value:
    """What stands at a place. score: 0 to 10, None where `reason` says why it is no mark. end: where it ends.

    stated: whether its scale stands beside it. placeholder: a form to fill in, which is no answer at all.
    """

    score: float | None
    end: int
    reason: str = ""
    stated: bool = False
    placeholder: bool = False


def value_at(text: str, start: int, scale: float | None = None) -> Value | None:
    """The mark that begins at `start` after blanks, brackets and emphasis; None where no number begins there.

    scale: what the label says it is out of, such as 10 of "Score (0-10): 8".
    """
    if placeholder := _PLACEHOLDER.match(text, _skip_blanks(text, start)):
        return Value(None, placeholder.end(), "the form itself", placeholder=True)
    begin = _START.match(text, start)
    at = begin.end() if begin else start
    for pattern, reason in ((_NEGATIVE, "a negative number"), (_NONE, "no number"), (_RANGE_WORD, "a range")):
        if match := pattern.match(text, at):
            return Value(None, match.end(), f"{reason}: {match.group(0)!r}")
    match = _VALUE.match(text, at)
    if match is None:
        return None
    if (opened := text[start:at].rstrip(" *_")).endswith("<") and not re.match(
        r"[\s*/\d.]*>", text[match.end() :]
    ):
        return Value(None, match.end(), f"a limit: {opened[-1]}{match.group(0)}")
    return _finished(text, match, scale)


def _finished(text: str, match: re.Match[str], scale: float | None) -> Value | None:
    """The mark with what stands behind its digits."""
    word = match["word"]
    end = match.end()
    if word and not _AFTER_WORD.match(text, end):  # "one of the best"
        return None
    if match["number"] and re.fullmatch(r"\d+,\d{3}", match["number"]):
        return Value(None, end, f"thousands: {match['number']!r}")
    number = _number(match.group(0))
    if half := _HALF.match(text, end):
        number, end = number + 0.5, half.end()
    if _STARS.match(text, end):  # of five, or of ten
        return Value(None, end, "stars")
    if unit := _UNIT.match(text, end):
        end = unit.end()
    elif re.match(r"[A-Za-z]", text[end : end + 1]):
        return None
    said = text[match.start() : end]
    if found := _RANGE.match(text, end):
        return Value(None, found.end(), f"a range: {text[match.start() : found.end()]!r}")
    stated = scale is not None
    for pattern in (_SLASH, _ON_SCALE, _OUT_OF, _PERCENT):
        if found := pattern.match(text, end):
            told = 100.0 if pattern is _PERCENT else _scale(found["scale"])
            scale, stated, end = told, True, found.end()
            said = text[match.start() : end]
            break
    value = _on_scale(number, scale, stated, said, end)
    tail = re.match(_CLOSE, text[end:])
    end += tail.end() if tail else 0
    if more := (_RANGE.match(text, end) or _MORE.match(text, end)):
        return Value(None, more.end(), f"more than one number: {text[match.start() : more.end() + 8]!r}")
    again = _AGAIN.match(text, end)
    if again and value.score is not None and not _same(again, value.score):
        return Value(None, again.end(), f"two numbers: {text[match.start() : again.end()]!r}")
    return replace(value, end=end)


def _on_scale(number: float, scale: float | None, stated: bool, said: str, end: int) -> Value:
    top = HIGH if scale is None else scale
    if top not in SCALES:
        return Value(None, end, f"a scale that is not known: {said!r}")
    if not 0 <= number <= top:
        return Value(None, end, f"{said!r} is not between 0 and {top:g}")
    return Value(number * HIGH / top, end, stated=stated)


def _same(again: re.Match[str], score: float) -> bool:
    """Whether a number in brackets says the same mark, on whatever scale."""
    told = (again["scale"] or "").strip()
    digits = re.search(r"\d+", told)
    top = 100.0 if told == "%" else float(digits.group(0)) if digits else HIGH
    return top > 0 and abs(_number(again["number"]) * HIGH / top - score) < 0.051


def _number(told: str) -> float:
    return float(WORDS[told.lower()]) if told.lower() in WORDS else float(told.replace(",", "."))


def _scale(told: str) -> float:
    named = {"ten": 10.0, "five": 5.0, "hundred": 100.0}
    return named.get(told.lower()) or float(told.replace(",", "."))


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t*_`\"'":
        at += 1
    return at
