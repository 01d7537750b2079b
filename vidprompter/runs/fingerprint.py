"""Cheap fingerprints: whether a file is still the one that was worked on, without reading all of it."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import NamedTuple

BLOCK_BYTES = 4096
BLOCKS = 16  # first, last, and evenly between; files up to 64 KiB are read whole


class Fingerprint(NamedTuple):
    """size in bytes; times in nanoseconds; blocks: digest of sampled blocks, "" where none can be read."""

    size: int
    mtime_ns: int
    ctime_ns: int
    blocks: str

    def to_text(self) -> str:
        """One short line for the ledger."""
        return f"{self.size}:{self.mtime_ns}:{self.ctime_ns}:{self.blocks}"

    @classmethod
    def from_text(cls, text: str) -> Fingerprint:
        """The inverse of `to_text`."""
        size, mtime_ns, ctime_ns, blocks = text.split(":")
        return cls(int(size), int(mtime_ns), int(ctime_ns), blocks)


MISSING = Fingerprint(-1, 0, 0, "")


def fingerprint(path: str) -> Fingerprint:
    """The fingerprint of `path`, `MISSING` where nothing can be looked at; never blocks on a pipe."""
    try:
        found = os.stat(path)  # noqa: PTH116 - str in, no Path per item
    except (OSError, ValueError):
        return MISSING
    blocks = _sample(path, found.st_size) if stat.S_ISREG(found.st_mode) else ""
    return Fingerprint(found.st_size, found.st_mtime_ns, found.st_ctime_ns, blocks)


def unchanged(path: str, before: Fingerprint) -> bool:
    """Whether `path` still holds what `before` was taken of.

    Same size, mtime and ctime: yes, without reading (nothing but the clock sets ctime, so `touch -r` cannot
    hide a change). Same size and same sampled blocks: yes, it was copied or touched. Anything else: no.
    """
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return before == MISSING
    if found.st_size != before.size:
        return False
    if found.st_mtime_ns == before.mtime_ns and found.st_ctime_ns == before.ctime_ns:
        return True
    return (
        bool(before.blocks) and stat.S_ISREG(found.st_mode) and _sample(path, found.st_size) == before.blocks
    )


def _sample(path: str, size: int) -> str:
    """Digest of the sampled blocks, "" where reading is refused."""
    last = max(0, size - BLOCK_BYTES)
    starts = sorted({last * step // (BLOCKS - 1) for step in range(BLOCKS)})
    digest = blake2b(digest_size=12)
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return ""
    try:
        for start in starts:
            digest.update(os.pread(file, BLOCK_BYTES, start))
    except OSError:
        return ""
    finally:
        os.close(file)
    return digest.hexdigest()
