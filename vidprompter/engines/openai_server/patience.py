"""How long to wait before asking again: exponential steps with full jitter, and what `Retry-After` asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from vidprompter.errors import InputError


@dataclass(frozen=True)
class Patience:
    """attempts: how often a request is sent at most; the rest in seconds.

    Before the n-th new attempt (n from 0) the wait is what the server asks for (`Retry-After`, at most `cap`), plus a
    random part of min(longest, first * 2^n): "full jitter", so that those who failed together do not come back
    together.
    """

    attempts: int = 6
    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    cap_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError(f"attempts is {self.attempts}; it must be at least 1")
        for name in ("first_seconds", "longest_seconds", "cap_seconds"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 0 or more")

    def seconds(self, tried: int, asked: float | None, rng: Random) -> float:
        """The wait after `tried` (0, 1, ...) failures before this one; asked: seconds the server wants, if any."""
        step = min(self.longest_seconds, self.first_seconds * 2.0 ** min(tried, 60))
        return min(asked or 0.0, self.cap_seconds) + rng.uniform(0.0, step)


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number, or a date of HTTP); None where it says nothing usable.

    RFC 9110, section 10.2.3. A moment that has passed is 0. Fractions of a second are not in the RFC but are sent.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
