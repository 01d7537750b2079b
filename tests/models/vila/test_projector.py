"""2x2 patches to one token: the order of the channels and of the tokens, odd grids."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from models.vila.projector import DownsampleProjector, space_to_depth, visual_tokens_per_frame  # noqa: E402


def folded_by_hand(frame: list[list[list[float]]]) -> list[list[float]]:
    """rows x columns x C -> tokens x 4C, one patch at a time.

    VILA joins two columns of a row first, then two rows, and reads the result column by column.
    """
    side, width = len(frame), len(frame[0][0])
    nothing = [0.0] * width

    def patch(row: int, column: int) -> list[float]:
        return frame[row][column] if row < side and column < side else nothing

    return [
        patch(row, column) + patch(row, column + 1) + patch(row + 1, column) + patch(row + 1, column + 1)
        for column in range(0, side, 2)
        for row in range(0, side, 2)
    ]


@settings(max_examples=20, deadline=None)
@given(side=st.integers(1, 9), width=st.integers(1, 5), frames=st.integers(1, 3))
def test_folding_is_what_vila_does(side: int, width: int, frames: int) -> None:
    grid = torch.arange(1.0, 1 + frames * side * side * width).reshape(frames, side, side, width)
    folded = space_to_depth(grid.reshape(frames, side * side, width))
    assert folded.tolist() == [folded_by_hand(frame) for frame in grid.tolist()]
    assert folded.shape[1] == visual_tokens_per_frame(side)


def test_an_odd_grid_gets_zeros_below_and_at_the_right() -> None:
    folded = space_to_depth(torch.ones(1, 9, 2))
    assert folded.shape == (1, 4, 8)
    assert folded[0].sum(-1).tolist() == [8.0, 4.0, 4.0, 2.0]


def test_the_published_size() -> None:
    assert visual_tokens_per_frame(27) == 196
    projector = DownsampleProjector(8, 12)
    assert projector(torch.zeros(2, 729, 8)).shape == (2, 196, 12)


def test_names_are_those_of_the_published_tensors() -> None:
    names = [f"layers.{layer}.{kind}" for layer in (1, 2, 4) for kind in ("weight", "bias")]
    assert list(DownsampleProjector(4, 6).state_dict()) == names


def test_patches_that_are_no_square() -> None:
    with pytest.raises(ValueError, match="10 patches are not a square"):
        space_to_depth(torch.zeros(1, 10, 4))
