"""Confidence intervals of means over clips, by the bootstrap (Efron 1979), the same clips for all models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
_DRAWS_AT_ONCE = 2_000_000


def resampled_means(
    values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Means of clips drawn with replacement. values (N clips, M models), finite; returns (resamples, M).

    One draw of clips serves all models, so that differences of its columns are those of paired clips.
    """
    clips, _ = values.shape
    rng = np.random.default_rng(seed)
    share = np.full(clips, 1.0 / clips)
    at_once = max(1, _DRAWS_AT_ONCE // clips)
    found = []
    for begin in range(0, resamples, at_once):
        # How often each clip is drawn: as good as drawing one by one, and one product for all models.
        counts = rng.multinomial(clips, share, size=min(at_once, resamples - begin))
        found.append(counts @ values / clips)
    return np.concatenate(found)


def interval(means: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of resampled means (R,): low and high."""
    tail = (1.0 - level) / 2
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)
