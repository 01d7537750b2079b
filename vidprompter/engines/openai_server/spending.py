"""What the answers cost: tokens as the server counted them, and money where the user says the prices."""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass, replace
from typing import Any

from vidprompter.errors import InputError

PRICE_IN_VARIABLE = "VIDPROMPTER_PRICE_IN"
PRICE_OUT_VARIABLE = "VIDPROMPTER_PRICE_OUT"


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in and out, in one currency. There is no table of prices: they change."""

    prompt: float
    completion: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        for name, value in (("prompt", self.prompt), ("completion", self.completion)):
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"the price of a million {name} tokens is {value}; it must be 0 or more")

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.prompt + tokens_out * self.completion) / 1e6


def prices_of_environment() -> Prices | None:
    """The prices in VIDPROMPTER_PRICE_IN and VIDPROMPTER_PRICE_OUT (per million tokens); None without them.

    Raises:
        InputError: one of the two is missing, or is no number.
    """
    texts = {name: os.environ.get(name, "").strip() for name in (PRICE_IN_VARIABLE, PRICE_OUT_VARIABLE)}
    if not any(texts.values()):
        return None
    values = []
    for name, text in texts.items():
        try:
            values.append(float(text))
        except ValueError:
            raise InputError(
                f"{name} is {text!r}; set both {PRICE_IN_VARIABLE} and {PRICE_OUT_VARIABLE} to the price of a million "
                "tokens"
            ) from None
    return Prices(values[0], values[1])


@dataclass(frozen=True)
class Spending:
    """Totals since the engine was made.

    calls: sent, with all attempts. answers: that came back whole. failed: requests that got no usable answer.
    tokens_in, tokens_out: of all answers, also those that were thrown away; cached_in: part of tokens_in that the
    server had in its cache. untold: answers without token counts. lost: calls that ran out of time or broke off, for
    which the server may have counted tokens too. money: None without prices; cached tokens count in full.
    """

    calls: int = 0
    answers: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached_in: int = 0
    untold: int = 0
    lost: int = 0
    cut_waits: int = 0
    money: float | None = None
    currency: str = ""

    def line(self) -> str:
        """One line for the end of a run."""
        said = [
            f"{self.calls} calls, {self.answers} answers, {self.tokens_in} tokens in and {self.tokens_out} out"
        ]
        if self.cached_in:
            said.append(f"{self.cached_in} of those in came from the server's cache")
        if self.money is not None:
            said.append(f"{self.money:.4f} {self.currency}")
        if self.failed:
            said.append(f"{self.failed} requests without an answer")
        if self.untold:
            said.append(f"{self.untold} answers told no token counts")
        if self.lost:
            said.append(
                f"{self.lost} calls broke off or ran out of time, and may have cost tokens that nobody told"
            )
        if self.cut_waits:
            said.append(f"{self.cut_waits} times the server asked for a longer wait than the cap")
        return "; ".join(said)


class Till:
    """Counts what is spent; may be told from several threads."""

    def __init__(self, prices: Prices | None) -> None:
        self._prices = prices
        self._lock = threading.Lock()
        self._spent = Spending()

    def add(self, **counts: int) -> None:
        """Adds to the totals by name."""
        with self._lock:
            self._spent = replace(self._spent, **{k: getattr(self._spent, k) + v for k, v in counts.items()})

    def take(self, usage: Usage | None) -> None:
        """Adds one answer."""
        if usage is None:
            self.add(answers=1, untold=1)
        else:
            self.add(answers=1, tokens_in=usage.prompt, tokens_out=usage.completion, cached_in=usage.cached)

    def total(self) -> Spending:
        """All so far."""
        with self._lock:
            spent = self._spent
        if self._prices is None:
            return spent
        money = self._prices.of(spent.tokens_in, spent.tokens_out)
        return replace(spent, money=money, currency=self._prices.currency)


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer as the server counted them."""

    prompt: int
    completion: int
    cached: int = 0


def usage_of(body: dict[str, Any]) -> Usage | None:
    """The `usage` of an answer or of a piece of one; None where it says nothing usable."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    counts = (
        usage.get("prompt_tokens"),
        usage.get("completion_tokens", 0),
        details.get("cached_tokens") if isinstance(details, dict) else 0,
    )
    whole = [count if isinstance(count, int) and count >= 0 else 0 for count in counts]
    return Usage(*whole) if isinstance(counts[0], int) else None
