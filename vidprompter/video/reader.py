"""What the three readers (decord, PyAV, pictures) have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Size = tuple[int, int]
"""Width and height of the displayed picture, pixels."""

# A moment and a presentation time computed in different ways may differ in the last bits of a float.
TIME_SLACK = 1e-6


@dataclass(frozen=True)
class Moment:
    """A wanted moment: the picture on screen at `time` (seconds of the file), for `plans` (numbers)."""

    time: float
    plans: frozenset[int]


@dataclass(frozen=True)
class Picture:
    """One decoded picture. time: its presentation time. images: (H, W, 3) uint8 sRGB, upright, by plan."""

    time: float
    images: dict[int, NDArray[np.uint8]]


class FrameReader(Protocol):
    """Decodes the pictures on screen at given moments, in one pass."""

    name: str
    """"decord", "pyav" or "image"."""

    damaged: bool
    """After `read`: something on the way did not decode."""

    ended_at: float | None
    """After `read`: where the pictures stopped, seconds, when that was before the last moment; else None."""

    frames_in_all: int | None
    """After `read`: how many frames decoded, when the end of the file was reached; else None."""

    def read(self, moments: Sequence[Moment], sizes: Sequence[Size]) -> Iterator[Picture]:
        """Yields pictures in order of time, for each plan in its size; none twice for a plan.

        Raises:
            CorruptVideo: nothing decodes.
        """
        ...


class CannotRead(Exception):
    """This reader gives up on the file; another may manage. Never leaves the package."""
