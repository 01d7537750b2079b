from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.engines.decoding import MOST_LIKELY
from vidprompter.engines.drawers.nucleus import log_probability, pick


def some(seed: int, size: int = 400, spread: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, size).astype(np.float32)


def stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@given(st.integers(0, 99), st.floats(0.2, 2.0), st.floats(0.05, 1.0))
def test_only_the_nucleus_is_drawn(seed: int, temperature: float, top_p: float) -> None:
    logits = some(seed)
    weights = np.exp((np.sort(logits)[::-1] - logits.max()).astype(np.float64) / temperature)[:MOST_LIKELY]
    reached = np.cumsum(weights) / weights.sum()
    size = min(1 + int((reached < top_p - 1e-6).sum()), MOST_LIKELY)
    allowed = set(np.argsort(-logits, kind="stable")[: size + 1].tolist())
    draws = stream(seed)
    assert {pick(logits, temperature, top_p, draws) for _ in range(50)} <= allowed


def test_tokens_come_as_often_as_they_are_likely() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))
    draws = stream(1)
    counts = np.bincount([pick(logits, 1.0, 1.0, draws) for _ in range(4000)], minlength=4)
    np.testing.assert_allclose(counts / 4000, [0.5, 0.25, 0.125, 0.125], atol=0.025)


def test_a_flat_distribution_is_cut_at_the_most_likely() -> None:
    logits = np.linspace(0, 0.01, 5000, dtype=np.float32)
    draws = stream(2)
    assert min(pick(logits, 1.0, 1.0, draws) for _ in range(300)) >= 5000 - MOST_LIKELY


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_banned_is_not_drawn(temperature: float) -> None:
    logits = some(5)
    best = int(logits.argmax())
    logits[best] = -np.inf
    assert best not in {pick(logits, temperature, 1.0, stream(n)) for n in range(50)}


def test_equal_seeds_draw_equal_tokens() -> None:
    logits = some(6)
    assert [pick(logits, 1, 0.9, stream(n)) for n in range(9)] == [
        pick(logits, 1, 0.9, stream(n)) for n in range(9)
    ]


def test_log_probabilities_add_up_to_one() -> None:
    logits = some(7)
    assert np.isclose(sum(np.exp(log_probability(logits, t)) for t in range(len(logits))), 1, atol=1e-4)
