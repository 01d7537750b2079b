"""EfficientNet-Lite as a torch module: the reference that the ONNX graph is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.efficientnet_lite.blocks import InvertedResidual, SameConv2d
from models.efficientnet_lite.config import BN_EPS, LiteConfig, blocks_of, check_state


class EfficientNetLite(nn.Module):
    """A classifier of square RGB pictures. Normalisation is inside: it takes plain pixels."""

    def __init__(self, config: LiteConfig) -> None:
        super().__init__()
        self.config = config
        blocks = blocks_of(config)
        self._conv_stem = SameConv2d(3, config.stem_channels, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(config.stem_channels, eps=BN_EPS)
        self._blocks = nn.ModuleList([InvertedResidual(block) for block in blocks])
        self._conv_head = SameConv2d(blocks[-1].channels_out, config.head_channels, 1)
        self._bn1 = nn.BatchNorm2d(config.head_channels, eps=BN_EPS)
        self._fc = nn.Linear(config.head_channels, config.classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (B, classes) for pixels (B, H, W, 3) in 0-255, RGB."""
        mean, std = pixels.new_tensor(self.config.mean), pixels.new_tensor(self.config.std)
        x = ((pixels - mean) / std).permute(0, 3, 1, 2)
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        return cast(Tensor, self._fc(x.mean(dim=(2, 3))))


def build_efficientnet_lite(config: LiteConfig, state: Mapping[str, Tensor]) -> EfficientNetLite:
    """The network of `config` with the weights `state`, in evaluation mode.

    Raises:
        WeightsCorrupt: A tensor is missing, misshapen or unknown; the message names it.
    """
    check_state({name: tuple(tensor.shape) for name, tensor in state.items()}, config)
    with torch.device("meta"):
        network = EfficientNetLite(config)
    network.load_state_dict(dict(state), strict=True, assign=True)
    return network.eval()
