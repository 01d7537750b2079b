"""The projector `mlp_downsample`: 2x2 patches of the vision tower become one visual token of the language model.

Format: NVlabs/VILA, llava/model/multimodal_projector/base_projector.py. Letters: N frames, P patches of a frame,
Q visual tokens of a frame, C width of the vision tower, D width of the language model.
"""

from __future__ import annotations

from math import isqrt

from torch import Tensor, nn


def visual_tokens_per_frame(side: int) -> int:
    """How many visual tokens a grid of side x side patches gives; an odd side is padded: 27 -> 14 x 14 = 196."""
    return (-(-side // 2)) ** 2


def space_to_depth(patches: Tensor) -> Tensor:
    """2x2 neighbours side by side in the channels: (N, P, C), P a square, row by row -> (N, Q, 4C).

    An odd grid gets a last row and column of zeros. NOTE: the result runs column by column, not row by row, since
    VILA swaps the axes between its two foldings and never back; its weights were trained that way. The four
    channels blocks are upper left, upper right, lower left, lower right.

    Raises:
        ValueError: P is not a square.
    """
    frames, count, width = patches.shape
    side = isqrt(count)
    if side * side != count:
        raise ValueError(f"{count} patches are not a square grid")
    odd = side % 2
    half = (side + odd) // 2
    grid = nn.functional.pad(patches.reshape(frames, side, side, width), (0, 0, 0, odd, 0, odd))
    blocks = grid.reshape(frames, half, 2, half, 2, width)  # N, row, upper/lower, column, left/right, C
    return blocks.permute(0, 3, 1, 2, 4, 5).reshape(frames, half * half, 4 * width)


class _SpaceToDepth(nn.Module):
    def forward(self, patches: Tensor) -> Tensor:
        return space_to_depth(patches)


class DownsampleProjector(nn.Module):
    """Visual tokens (N, Q, D) from the vision tower's patches (N, P, C)."""

    def __init__(self, vision_width: int, text_width: int) -> None:
        super().__init__()
        # The numbers of these layers are the names of the published tensors: layers.1.weight, layers.2.bias ...
        self.layers = nn.Sequential(
            _SpaceToDepth(),
            nn.LayerNorm(4 * vision_width),
            nn.Linear(4 * vision_width, text_width),
            nn.GELU(),
            nn.Linear(text_width, text_width),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """(N, P, C) -> (N, Q, D)."""
        tokens: Tensor = self.layers(patches)
        return tokens
