"""What stands around a place in an answer: its line, its sentence, quotation marks, numbered points."""

from __future__ import annotations

import re

NEAR = 600
"""Letters of a line that are looked at."""
_SENTENCE_END = re.compile(r"[.!?\u3002](?=[\s*_\"')]|$)|[\n;]")
LISTED = re.compile(
    r"^[ \t>]*(?:[-*+\u2022][ \t]+|#{1,6}[ \t]*)?[*_]*(?:factor[ \t]*)?\(?\d{1,2}[.):][ \t]", re.I
)


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether its line holds no words beside a mark."""
    stop = text.find("\n", end)
    before = before_of(text, start)
    return not re.search(r"[^\W_]", before + text[end : stop if stop >= 0 else len(text)])


def between_markers(text: str, start: int, end: int) -> bool:
    """Whether a mark stands between numbered points, as that of a factor does."""
    before = [line for line in text[:start].splitlines() if LISTED.match(line)]
    after = [line for line in text[end:].splitlines() if LISTED.match(line)]
    return bool(before) and bool(after)


def closes(text: str, end: int) -> bool:
    """Whether nothing but decoration follows a mark."""
    return not re.search(r"[^\W_]", text[end:])


def line_above(text: str, at: int) -> str:
    """The nearest line with words above that of a place; "" where there is none."""
    above = text[max(0, at - NEAR) : line_start(text, at)]
    return next((line for line in reversed(above.splitlines()) if re.search(r"[^\W_]", line)), "")


def sentence_after(text: str, at: int) -> str:
    """What is said behind a place up to the end of its sentence."""
    rest = text[at : at + NEAR]
    end = _SENTENCE_END.search(rest)
    return rest[: end.start()] if end else rest


def before_of(text: str, at: int) -> str:
    """What stands before a place on its line, the nearest of it."""
    return text[max(line_start(text, at), at - NEAR) : at]


def line_start(text: str, at: int) -> int:
    """Where the line of a place begins."""
    return text.rfind("\n", 0, at) + 1


def sentence_before(before: str) -> str:
    """What of a line belongs to the sentence that goes on behind it."""
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    return before[ends[-1] :] if ends else before


def is_quoted(text: str, start: int, end: int) -> bool:
    """Whether a place stands inside quotation marks on its line."""
    stop = text.find("\n", end)
    before, after = before_of(text, start), text[end : min(stop if stop >= 0 else len(text), end + NEAR)]
    for left, right in (
        ("\u201c", "\u201d"),
        ("\u00ab", "\u00bb"),
        ("\u201e", "\u201c"),
        ("\u300c", "\u300d"),
    ):
        if before.count(left) > before.count(right) and right in after + text[end - 1 : end]:
            return True
    # A closing mark may have been taken with the value; one that was never opened belongs to a quotation begun before.
    if (before + text[start:end]).count('"') % 2 == 1 and re.search(r"[^\W_]", after):
        return True
    return before.count('"') % 2 == 1 and '"' in text[start:end] + after
