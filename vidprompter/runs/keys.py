"""What makes an item of a run the same item next time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any


@dataclass(frozen=True, slots=True)
class ItemName:
    """One item: which stretch of which file, asked how.

    root: number of the folder in the ledger's table of roots; path: relative to it, with forward slashes.
    start, end: seconds of the file, None for the whole. settings: all that changes the answer, including
    model and revision.
    """

    root: int
    path: str
    start: float | None = None
    end: float | None = None
    task: str = ""
    short: str | None = None
    variant: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


def item_key(name: ItemName, occurrence: int = 0) -> str:
    """32 hex digits, the same for the same item on every machine and Python.

    occurrence: 0 for the first item of this name, 1 for the second: a clip listed twice gets two rows.
    """
    parts = [
        name.root,
        name.path,
        None if name.start is None else float(name.start),
        None if name.end is None else float(name.end),
        name.task,
        name.short,
        name.variant,
        name.settings,
        occurrence,
    ]
    # ASCII JSON: file names that are not valid UTF-8 arrive as lone surrogates, which only escapes can carry.
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return blake2b(text.encode("ascii"), digest_size=16).hexdigest()
