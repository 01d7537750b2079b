"""The sizes of an EfficientNet-Lite, as data, and what follows from them: blocks, and the shape of every tensor.

Width and depth scaling: Tan and Le, "EfficientNet" (2019), section 3; the Lite variants leave stem, head and the
repeats of the first and last stage unscaled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import UnknownModel, WeightsCorrupt

BN_EPS = 1e-3
_CHANNEL_STEP = 8


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind, before scaling. stride: of the first block; the others have 1."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


@dataclass(frozen=True)
class LiteConfig:
    """One network. mean, std: per RGB channel, of pixels in 0-255; image_size: side of the square input."""

    width: float
    depth: float
    image_size: int
    classes: int
    stem_channels: int
    head_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Block:
    """One inverted residual block, after scaling. It adds its input to its output if `residual`."""

    channels_in: int
    channels_mid: int
    channels_out: int
    kernel: int
    stride: int

    @property
    def expands(self) -> bool:
        """Whether a 1x1 convolution widens the input first."""
        return self.channels_mid != self.channels_in

    @property
    def residual(self) -> bool:
        """Whether input and output have the same shape."""
        return self.stride == 1 and self.channels_in == self.channels_out


def read_config(name: str) -> LiteConfig:
    """The configuration in `<name>.json` beside this file.

    Raises:
        UnknownModel: There is no such file.
    """
    path = Path(__file__).with_name(f"{name}.json")
    if not path.is_file():
        raise UnknownModel(f"no EfficientNet-Lite called {name!r}; there is no {path.name} in {path.parent}")
    return parse_config(json.loads(path.read_text(encoding="utf-8")))


def parse_config(row: Mapping[str, object]) -> LiteConfig:
    """The configuration that a JSON object describes."""
    values: dict[str, object] = dict(row)
    stages = values.pop("stages")
    assert isinstance(stages, list)
    for key in ("mean", "std"):
        triple = values[key]
        assert isinstance(triple, list)
        values[key] = tuple(triple)
    return LiteConfig(stages=tuple(Stage(**stage) for stage in stages), **values)  # type: ignore[arg-type]


def scaled_channels(channels: int, width: float) -> int:
    """`channels` times `width`, rounded to a multiple of 8, never below 90 % of the product."""
    scaled = channels * width
    rounded = max(_CHANNEL_STEP, int(scaled + _CHANNEL_STEP / 2) // _CHANNEL_STEP * _CHANNEL_STEP)
    return rounded + _CHANNEL_STEP if rounded < 0.9 * scaled else rounded


def blocks_of(config: LiteConfig) -> tuple[Block, ...]:
    """All blocks of the network, in order."""
    blocks: list[Block] = []
    channels = config.stem_channels
    last = len(config.stages) - 1
    for index, stage in enumerate(config.stages):
        fixed = index in (0, last)
        repeats = stage.repeats if fixed else math.ceil(config.depth * stage.repeats)
        out = scaled_channels(stage.channels, config.width)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            blocks.append(Block(channels, channels * stage.expand, out, stage.kernel, stride))
            channels = out
    return tuple(blocks)


def tensor_shapes(config: LiteConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a state dict of this network."""
    return dict(_shapes(config))


def check_state(shapes: Mapping[str, tuple[int, ...]], config: LiteConfig) -> None:
    """Returns when `shapes` (tensor name -> shape) is exactly what the network needs.

    Raises:
        WeightsCorrupt: A tensor is missing, has another shape, or belongs to no layer; the message names it.
    """
    wanted = tensor_shapes(config)
    for name, shape in wanted.items():
        if name not in shapes:
            raise WeightsCorrupt(f"the weights lack {name!r}, of shape {shape}")
        if tuple(shapes[name]) != shape:
            raise WeightsCorrupt(f"{name!r} has shape {tuple(shapes[name])}; the network needs {shape}")
    if extra := sorted(shapes.keys() - wanted.keys()):
        raise WeightsCorrupt(f"the weights hold {extra[0]!r}, which the network has no place for")


def _shapes(config: LiteConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "_conv_stem.weight", (config.stem_channels, 3, 3, 3)
    yield from _norm("_bn0", config.stem_channels)
    channels = config.stem_channels
    for index, block in enumerate(blocks_of(config)):
        prefix = f"_blocks.{index}"
        if block.expands:
            yield f"{prefix}._expand_conv.weight", (block.channels_mid, block.channels_in, 1, 1)
            yield from _norm(f"{prefix}._bn0", block.channels_mid)
        yield f"{prefix}._depthwise_conv.weight", (block.channels_mid, 1, block.kernel, block.kernel)
        yield from _norm(f"{prefix}._bn1", block.channels_mid)
        yield f"{prefix}._project_conv.weight", (block.channels_out, block.channels_mid, 1, 1)
        yield from _norm(f"{prefix}._bn2", block.channels_out)
        channels = block.channels_out
    yield "_conv_head.weight", (config.head_channels, channels, 1, 1)
    yield from _norm("_bn1", config.head_channels)
    yield "_fc.weight", (config.classes, config.head_channels)
    yield "_fc.bias", (config.classes,)


def _norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()
