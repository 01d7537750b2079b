"""A revision for a model folder or file that has none: a digest of its settings and of samples of its weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".data"}
_TEXTS = {".json", ".jinja", ".txt", ".model"}
_WHOLE_AT_MOST = 64_000_000  # bytes; a tokenizer of a quarter of a million words has 35 MB
_HEADER_AT_MOST = 100_000_000  # bytes: what the safetensors format allows
_SAMPLES, _SAMPLE_BYTES = 16, 4096


def local_revision(folder: Path) -> str:
    """`local+` and 12 hex digits that change with the folder's settings and, as good as always, its weights.

    folder: or a single file of weights.

    Read are files of up to 64 MB whole; of larger weights the names, sizes, safetensors headers, and 16 pieces of 4 KB
    spread over each file: a fine-tune of the same shape gets another revision, and seven billion parameters take a
    fraction of a second.

    Raises:
        OSError: A file cannot be read.
    """
    digest = hashlib.sha256()
    alone = folder.is_file()  # its name says nothing of it
    for file in [folder] if alone else _files(folder):
        size = file.stat().st_size
        digest.update(f"{'' if alone else file.relative_to(folder).as_posix()}\0{size}\0".encode())
        if size > _WHOLE_AT_MOST:
            for piece in _pieces(file, size):
                digest.update(piece)
        else:
            digest.update(file.read_bytes())
    return f"local+{digest.hexdigest()[:12]}"


def _files(folder: Path) -> list[Path]:
    """The files that say what the model is, without hidden folders, in an order of their names."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if Path(name).suffix in _WEIGHTS | _TEXTS]
    return sorted(file for file in found if file.is_file())


def _pieces(file: Path, size: int) -> Iterator[bytes]:
    with file.open("rb") as stream:
        if file.suffix == ".safetensors" and size >= 8:
            length = int.from_bytes(stream.read(8), "little")
            yield stream.read(min(length, size, _HEADER_AT_MOST))
        for number in range(_SAMPLES):
            stream.seek(max(size - _SAMPLE_BYTES, 0) * number // (_SAMPLES - 1))
            yield stream.read(_SAMPLE_BYTES)
