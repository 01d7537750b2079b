"""How well repeated marks of the same texts agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

CLOSE = 1.0
"""Marks that differ by no more are close."""


@dataclass(frozen=True)
class Agreement:
    """Over texts that were marked twice or more. None where nothing can be said.

    texts, answers: how many. difference: mean absolute difference of two marks of a text. close: share of such pairs that
    differ by 1 at most. alpha: Krippendorff's, interval: 1 all agree, 0 as by chance; None where all marks are equal.
    """

    texts: int
    answers: int
    difference: float | None
    close: float | None
    alpha: float | None

    def to_json(self) -> dict[str, Any]:
        """Its fields, in four digits."""
        shown = {
            "difference": self.difference,
            "within_1": self.close,
            "alpha": self.alpha,
        }
        return {"texts": self.texts, "answers": self.answers} | {
            name: None if value is None else round(value, 4) for name, value in shown.items()
        }

    def line(self) -> str:
        """One line for a reader; "" where no text was marked twice."""
        if self.difference is None or self.close is None:
            return ""
        alpha = "alpha undefined, all marks are equal" if self.alpha is None else f"alpha {self.alpha:.2f}"
        return (
            f"{self.answers} answers to {self.texts} texts: they differ by {self.difference:.2f} in the mean, "
            f"{self.close:.0%} within {CLOSE:g} point, {alpha}"
        )


class AgreementTally:
    """Takes the marks of one text after the other and keeps sums alone, so that millions of texts take no room."""

    def __init__(self) -> None:
        self._texts = self._answers = self._pairs = self._close = 0
        self._difference = self._within = self._sum = self._squares = 0.0

    def add(self, marks: Sequence[float]) -> None:
        """One text; fewer than two marks say nothing of agreement."""
        if len(marks) < 2:
            return
        self._texts += 1
        self._answers += len(marks)
        self._sum += sum(marks)
        self._squares += sum(mark * mark for mark in marks)
        for one, two in combinations(marks, 2):
            gap = abs(one - two)
            self._pairs += 1
            self._close += gap <= CLOSE + 1e-9
            self._difference += gap
            self._within += 2 * gap * gap / (len(marks) - 1)  # both orders of the pair

    def result(self) -> Agreement:
        """What the marks so far come to."""
        if not self._pairs:
            return Agreement(self._texts, self._answers, None, None, None)
        return Agreement(
            self._texts,
            self._answers,
            self._difference / self._pairs,
            self._close / self._pairs,
            self._alpha(),
        )

    def _alpha(self) -> float | None:
        """1 - observed / expected disagreement, both as squared differences (Krippendorff 2011, section 3)."""
        n = self._answers
        observed = self._within / n
        expected = 2 * (n * self._squares - self._sum**2) / (n * (n - 1))
        return None if expected <= 1e-9 else 1 - observed / expected


def krippendorff_alpha(units: Iterable[Sequence[float]]) -> float | None:
    """Krippendorff's alpha for interval data. units: the marks of each text, those with fewer than two left out.

    None where there are none, or all marks are equal, so that there is nothing to agree on.
    """
    tally = AgreementTally()
    for marks in units:
        tally.add(marks)
    return tally.result().alpha
