"""The evaluator `rubric`: a mark from 0 to 10 for a text alone, with the reason of every point that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from vidprompter.scores import LANGUAGE, TRUNCATED, EvaluatorIdentity, Outcome, Score, Scored, empty_score
from vidprompter.tasks import Request

NAME = "rubric"
VERSION = 1
"""Raised when the same text would get another mark."""
FAILED = 0.5
"""A check whose part is below this flags the text, as "weak:FACTOR"."""


class RubricEvaluator:
    """Marks texts by the paper's seven factors, as far as word lists and a grammar tell; no clip is looked at.

    value = 10 x content x soundness. content: the weighted mean of factors 1 to 5 (`checks.CONTENT`: sentences 0.15,
    subject 0.3, background 0.2, camera 0.2, style 0.15). soundness: the product over factors 6 and 7 of
    1 - share x (1 - part) (`checks.SOUNDNESS`: natural 0.8, frame by frame 0.5, repetition 0.6, length 0.5): a text that
    says nothing earns nothing by saying it without mistakes.
    """

    def __init__(self) -> None:
        self._identity = EvaluatorIdentity(
            NAME, low=0.0, high=10.0, needs_video=False, settings={"version": VERSION}
        )

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        """The one of the mark."""
        return (self._identity,)

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        """See `vidprompter.scores.Evaluator`. `details["checks"]`: [{factor, part, reason}, ...]; no request fails.

        Raises:
            InputError: not as many lists of texts as requests.
        """
        from scoring.ensemble import check_lengths

        check_lengths(requests, candidates)
        marks = {text: mark(text) for text in dict.fromkeys(text for texts in candidates for text in texts)}
        return [[Scored(text, (marks[text],)) for text in texts] for texts in candidates]

    def close(self) -> None:
        """Nothing is held but spaCy's tagger, which others use too."""


def mark(text: str) -> Score:
    """The score of one text; None with the flag "language" where it is not in English, "empty" without words."""
    from scoring.rubric.checks import CONTENT, SOUNDNESS
    from scoring.rubric.reading import has_words, is_english, read

    if not has_words(text):
        return empty_score(NAME)
    if not is_english(text):
        return Score(NAME, None, flags=(LANGUAGE,), details={"checks": []})
    reading = read(text)
    content = {name: check(reading) for name, (_, check) in CONTENT.items()}
    soundness = {name: check(reading) for name, (_, check) in SOUNDNESS.items()}
    total = sum(CONTENT[name][0] * check.part for name, check in content.items())
    kept = prod(1 - SOUNDNESS[name][0] * (1 - check.part) for name, check in soundness.items())
    checks = [*content.values(), *soundness.values()]
    flags = [f"weak:{check.factor}" for check in checks if check.part < FAILED]
    details: dict[str, Any] = {
        "checks": [check.to_json() for check in checks],
        "content": round(total, 3),
        "soundness": round(kept, 3),
    }
    if reading.unread:
        flags.append(TRUNCATED)
        details["words_not_read"] = reading.unread
    return Score(NAME, min(10.0, max(0.0, 10 * total * kept)), flags=tuple(flags), details=details)
