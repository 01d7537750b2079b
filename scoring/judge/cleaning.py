"""What is taken off an answer before its mark is looked for: thoughts, the judged text itself, odd letters."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_THOUGHT = r"think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis"
_THOUGHT_ENDS = re.compile(rf"(?:</(?:{_THOUGHT})>|\[/THINK\])", re.I)
_THOUGHT_BEGINS = re.compile(rf"(?:<(?:{_THOUGHT})>|\[THINK\])", re.I)
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_CONTROL = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?(?:answer|output|result|response|s)>", re.I)
_BREAKS = re.compile(r"</?(?:p|br|div|li|ul|ol|h[1-6]|tr|table)\s*/?>", re.I)
_EMPHASIS = re.compile(r"</?(?:b|strong|i|em|u|span|code|mark|td|th|font)\s*/?>", re.I)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\ufe0e\ufe0f]")
_OWN_SCORE = re.compile(r"(?:\w+ )?(?:score|rating|mark)\W{1,4}\d+(?:\.\d+)?(?:\s*/\s*\d+)?", re.I)
_SHORT = 3  # words of the judged text that are too few to be known as a quotation


def plain(answer: str) -> str:
    """The answer with full-width letters, digits of other scripts and odd blanks as the usual ones."""
    if "\n" not in answer:
        answer = answer.replace("\\n", "\n")  # line breaks that were escaped once too often
    letters = []
    for letter in _INVISIBLE.sub("", answer.replace("\r\n", "\n").replace("\r", "\n")):
        code = ord(letter)
        if 0xFF01 <= code <= 0xFF5E:
            letter = chr(code - 0xFEE0)
        elif unicodedata.category(letter) == "Nd":
            letter = str(unicodedata.digit(letter))
        elif unicodedata.category(letter) == "Zs":
            letter = " "
        letters.append(letter)
    return "".join(letters)


def without_thoughts(answer: str) -> str | None:
    """What a model says after thinking; None where it never came to an end of it."""
    if _FINAL_CHANNEL in answer:
        answer = answer.rpartition(_FINAL_CHANNEL)[2]
    ends = list(_THOUGHT_ENDS.finditer(answer))
    if ends:
        answer = answer[ends[-1].end() :]
    if begun := _THOUGHT_BEGINS.search(answer):
        answer = answer[: begun.start()]
        if not answer.strip():
            return None
    return _CONTROL.sub(" ", _EMPHASIS.sub("", _BREAKS.sub("\n", answer))).strip()


def without_quotation(answer: str, quoted: str) -> str:
    """The answer without what it repeats of the judged text: all of it, or lines and sentences of it word for word.

    A line such as "Score: 10" in the judged text is taken off once, wherever it stands: a judge that says nothing but this
    may have repeated it.
    """
    if not quoted.strip():
        return answer
    quoted = plain(quoted)
    parts = [quoted.strip(), *quoted.splitlines(), *re.split(r"(?<=[.!?\u3002])\s+|\n", quoted)]
    parts += [inner for line in quoted.splitlines() for inner in _scores_in_context(line)]
    for part in sorted({one.strip() for one in parts}, key=len, reverse=True):
        if len(part.split()) >= _SHORT or len(part) >= 30:
            pattern = r"\s+".join(re.escape(word) for word in part.split())
            answer = re.sub(pattern, " [...] ", answer, flags=re.I)
    for line in {one.strip() for one in parts if _OWN_SCORE.fullmatch(one.strip(" \t*_.\"'"))}:
        answer = re.sub(re.escape(line), " [...] ", answer, count=1, flags=re.I)
    return answer


def _scores_in_context(line: str) -> Iterator[str]:
    """What a text says of a mark, with a word before it, so that the same mark of the judge is not taken for it."""
    for match in re.finditer(
        r"\S+\s+(?:\S+\s+)?(?:score|rating|mark)\W{0,4}\d+(?:\.\d+)?(?:\s*/\s*\d+)?", line, re.I
    ):
        yield match.group(0)


def json_objects(answer: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """The JSON objects in an answer that stand in no other, each with where it begins and ends."""
    decoder = json.JSONDecoder(strict=False)
    at = 0
    for _ in range(64):  # of "{{{{..." no more are tried
        at = answer.find("{", at)
        if at < 0:
            return
        try:
            found, end = decoder.raw_decode(answer, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(found, dict):
            yield found, at, end
        at = end
