"""Where a checkpoint keeps a tensor of the network, and how a whole layout is told and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.clip.config import ClipConfig
from models.clip.state import Shape, State
from models.errors import WeightsCorrupt

if TYPE_CHECKING:
    from torch import Tensor

_NAMED = 3  # how many wrong tensors an error names


@dataclass(frozen=True)
class Slot:
    """One tensor of the network, as it is stored.

    parts: stored names, whose rows one after another make the tensor. turned: stored transposed. inflated: stored with
    an axis of length 1, for time, behind the second.
    """

    parts: tuple[str, ...]
    turned: bool = False
    inflated: bool = False

    def shape(self, shape: Shape) -> Shape:
        """The shape of each stored part of a tensor of that shape."""
        if self.turned:
            return shape[::-1]
        if self.inflated:
            return (*shape[:2], 1, *shape[2:])
        return (shape[0] // len(self.parts), *shape[1:])

    def read(self, state: State) -> Tensor:
        """The network's tensor."""
        import torch

        if len(self.parts) > 1:
            return torch.cat([state.read(part) for part in self.parts])
        [name] = self.parts
        tensor = state.read(name)
        if self.turned:
            return tensor.T
        return tensor.squeeze(2) if self.inflated else tensor


@dataclass(frozen=True)
class Layout:
    """A form of checkpoints. slot: where it keeps the network's tensor of that name. harmless: what may lie beside the
    weights and changes no number: stored name -> the shapes it may have.
    """

    name: str
    slot: Callable[[str], Slot]
    harmless: Callable[[ClipConfig], Mapping[str, tuple[Shape, ...]]]


def check_names(state: State, layout: Layout, config: ClipConfig, needed: Mapping[str, Shape]) -> None:
    """Nothing, when `state` holds exactly what the network needs. needed: the network's names -> shapes.

    Raises:
        WeightsCorrupt: a tensor is missing, has no place, or has another shape; up to three are named.
    """
    wanted: dict[str, Shape] = {}
    for name, shape in needed.items():
        slot = layout.slot(name)
        wanted |= dict.fromkeys(slot.parts, slot.shape(shape))
    harmless = layout.harmless(config)
    wrong = [
        f"{name!r} ({_size(shape)}) is missing" for name, shape in wanted.items() if name not in state.shapes
    ]
    for name, found in state.shapes.items():
        if name in wanted:
            if found != wanted[name]:
                wrong.append(f"{name!r} is {_size(found)} instead of {_size(wanted[name])}")
        elif name not in harmless:
            wrong.append(f"{name!r} ({_size(found)}) has no place in this network")
        elif found not in harmless[name]:
            wrong.append(f"{name!r} is {_size(found)} instead of {_size(harmless[name][0])}")
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise WeightsCorrupt(
            f"{state.where} is not a whole checkpoint of the {layout.name} layout: {'; '.join(wrong[:_NAMED])}{more}"
        )


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"
