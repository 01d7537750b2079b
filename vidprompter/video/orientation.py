"""The display matrix: how a decoded frame is turned and mirrored before it is shown."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """Quarter turns counter-clockwise (0-3), done after a left-right mirroring where `mirrored`."""

    quarter_turns: int = 0
    mirrored: bool = False

    @property
    def is_upright(self) -> bool:
        """True where the frame is shown as decoded."""
        return self.quarter_turns == 0 and not self.mirrored

    @property
    def degrees(self) -> int:
        """The turn in degrees clockwise: 0, 90, 180 or 270."""
        return (-self.quarter_turns % 4) * 90

    @property
    def swaps_sides(self) -> bool:
        """True where width and height change places."""
        return self.quarter_turns % 2 == 1

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`image` (H, W, 3) as it is to be shown; a view where possible."""
        if self.mirrored:
            image = image[:, ::-1]
        return np.rot90(image, self.quarter_turns) if self.quarter_turns else image


UPRIGHT = Orientation()


def orientation_of(matrix: bytes | None) -> Orientation:
    """The nearest quarter turn (and mirroring) to a container's display matrix, 9 little-endian int32.

    The matrix maps a point (x, y), y down, to (a x + c y, b x + d y) with [a b u; c d v; ...] (ISO 14496-12,
    6.2.2); a mirrored one has a negative determinant. No matrix, or a senseless one, is upright.
    """
    if matrix is None or len(matrix) < 36:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("<9i", matrix[:36])
    if a * d - b * c == 0:
        return UPRIGHT
    mirrored = a * d - b * c < 0
    if mirrored:
        # Undo the mirroring in front (x -> -x), so that a pure turn is left.
        a, b = -a, -b
    # A counter-clockwise quarter turn on screen (y down) sends the x axis (1, 0) to (0, -1).
    turns = int(np.rint(np.arctan2(-b, a) / (np.pi / 2))) % 4
    return Orientation(turns, mirrored)
