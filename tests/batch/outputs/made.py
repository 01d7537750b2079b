"""Rows and a ledger of a few lines, for tests of the views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidprompter.runs.output import Row


class ListedRows:
    """A ledger's rows, held in a list."""

    def __init__(self, rows: list[Row] | None = None) -> None:
        self.rows = rows or []

    def after(self, seq: int) -> Iterator[Row]:
        return iter([row for row in self.rows if row.seq > seq])

    def put(self, *rows: Row) -> list[Row]:
        self.rows.extend(rows)
        return list(rows)

    def take(self, *places: int) -> None:
        self.rows = [row for row in self.rows if row.seq not in places]


def fields(path: Path | str, number: int = 0, **changed: Any) -> dict[str, Any]:
    """A row like those of `vidprompter caption`."""
    return {
        "path": str(path),
        "start": None,
        "end": None,
        "task": "video_to_prompt",
        "short": None,
        "variant": 0,
        "prompt": f"Prompt {number}: a “quiet” street 🎬.",
        "status": "done",
        "error": None,
        "finish": "stop",
        "flags": [],
        "model": "letters",
        "revision": "1",
        "engine": "stub",
        "settings": {"temperature": 0.7, "max_new_tokens": 320},
        "seed": 7,
        "seconds": 0.125,
        **changed,
    }


def row(seq: int, path: Path | str, **changed: Any) -> Row:
    return Row(seq, json.dumps(fields(path, seq, **changed)))


def failed(seq: int, path: Path | str) -> Row:
    error = {"type": "CorruptVideo", "message": "no frame decodes"}
    return row(seq, path, prompt=None, status="failed", error=error, finish=None)


def clips(folder: Path, count: int) -> list[Path]:
    """Files with bytes of their own; no test here decodes them."""
    folder.mkdir(exist_ok=True)
    found = []
    for number in range(1, count + 1):
        clip = folder / f"clip{number}.MP4"
        clip.write_bytes(bytes([number]) * (700 * number))
        found.append(clip)
    return found
