"""A text as its sentences, none of which is split inside a locked phrase."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vidprompter.wording.mentions import locked_at

_ENDS = re.compile(
    r"(?<=[.!?\u2026])[\"')\]\u201d\u2019\u00bb]*\s+(?=[\"'(\[\u201c\u2018\u00ab]?[^\W_a-z])"
    r"|(?<=[\u3002\uff01\uff1f])[\u300d\u300f\u201d]*\s*(?=\S)"
)
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|St|Mt|No|vs|Jr|Sr|Prof|e\.g|i\.e)|\b[A-Z])\.$")


def split_sentences(text: str, keep: Sequence[str] = ()) -> list[str]:
    """The sentences of `text`, each with the blanks behind it, so that they join to `text` again.

    keep: phrases inside which no sentence ends.
    """
    spans = []
    for phrase in keep:
        at = locked_at(text, phrase)
        if at is not None:
            spans.append((at, at + len(phrase)))
    parts, start = [], 0
    for match in _ENDS.finditer(text):
        inside = any(begin < match.start() < end for begin, end in spans)
        if inside or _ABBREVIATION.search(text[start : match.start()]):
            continue
        parts.append(text[start : match.end()])
        start = match.end()
    return [*parts, text[start:]] if text[start:] else parts


def ends_as_sentence(text: str) -> bool:
    """Whether the last mark ends a sentence."""
    return bool(
        re.search(
            r"[.!?\u2026\u3002\uff01\uff1f\u0964][\"')\]\u201d\u2019\u00bb\u300d\u300f]*$", text.rstrip()
        )
    )
