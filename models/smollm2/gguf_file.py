"""Reading GGUF, version 3: metadata and tensors. Format: ggml-org/ggml, docs/gguf.md.

An own reader because the general one builds several objects for each vocabulary entry: loading this model through
it costs 17 s of processor time, and this file reads it in 0.3 s.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsCorrupt

_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_ALIGNMENT = 32


@dataclass(frozen=True)
class GgufFile:
    """metadata: key -> value, arrays as lists. tensors: name -> float32 maker, called when its values are needed."""

    metadata: dict[str, Any]
    tensors: dict[str, Callable[[], NDArray[np.float32]]]


def read_gguf(path: Path) -> GgufFile:
    """The metadata and the (still packed) tensors of the GGUF file at `path`.

    Raises:
        WeightsCorrupt: Not GGUF version 3, cut short, or packed in a way that is not read here.
    """
    cursor = _Cursor(path.read_bytes(), path.name)
    if cursor.take(4) != b"GGUF" or (version := cursor.scalar("<I")) != 3:
        raise WeightsCorrupt(f"{path.name} is not a GGUF file of version 3")
    del version
    tensor_count, key_count = cursor.scalar("<Q"), cursor.scalar("<Q")
    metadata = {cursor.string(): cursor.value(cursor.scalar("<I")) for _ in range(key_count)}
    heads = [_tensor_head(cursor) for _ in range(tensor_count)]
    alignment = int(metadata.get("general.alignment", _ALIGNMENT))
    start = -(-cursor.at // alignment) * alignment
    return GgufFile(metadata, {head.name: _tensor(cursor, start, head) for head in heads})


@dataclass(frozen=True)
class _Head:
    name: str
    shape: tuple[int, ...]  # row-major, as numpy has it; GGUF writes it the other way round
    packing: int
    offset: int


def _tensor_head(cursor: _Cursor) -> _Head:
    name = cursor.string()
    sizes = [cursor.scalar("<Q") for _ in range(cursor.scalar("<I"))]
    return _Head(name, tuple(reversed(sizes)), cursor.scalar("<I"), cursor.scalar("<Q"))


def _tensor(cursor: _Cursor, start: int, head: _Head) -> Callable[[], NDArray[np.float32]]:
    packing = _PACKINGS.get(head.packing)
    if packing is None:
        raise WeightsCorrupt(
            f"{cursor.name}: {head.name} has packing {head.packing}; known are {list(_PACKINGS)}"
        )
    count = prod(head.shape)
    if count % packing.values:
        raise WeightsCorrupt(
            f"{cursor.name}: {head.name} has {count} values, not whole blocks of {packing.values}"
        )
    packed = cursor.slice(start + head.offset, count // packing.values * packing.bytes)
    return partial(_unpacked, packing, packed, head.shape)


@dataclass(frozen=True)
class _Packing:
    """Blocks of `values` numbers in `bytes` bytes."""

    values: int
    bytes: int
    unpack: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def _unpacked(packing: _Packing, packed: memoryview, shape: tuple[int, ...]) -> NDArray[np.float32]:
    blocks = np.frombuffer(packed, np.uint8).reshape(-1, packing.bytes)
    return packing.unpack(blocks).reshape(shape)


def _f32(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    return blocks.view("<f4").astype(np.float32)


def _q8_0(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """d * q: a float16 scale and 32 signed bytes."""
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    return blocks[:, 2:].view(np.int8).astype(np.float32) * scale


def _q4_1(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """d * q + m: a float16 scale, a float16 least value, 32 half bytes (the low halves come first)."""
    head = blocks[:, :4].copy().view("<f2").astype(np.float32)
    halves = blocks[:, 4:]
    q = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32)
    q *= head[:, :1]
    q += head[:, 1:]
    return q


_PACKINGS = {0: _Packing(1, 4, _f32), 3: _Packing(32, 20, _q4_1), 8: _Packing(32, 34, _q8_0)}


class _Cursor:
    """Walks over the bytes of a file; a step past the end is an error that names the file."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = memoryview(data)
        self.name = name
        self.at = 0

    def slice(self, start: int, size: int) -> memoryview:
        if start + size > len(self.data):
            raise WeightsCorrupt(
                f"{self.name} is cut short: {len(self.data)} bytes, and more than {start + size} are needed"
            )
        return self.data[start : start + size]

    def take(self, size: int) -> bytes:
        taken = bytes(self.slice(self.at, size))
        self.at += size
        return taken

    def scalar(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def string(self) -> str:
        return self.take(self.scalar("<Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.scalar("<I"), self.scalar("<Q")
            return [self.value(inner) for _ in range(count)]
        if kind not in _SCALARS:
            raise WeightsCorrupt(f"{self.name} holds metadata of unknown kind {kind}")
        return self.scalar(_SCALARS[kind])
