"""Lists of clips in a file: CSV, TSV or JSONL with a `path` column."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batch.inputs.entry import ClipEntry
from batch.inputs.sidecar import checked_short
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.video.files import show

MANIFEST_SUFFIXES = frozenset((".csv", ".tsv", ".jsonl", ".ndjson"))
COLUMNS = ("path", "short", "start", "end")


def read_manifest(manifest: str, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    """The clips of a manifest, one per line; relative paths start from the manifest's own folder.

    Columns: `path`, and if wanted `short`, `start` and `end` (seconds); others are named and left out.
    A relative path that leaves the manifest's folder costs its row. Absolute paths are taken as they are.

    Raises:
        InputError: not readable, no `path` column, or a line that is not a row.
    """
    folder = os.path.dirname(manifest)  # noqa: PTH120
    others: set[str] = set()
    try:
        rows = _jsonl_rows(manifest) if manifest.endswith(("jsonl", "ndjson")) else _csv_rows(manifest)
        for line, row in rows:
            others.update(str(name) for name in row if name not in COLUMNS)
            yield _entry(row, f"{show(manifest)} line {line}", folder)
    except OSError as error:
        raise InputError(f"{show(manifest)} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{show(manifest)} is not UTF-8 text; save it as UTF-8") from None
    if others:
        names = ", ".join(sorted(others)[:8])
        say(f"columns of {show(manifest)} that are not used: {names} (used are {', '.join(COLUMNS)})")


def _csv_rows(manifest: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with Path(manifest).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, dialect="excel-tab" if manifest.endswith(".tsv") else "excel")
        if "path" not in (reader.fieldnames or ()):
            raise InputError(
                f"{show(manifest)} has no column 'path'; its first line must name columns: {', '.join(COLUMNS)}"
            )
        try:
            for row in reader:
                if None in row:
                    raise InputError(
                        f"{show(manifest)} line {reader.line_num} has more fields than the first line; "
                        f"put quotes around text that holds commas"
                    )
                yield reader.line_num, row
        except csv.Error as error:
            raise InputError(f"{show(manifest)} line {reader.line_num} is not CSV ({error})") from None


def _jsonl_rows(manifest: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with Path(manifest).open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{show(manifest)} line {number} is not JSON ({error})") from None
            if not isinstance(row, dict) or "path" not in row:
                raise InputError(f"{show(manifest)} line {number} is no object with a 'path'")
            yield number, row


def _entry(row: dict[str, Any], where: str, folder: str) -> ClipEntry:
    given = row["path"]
    if not isinstance(given, str) or not given.strip():
        raise InputError(f"{where}: 'path' is empty or no text")
    path = given if os.path.isabs(given) else os.path.join(folder, given)  # noqa: PTH117, PTH118
    absolute_folder = os.path.abspath(folder)  # noqa: PTH100
    root = absolute_folder
    short: str | None = None
    start: float | None = None
    end: float | None = None
    problem: VidPrompterError | None = None
    try:
        if os.path.isabs(given):  # noqa: PTH117
            root = os.path.dirname(os.path.abspath(given))  # noqa: PTH100, PTH120
        else:
            _check_inside(path, absolute_folder, given, where)
        short = _short(row.get("short"), where)
        start, end = _seconds(row, "start", where), _seconds(row, "end", where)
        if end is not None and end <= (start or 0.0):
            raise InputError(f"{where}: end {end} is not after start {start or 0.0}")
    except VidPrompterError as error:
        problem = error
    return ClipEntry(path, root, short, start, end, listed=True, problem=problem)


def _check_inside(path: str, folder: str, given: str, where: str) -> None:
    inside = os.path.abspath(path)  # noqa: PTH100
    if os.path.commonpath([inside, folder]) != folder:
        raise InputError(
            f"{where}: {show(given)} leaves the manifest's folder {show(folder)}; "
            f"move the manifest up, or write the absolute path"
        )


def _short(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"{where}: 'short' is {value!r}; it must be text")
    return checked_short(value, f"{where}: 'short'")


def _seconds(row: dict[str, Any], column: str, where: str) -> float | None:
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"{where}: {column!r} is {value!r}; it must be seconds, 0 or more")
    return seconds
