"""Texts that go round in circles, told from their words or tokens; and what is done about them.

A loop is drawn again with another seed and a temperature of at least `RETRY_TEMPERATURE`, at most `MAX_RETRIES`
times, and marked `finish="loop"` if it stays one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence

MAX_RETRIES = 2
RETRY_TEMPERATURE = 0.7

# Letters of scripts without spaces count as words of their own.
_UNIT = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['-]\w+)*"
)
# The longest unit that is looked for at the end, in words or tokens.
_MAX_PERIOD = 120
# "very, very, very" is speech; as much as this, said again and again, is not.
_MIN_TIMES, _MIN_REPEATED = 3, 12
_LONG_GRAM, _LONG_TIMES = 8, 3


def repeats_at_end(units: Sequence[Hashable]) -> bool:
    """Whether `units` (words or token ids) end in one stretch said three times or more, twelve units at least.

    A text cut in the middle of a stretch counts as well.
    """
    for period in range(1, min(_MAX_PERIOD, len(units) // _MIN_TIMES) + 1):
        run = 0
        while run + period < len(units) and units[-1 - run] == units[-1 - run - period]:
            run += 1
        whole = run + period
        if whole >= _MIN_TIMES * period and whole >= _MIN_REPEATED:
            return True
    return False


def is_loop(text: str) -> bool:
    """Whether `text` repeats itself as no writer would.

    At its end one stretch three times over; or anywhere the same sentence or line three times, the same eight words
    three times, or one stretch over and over.
    """
    units = _UNIT.findall(text.casefold())
    if len(units) < _MIN_REPEATED:
        return False
    if repeats_at_end(units) or _repeats_within(units):
        return True
    lines = (
        " ".join(_UNIT.findall(part)) for part in re.split(r"[.!?\n\u3002\uff01\uff1f]+", text.casefold())
    )
    if any(times >= _LONG_TIMES for line, times in Counter(lines).items() if len(line.split()) >= 3):
        return True
    grams = Counter(tuple(units[i : i + _LONG_GRAM]) for i in range(len(units) - _LONG_GRAM + 1))
    return any(times >= _LONG_TIMES for times in grams.values())


def is_token_loop(ids: Sequence[int]) -> bool:
    """Whether a model's tokens go round in circles at their end, for texts still being written."""
    return repeats_at_end(ids)


def _repeats_within(units: Sequence[str]) -> bool:
    """One stretch of up to twelve words at least four times in a row, twelve words in all at least."""
    for period in range(1, 13):
        run = 0
        for i in range(period, len(units)):
            run = run + 1 if units[i] == units[i - period] else 0
            if run + period >= max(4 * period, _MIN_REPEATED):
                return True
    return False
