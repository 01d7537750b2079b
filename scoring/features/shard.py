"""Shard files: rows of float32 features, each with its key and a checksum, as safetensors.

Tensors: `features` (N, D) float32, `counts` (N,) int64, `keys` (N, 32) uint8, `checks` (N, 16) uint8. A shard is written
once, under another name, and renamed; it is never changed.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY_BYTES, CHECK_BYTES = 32, 16
_HEADER_AT_MOST = 1 << 20


class DamagedShard(Exception):
    """The file is not what was written. Never leaves the package."""


@dataclass(frozen=True)
class Feature:
    """A feature as it is kept. vector: (D,) float32. count: a whole number that belongs to it, such as its tokens."""

    vector: NDArray[np.float32]
    count: int = 0


def feature_key(*parts: object) -> bytes:
    """32 bytes that stand for all of `parts`, which JSON can hold."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return blake2b(text.encode(), digest_size=KEY_BYTES).digest()


def write_shard(path: Path, rows: Sequence[tuple[bytes, Feature]]) -> int:
    """Writes `rows`, whose vectors are of one length, and gives back the bytes of the file.

    Raises:
        OSError: disk full, read-only ...
    """
    from safetensors.numpy import save

    tensors = {
        "features": np.stack([feature.vector for _, feature in rows]).astype(np.float32),
        "counts": np.array([feature.count for _, feature in rows], np.int64),
        "keys": np.stack([np.frombuffer(key, np.uint8) for key, _ in rows]),
        "checks": np.stack([np.frombuffer(_check(key, feature), np.uint8) for key, feature in rows]),
    }
    data = save(tensors)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return len(data)


class Shard:
    """An open shard file; a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens it.

        Raises:
            FileNotFoundError: it was dropped. DamagedShard: it is no shard.
        """
        self._file = path.open("rb")
        try:
            self._tensors, self._start = _header(self._file)
            self.rows, self._width = self._shape()
        except DamagedShard:
            self._file.close()
            raise

    def __enter__(self) -> Shard:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, row: int, key: bytes) -> Feature:
        """What is kept in `row`.

        Raises:
            DamagedShard: not for that key, or not as it was written.
        """
        if not 0 <= row < self.rows:
            raise DamagedShard(f"no row {row}")
        vector = np.frombuffer(self._bytes("features", row, 4 * self._width), np.float32)
        count = int(np.frombuffer(self._bytes("counts", row, 8), np.int64)[0])
        feature = Feature(vector, count)
        if self._bytes("checks", row, CHECK_BYTES) != _check(key, feature):
            raise DamagedShard(f"row {row} has another checksum")
        return feature

    def keys(self) -> list[bytes]:
        """Of all rows.

        Raises:
            DamagedShard: the file is too short.
        """
        return [self._bytes("keys", row, KEY_BYTES) for row in range(self.rows)]

    def _shape(self) -> tuple[int, int]:
        try:
            rows, width = self._tensors["features"]["shape"]
            right = {
                "features": ("F32", [rows, width]),
                "counts": ("I64", [rows]),
                "keys": ("U8", [rows, KEY_BYTES]),
                "checks": ("U8", [rows, CHECK_BYTES]),
            }
            if any(
                (self._tensors[n]["dtype"], self._tensors[n]["shape"]) != want for n, want in right.items()
            ):
                raise DamagedShard("other tensors than a shard has")
            return int(rows), int(width)
        except (KeyError, TypeError, ValueError):
            raise DamagedShard("other tensors than a shard has") from None

    def _bytes(self, tensor: str, row: int, size: int) -> bytes:
        try:
            self._file.seek(self._start + int(self._tensors[tensor]["data_offsets"][0]) + row * size)
            found = self._file.read(size)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            raise DamagedShard("offsets that make no sense") from None
        if len(found) != size:
            raise DamagedShard("shorter than it was")
        return found


def _check(key: bytes, feature: Feature) -> bytes:
    digest = blake2b(key, digest_size=CHECK_BYTES)
    digest.update(struct.pack("<qq", feature.count, len(feature.vector)))
    digest.update(np.ascontiguousarray(feature.vector, np.float32).tobytes())
    return digest.digest()


def _header(file: Any) -> tuple[dict[str, Any], int]:
    """The table of tensors, and where their data starts."""
    head = file.read(8)
    if len(head) != 8 or (size := struct.unpack("<Q", head)[0]) > _HEADER_AT_MOST:
        raise DamagedShard("no safetensors file")
    try:
        table = json.loads(file.read(size))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise DamagedShard("no safetensors file") from None
    if not isinstance(table, dict):
        raise DamagedShard("no safetensors file")
    return table, 8 + size
