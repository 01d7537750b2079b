"""Keys and values with room to grow.

transformers' own cache copies all keys and values of a layer for every token; with a hundred rows that is a fifth of
the time of a step. Here a layer is copied once in `ROOM` tokens.

Letters: B rows, H heads, L tokens, D width of a head.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 32  # tokens


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """The keys and values of one layer; `keys` and `values` are the used part of larger tensors."""

    keys: Tensor
    values: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._roomy: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """All keys and values (B, H, L, D) with the new ones at the end."""
        used = self.get_seq_length()
        if not used:  # a context: stays as it is until its rows are chosen
            super().update(key_states, value_states, *args, **kwargs)
            return self.keys, self.values
        end = used + key_states.shape[-2]
        if self._roomy is None or end > self._roomy[0].shape[-2]:
            self._roomy = _with_room(self.keys, end), _with_room(self.values, end)
        keys, values = self._roomy
        keys[:, :, used:end], values[:, :, used:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """None; keeps the rows `indices` (B,), which may repeat."""
        used = self.get_seq_length()
        if used:
            indices = indices.to(self.keys.device)  # layers may lie on several devices
            self._roomy = _with_room(self.keys, used, indices), _with_room(self.values, used, indices)
            self.keys, self.values = (part[:, :, :used] for part in self._roomy)


def roomy_cache() -> Cache:
    """An empty cache for any number of layers."""
    return Cache(layer_class_to_replicate=RoomyLayer)


def _with_room(states: Tensor, length: int, rows: Tensor | None = None) -> Tensor:
    """A copy (B, H, L + room, D) of states, or of some of their rows, for `length` tokens and `ROOM` more."""
    batch, heads, used, width = states.shape
    room = states.new_empty((batch if rows is None else len(rows), heads, length + ROOM, width))
    room[:, :, :used] = states if rows is None else states.index_select(0, rows)
    return room
