from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import WeightsCorrupt
from models.smollm2.int8_blocks import BLOCK, int8_blocks


@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 99), st.sampled_from([1e-3, 1.0, 50.0]))
def test_numbers_are_kept_to_half_a_step(rows: int, groups: int, seed: int, size: float) -> None:
    weight = np.random.default_rng(seed).normal(0, size, (rows, groups * BLOCK)).astype(np.float32)
    blocks = int8_blocks(weight)
    assert blocks.shape == weight.shape and blocks.codes.min() >= 1
    back = blocks.rows(np.arange(rows))
    step = np.repeat(blocks.scales, BLOCK, axis=1)
    # half a step, and what the largest number loses when the scale is rounded to float16
    assert (np.abs(back - weight) <= 0.51 * step + 127 * step * 2**-11).all()
    np.testing.assert_array_equal(blocks.scales.astype(np.float16).astype(np.float32), blocks.scales)
    np.testing.assert_array_equal(blocks.rows(np.array([rows - 1, 0])), back[[rows - 1, 0]])


def test_zeros_stay_zeros() -> None:
    blocks = int8_blocks(np.zeros((2, BLOCK), np.float32))
    assert not blocks.rows(np.arange(2)).any()


def test_what_does_not_divide_is_refused() -> None:
    with pytest.raises(WeightsCorrupt, match="65 columns"):
        int8_blocks(np.zeros((2, 65), np.float32))
