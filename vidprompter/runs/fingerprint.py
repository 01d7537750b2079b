"""Fingerprints: whether a file is still the one that was worked on, cheap ones without reading all of it."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import NamedTuple

BLOCK_BYTES = 4096
BLOCKS = 16  # first, last, and evenly between; files up to 64 KiB are read whole
WHOLE = "whole-"  # marks the digest of all bytes
_CHUNK_BYTES = 1 << 20


class Fingerprint(NamedTuple):
    """size in bytes; times in nanoseconds; blocks: digest, "" where nothing can be read.

    The digest is of sampled blocks, or of all bytes where it begins with `WHOLE`.
    """

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


def fingerprint(path: str, *, whole: bool = False) -> Fingerprint:
    """The fingerprint of `path`, `MISSING` where nothing can be looked at; never blocks on a pipe.

    whole: read every byte.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - str in, no Path per item
    except (OSError, ValueError):
        return MISSING
    blocks = _digest(path, found.st_size, whole) if stat.S_ISREG(found.st_mode) else ""
    return Fingerprint(found.st_size, found.st_mtime_ns, found.st_ctime_ns, blocks)


def looks_unchanged(path: str, before: str) -> bool:
    """Whether size and times are still those of `before` (a `to_text`); the quick part of `unchanged`."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return before.startswith(f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:")


def unchanged(path: str, before: Fingerprint, *, whole: bool = False) -> bool:
    """Whether `path` still holds what `before` was taken of.

    Same size, mtime and ctime: yes, without reading (nothing but the clock sets ctime, so `touch -r` cannot
    hide a change). Same size and same digest: yes, it was copied or touched. Anything else: no.
    whole: where `before` has a digest of all bytes, trust that alone and read the file.
    """
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return before == MISSING
    if found.st_size != before.size:
        return False
    was_whole = before.blocks.startswith(WHOLE)
    is_same_time = found.st_mtime_ns == before.mtime_ns and found.st_ctime_ns == before.ctime_ns
    if is_same_time and not (whole and was_whole):
        return True
    return (
        bool(before.blocks)
        and stat.S_ISREG(found.st_mode)
        and _digest(path, found.st_size, was_whole) == before.blocks
    )


def _digest(path: str, size: int, whole: bool) -> str:
    """Digest of all bytes or of the sampled blocks, "" where reading is refused."""
    digest = blake2b(digest_size=12)
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return ""
    try:
        if whole:
            while chunk := os.read(file, _CHUNK_BYTES):
                digest.update(chunk)
        else:
            for start in _starts(size):
                os.lseek(file, start, os.SEEK_SET)
                digest.update(os.read(file, BLOCK_BYTES))
    except OSError:
        return ""
    finally:
        os.close(file)
    return (WHOLE if whole else "") + digest.hexdigest()


def _starts(size: int) -> list[int]:
    """Where the sampled blocks begin."""
    last = max(0, size - BLOCK_BYTES)
    return sorted({last * step // (BLOCKS - 1) for step in range(BLOCKS)})
