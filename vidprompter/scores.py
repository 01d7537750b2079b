"""How good a text is for a clip or an idea: the values that evaluators give, and what every evaluator offers.

The evaluators themselves are in `scoring/`, which the core never imports: it takes anything of this form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from vidprompter.errors import VidPrompterError
from vidprompter.tasks import Request

EMPTY, TRUNCATED, LANGUAGE = "empty", "truncated", "language"
"""Flags: the text has no words, so that it has no score; its end was not read; it is not English, which the evaluator
was made for."""


@dataclass(frozen=True)
class EvaluatorIdentity:
    """Who gives a number, and all that it depends on.

    name: "clip", "long-clip", "videoclip-xl", "builtin", "rubric" or "judge". model, revision: of its weights; "" for
    what has none. low, high: the range of its scores, higher is better. needs_video: cannot judge a text alone.
    max_tokens: how much of a text it reads, its start and end marks counted; None: all of it. settings: what else changes
    the number, such as the frames looked at.
    """

    name: str
    low: float
    high: float
    model: str = ""
    revision: str = ""
    needs_video: bool = True
    max_tokens: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Its fields as rows and `--json` show them."""
        return {**asdict(self), "settings": dict(self.settings)}


@dataclass(frozen=True)
class Score:
    """What one evaluator says of one text.

    value: in [low, high] of its identity; None where no number can be given, and `flags` say why. tokens: of the text,
    start and end marks counted, None where it is not cut into tokens. truncated: how many of them were not read. flags:
    what a reader should know ("empty", "truncated", ...). details: why the number is what it is.
    """

    evaluator: str
    value: float | None
    tokens: int | None = None
    truncated: int = 0
    flags: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Scored:
    """One text with the scores of all evaluators that were asked. mean: None where no mean would mean anything."""

    text: str
    scores: tuple[Score, ...]
    mean: float | None = None

    def value(self, evaluator: str) -> float | None:
        """The number that the evaluator of that name gave.

        Raises:
            KeyError: it was not asked.
        """
        return self.of(evaluator).value

    def of(self, evaluator: str) -> Score:
        """The score of the evaluator of that name; KeyError where it was not asked."""
        for score in self.scores:
            if score.evaluator == evaluator:
                return score
        raise KeyError(evaluator)

    @property
    def truncated(self) -> dict[str, int]:
        """Evaluator -> tokens that it did not read, of those that did not read all."""
        return {score.evaluator: score.truncated for score in self.scores if score.truncated}


Outcome = list[Scored] | VidPrompterError
"""What comes of one request: a `Scored` for each of its texts, in their order; or why it has none."""


class Evaluator(Protocol):
    """Scores texts. Loads nothing before it is first asked; `identities` are known without loading."""

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        """One for each number that it gives a text, in the order of `Scored.scores`."""
        ...

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        """For each request what is thought of its candidates; the clip of a request is looked at once.

        A request that cannot be scored costs itself alone (its error stands in its place). A text that cannot be scored
        has None as its value, and a flag. Same input, same output, however the requests are batched.

        Raises:
            ModelError: the evaluator itself cannot be used (no weights, damaged weights ...).
            InputError: as many requests as lists of candidates are wanted.
        """
        ...

    def close(self) -> None:
        """Lets go of weights and processes; the next request takes them again."""
        ...


def empty_score(evaluator: str) -> Score:
    """The score of a text without words."""
    return Score(evaluator, None, flags=(EMPTY,))
