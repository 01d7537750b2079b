"""Texts that end an answer where they appear."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def stop_check(
    decode: Callable[[Sequence[int]], str], stops: Sequence[str]
) -> Callable[[Sequence[int]], bool] | None:
    """Says of tokens whether one of `stops` ends in the last of them; None where there is none to look for."""
    if not stops:
        return None
    tail = max(len(one) for one in stops) + 8  # tokens: a character takes one at least, and some take several

    def holds(ids: Sequence[int]) -> bool:
        text = decode(ids[-tail:])
        return any(one in text for one in stops)

    return holds


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """`text` up to where the first of `stops` begins."""
    return text[: min((at for one in stops if (at := text.find(one)) >= 0), default=len(text))]
