"""Which drawer runs the built-in model here."""

from __future__ import annotations

from pathlib import Path

from vidprompter.engines.drawers.protocol import Drawer


def make_drawer(name: str, adapter: Path, *, dtype: str = "auto", device: str = "auto") -> Drawer:
    """The fastest drawer for the machine, loaded.

    dtype: "auto", or the numbers it has to compute in. device: "auto" or a torch name.

    Raises:
        WeightsMissing, WeightsCorrupt, ModelError: as `torch_drawer`.
    """
    from vidprompter.engines.drawers.torch_drawer import torch_drawer

    return torch_drawer(name, adapter, dtype=dtype, device=device)
