"""What makes an item of a run the same item next time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple


class ItemName(NamedTuple):
    """One item: which stretch of which file, asked how.

    root: number of the folder in the ledger's table of roots; path: relative to it, with forward slashes.
    start, end: seconds of the file, None for the whole. settings: `settings_text` of all that changes the
    answer, including model and revision.
    """

    root: int
    path: str
    start: float | None = None
    end: float | None = None
    task: str = ""
    short: str | None = None
    variant: int = 0
    settings: str = "{}"


# ASCII JSON: file names that are not valid UTF-8 arrive as lone surrogates, which only escapes can carry.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
_text: Callable[[str], str] = json.encoder.encode_basestring_ascii


def settings_text(settings: Mapping[str, Any]) -> str:
    """The one text of equal settings; made once for a run, since it is a part of every key."""
    return _encode(dict(settings))


def item_key(name: ItemName, occurrence: int = 0) -> str:
    """32 hex digits, the same for the same item on every machine and Python.

    occurrence: 0 for the first item of this name, 1 for the second: a clip listed twice gets two rows.
    """
    short = "null" if name.short is None else _text(name.short)
    # By hand, since this is most of the work of finding out that a long list is done.
    text = (
        f"[{name.root},{_text(name.path)},{_number(name.start)},{_number(name.end)},{_text(name.task)},{short},"
        f"{name.variant},{name.settings},{occurrence}]"
    )
    return blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def adopted_key(name: ItemName, occurrence: int = 0) -> str:
    """The key of an item that is known by its finished row alone. name: with its absolute path."""
    return f"adopted:{item_key(name._replace(root=0), occurrence)}"


def shard_of(name: ItemName, count: int) -> int:
    """Which of `count` shards an item belongs to; its root and settings do not matter."""
    where = _encode([name.path, name.start, name.end])
    return int.from_bytes(blake2b(where.encode("ascii"), digest_size=8).digest()) % count


def _number(seconds: float | None) -> str:
    if seconds is None:
        return "null"
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} is no moment of a file")
    return repr(float(seconds))
