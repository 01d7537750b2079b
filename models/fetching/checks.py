"""Sizes and sha256 sums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


def sha256_of(*files: Path) -> str:
    """The sha256, in hex, of the files' bytes one after another."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def difference(file: Path, *, size: int, sha256: str | None = None) -> str | None:
    """What is wrong with `file`, None when its size (and its sha256, if one is given) are right."""
    if not file.is_file():
        return f"{file.name} is not there"
    found = file.stat().st_size
    if found != size:
        return f"{file.name} has {found} bytes instead of {size}"
    if sha256 is not None and (digest := sha256_of(file)) != sha256:
        return f"{file.name} has sha256 {digest[:12]}... instead of {sha256[:12]}..."
    return None
