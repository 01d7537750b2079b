"""Matrices in 8 bits: blocks of 64 numbers along a row share one scale.

Chosen by measurement (benchmarks/agreement.py): 4 bits would be a little faster, but change many greedy tokens of so
small a model, and rounding them back onto the 4-bit grid of the base would undo the adapter.

Letters: N rows, K columns, G = K / 64 blocks of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsCorrupt

BLOCK = 64
"""Numbers that share a scale. 32 would be exacter, and slower: it has twice the scales to read."""
ZERO = 128
"""What stands for 0."""


@dataclass(frozen=True)
class Int8Blocks:
    """A matrix: scales * (codes - 128). codes: (N, G, 64) uint8, 1 to 255. scales: (N, G) float32, exact in float16."""

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""
        return self.codes.shape[0], self.codes.shape[1] * self.codes.shape[2]

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows (R,) of the matrix: (R, K) float32."""
        values = self.codes[numbers].astype(np.float32)
        values -= ZERO
        values *= self.scales[numbers][..., None]
        return values.reshape(len(numbers), -1)


def int8_blocks(weight: NDArray[np.float32]) -> Int8Blocks:
    """The matrix (N, K) rounded to 8 bits; the largest number of a block is kept.

    Scales are rounded to float16, so that the same numbers can be written as Q8_0 of GGUF.

    Raises:
        WeightsCorrupt: K is no whole number of blocks.
    """
    rows, columns = weight.shape
    if columns % BLOCK:
        raise WeightsCorrupt(f"a matrix of {columns} columns does not divide into blocks of {BLOCK}")
    blocks = weight.reshape(rows, columns // BLOCK, BLOCK)
    scales = (np.abs(blocks).max(-1) / 127).astype(np.float16).astype(np.float32)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    rounded = np.rint(blocks * inverse[..., None]).clip(-127, 127)
    return Int8Blocks((rounded + ZERO).astype(np.uint8), scales)
