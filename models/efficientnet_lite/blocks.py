"""The torch layers of EfficientNet-Lite. Tensor names are those of the published PyTorch state dicts.

Letters: B batch, C channels, H and W height and width.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.efficientnet_lite.config import BN_EPS, Block


class SameConv2d(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow's SAME does: what is odd goes right and below."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C_out, ceil(H / stride), ceil(W / stride)) for (B, C_in, H, W)."""
        high, wide = (
            same_padding(size, self.kernel_size[0], self.stride[0])
            for size in (input.shape[-2], input.shape[-1])
        )
        padded = F.pad(input, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return F.conv2d(padded, self.weight, None, self.stride, 0, 1, self.groups)


def same_padding(size: int, kernel: int, stride: int) -> int:
    """How many rows or columns SAME adds in all, so that the output has ceil(size / stride)."""
    return max((-(-size // stride) - 1) * stride + kernel - size, 0)


class InvertedResidual(nn.Module):
    """Widen (1x1), filter each channel alone (k x k), narrow (1x1), add the input if the shape is the same."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        mid = block.channels_mid
        self.block = block
        if block.expands:
            self._expand_conv = SameConv2d(block.channels_in, mid, 1)
            self._bn0 = nn.BatchNorm2d(mid, eps=BN_EPS)
        self._depthwise_conv = SameConv2d(mid, mid, block.kernel, stride=block.stride, groups=mid)
        self._bn1 = nn.BatchNorm2d(mid, eps=BN_EPS)
        self._project_conv = SameConv2d(mid, block.channels_out, 1)
        self._bn2 = nn.BatchNorm2d(block.channels_out, eps=BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_out, ...) for (B, channels_in, H, W)."""
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self.block.expands else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow = cast(Tensor, self._bn2(self._project_conv(wide)))
        return torch.add(narrow, x) if self.block.residual else narrow
