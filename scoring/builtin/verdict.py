"""What becomes of one claim: how probable it is after looking, and what was measured in its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidprompter.facts.claims import Claim

CONTRADICTED, SUPPORTED = 0.3, 0.7
"""Below the one a claim is listed as contradicted, above the other as supported; between them the look is silent."""


@dataclass(frozen=True)
class Verdict:
    """A claim weighed. support: 0-1, 0.5 where nothing speaks for or against it. measured: in words, "" for nothing.

    weight: how much it counts, 1 for a thing said to be there.
    """

    claim: Claim
    support: float
    measured: str = ""
    weight: float = 1.0

    @property
    def word(self) -> str:
        """ "contradicted", "supported" or "open"."""
        if self.support < CONTRADICTED:
            return "contradicted"
        return "supported" if self.support > SUPPORTED else "open"


def log_odds(probability: float) -> float:
    """Natural logarithm of the odds of a probability, cut to what evidence of this kind can bear."""
    inside = min(max(probability, 0.02), 0.98)
    return math.log(inside / (1 - inside))


def probability(odds: float) -> float:
    """The inverse of `log_odds`, within [0.03, 0.97]: nothing here is certain."""
    return min(max(1 / (1 + math.exp(-odds)), 0.03), 0.97)


def tempered(support: float, sure: float) -> float:
    """A support drawn towards 0.5, where it stays for `sure` 0."""
    return 0.5 + min(max(sure, 0.0), 1.0) * (support - 0.5)
