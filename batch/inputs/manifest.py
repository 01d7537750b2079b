"""Lists of clips in a file: CSV, TSV, JSONL or Parquet with a `path` column."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from batch.inputs.columns import COLUMNS
from batch.inputs.entry import ClipEntry
from batch.inputs.sidecar import checked_seconds, checked_short
from batch.inputs.tables import Row, Rows, csv_rows, jsonl_rows, parquet_rows
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.video.files import show

_READERS: Mapping[str, Callable[[str, Mapping[str, str], Callable[[str], None]], Rows]] = {
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".parquet": parquet_rows,
}
MANIFEST_SUFFIXES = frozenset(_READERS)


def read_manifest(
    manifest: str, say: Callable[[str], None], columns: Mapping[str, str] | None = None
) -> Iterator[ClipEntry]:
    """The clips of a manifest, one per line, read as they are taken; relative paths start from its own folder.

    Columns: `path`, and if wanted `short`, `start` and `end` (seconds); others are named and left out.
    columns: ours to those of the file, where they differ. A relative path that leaves the manifest's folder
    costs its row. Absolute paths are taken as they are.

    Raises:
        InputError: not readable, no `path` column, or a line that is not a row.
    """
    read = _READERS[os.path.splitext(manifest)[1].lower()]  # noqa: PTH122
    entry_of = _Places(manifest, columns or {}).entry
    try:
        for row in read(manifest, columns or {}, say):
            yield entry_of(row)
    except OSError as error:
        raise InputError(f"{show(manifest)} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"{show(manifest)} is not UTF-8 text; save it as UTF-8") from None


@lru_cache(4096)
def _absolute(folder: str) -> str:
    """`folder` from the root of the file system; many clips lie in one folder, so it is kept."""
    return os.path.abspath(folder)  # noqa: PTH100


def folder_of(path: str) -> str:
    """The absolute folder that the file at `path` lies in."""
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    # the working folder can change between two calls, but not with an absolute path
    return _absolute(folder) if os.path.isabs(folder) else os.path.abspath(folder)  # noqa: PTH100, PTH117


class _Places:
    """Makes entries of rows of one manifest; what they share is worked out once."""

    def __init__(self, manifest: str, columns: Mapping[str, str]) -> None:
        self._shown = show(manifest)
        self._folder = os.path.dirname(manifest)  # noqa: PTH120
        self._prefix = os.path.join(self._folder, "")  # noqa: PTH118
        self._root = os.path.abspath(self._folder)  # noqa: PTH100
        self._unit = "row" if manifest.lower().endswith(".parquet") else "line"
        self._names = {ours: columns.get(ours, ours) for ours in COLUMNS}

    def entry(self, row: Row) -> ClipEntry:
        given = row.path
        if not isinstance(given, str) or not given.strip():
            raise InputError(f"{self._where(row)}: {self._names['path']!r} is empty or no text")
        short: str | None = None
        start: float | None = None
        end: float | None = None
        problem: VidPrompterError | None = None
        path, root = given, self._root
        try:
            if os.path.isabs(given):  # noqa: PTH117
                root = folder_of(given)
            else:
                path = self._inside(given, row)
            if row.short is not None:
                short = self._short(row)
            if row.start is not None:
                start = self._seconds("start", row.start, row)
            if row.end is not None:
                end = self._seconds("end", row.end, row)
                if end is not None and end <= (start or 0.0):
                    raise InputError(f"{self._where(row)}: end {end} is not after start {start or 0.0}")
        except VidPrompterError as error:
            problem = error
        return ClipEntry(path, root, short, start, end, True, problem)

    def _inside(self, given: str, row: Row) -> str:
        """`given` from where the user stands."""
        if ".." not in given and ":" not in given:  # neither up nor, on Windows, to another drive
            return self._prefix + given
        path = os.path.join(self._folder, given)  # noqa: PTH118
        if os.path.commonpath([os.path.abspath(path), self._root]) != self._root:  # noqa: PTH100
            raise InputError(
                f"{self._where(row)}: {show(given)} leaves the manifest's folder {show(self._root)}; "
                f"move the manifest up, or write the absolute path"
            )
        return path

    def _short(self, row: Row) -> str | None:
        where = f"{self._where(row)}: {self._names['short']!r}"
        if not isinstance(row.short, str):
            raise InputError(f"{where} is {row.short!r}; it must be text")
        return checked_short(row.short, where)

    def _seconds(self, column: str, value: Any, row: Row) -> float | None:
        if value == "":  # most rows; the message is made for the others alone
            return None
        return checked_seconds(value, f"{self._where(row)}: {self._names[column]!r}")

    def _where(self, row: Row) -> str:
        return f"{self._shown} {self._unit} {row.number}"
