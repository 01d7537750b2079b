"""Choosing a token from logits, one row at a time, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidprompter.engines.decoding import MOST_LIKELY

# A token e^-16 times as likely as the likeliest is not drawn: one time in nine million, at most.
_FARTHEST = 16.0


def pick(logits: NDArray[np.float32], temperature: float, top_p: float, stream: np.random.Generator) -> int:
    """A token drawn from logits (V,); the likeliest where temperature is 0.

    Nucleus: Holtzman et al. 2020, the smallest set of tokens whose probability reaches top_p; at most `MOST_LIKELY`.
    """
    best = logits.max()
    if temperature == 0:
        return int(logits.argmax())
    near = np.flatnonzero(logits >= best - _FARTHEST * temperature)
    values = logits[near]
    if len(near) > MOST_LIKELY:
        kept = np.argpartition(-values, MOST_LIKELY - 1)[:MOST_LIKELY]
        kept.sort()  # of equally likely ones the first comes first
        near, values = near[kept], values[kept]
    order = np.argsort(-values, kind="stable")
    weights = np.exp((values[order] - best).astype(np.float64) / temperature)
    reached = np.cumsum(weights)
    reached /= reached[-1]
    size = 1 + int(np.searchsorted(reached, top_p, side="left"))
    reached = reached[:size]
    place = int(np.searchsorted(reached, stream.random() * reached[-1], side="right"))
    return int(near[order[min(place, len(reached) - 1)]])


def log_probability(logits: NDArray[np.float32], token: int) -> float:
    """The natural logarithm of the token's probability by logits (V,), at temperature 1."""
    best = float(logits.max())
    return (
        float(logits[token]) - best - float(np.log(np.exp(logits - np.float32(best)).sum(dtype=np.float64)))
    )
