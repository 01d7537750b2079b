"""Rows of CSV, TSV, JSONL and Parquet files, one at a time, whatever their length."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from batch.inputs.columns import COLUMNS, find_columns
from vidprompter.errors import InputError
from vidprompter.video.files import show

_BATCH_ROWS = 4096
_READ_BYTES = 1 << 20
_MOST_NAMES = 8
Rows = Iterator["Row"]


class Row(NamedTuple):
    """One line of a list. number: of its line, from 1; values as they stand there, None where there is none."""

    number: int
    path: Any
    short: Any = None
    start: Any = None
    end: Any = None


def csv_rows(manifest: str, chosen: Mapping[str, str], say: Callable[[str], None]) -> Rows:
    """The rows of a CSV or TSV file, whose first line names the columns.

    Raises:
        InputError: a column is missing, or a line is no row.
        OSError, UnicodeDecodeError: it cannot be read.
    """
    with Path(manifest).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, dialect="excel-tab" if manifest.lower().endswith(".tsv") else "excel")
        try:
            names = next(reader, [])
            places = find_columns(names, chosen, show(manifest))
            width = len(names)
            used = [places.get(ours, width) for ours in COLUMNS]
            path, short, start, end = used
            for fields in reader:
                if not fields:
                    continue
                if len(fields) > width:
                    raise InputError(
                        f"{show(manifest)} line {reader.line_num} has more fields than the first line; "
                        f"put quotes around text that holds commas"
                    )
                fields += [None] * (width + 1 - len(fields))  # type: ignore[list-item]
                yield Row(reader.line_num, fields[path], fields[short], fields[start], fields[end])
        except csv.Error as error:
            raise InputError(f"{show(manifest)} line {reader.line_num} is not CSV ({error})") from None
    _tell_unused({name for number, name in enumerate(names) if number not in used}, manifest, chosen, say)


def jsonl_rows(manifest: str, chosen: Mapping[str, str], say: Callable[[str], None]) -> Rows:
    """The rows of a file with one JSON object a line.

    Raises:
        InputError: a line is no object, or has no path.
        OSError, UnicodeDecodeError: it cannot be read.
    """
    path, short, start, end = names = [chosen.get(ours, ours) for ours in COLUMNS]
    known = frozenset(names)
    others: set[str] = set()
    missed = set(chosen.values())
    with Path(manifest).open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{show(manifest)} line {number} is not JSON ({error})") from None
            if not isinstance(row, dict) or path not in row:
                found = f"; it has {', '.join(map(repr, list(row)[:12]))}" if isinstance(row, dict) else ""
                raise InputError(
                    f"{show(manifest)} line {number} is no object with a {path!r}{found}: "
                    f"say what holds the path with --column path=NAME"
                )
            if missed:
                missed.difference_update(row)
            if not row.keys() <= known and len(others) <= _MOST_NAMES:
                others.update(row.keys() - known)
            yield Row(number, row[path], row.get(short), row.get(start), row.get(end))
    if missed:
        say(f"no line of {show(manifest)} has {', '.join(map(repr, sorted(missed)))}, which --column names")
    _tell_unused(others, manifest, chosen, say)


def parquet_rows(manifest: str, chosen: Mapping[str, str], say: Callable[[str], None]) -> Rows:
    """The rows of a Parquet file; other columns than ours are not read.

    Raises:
        InputError: no Parquet, or a column is missing.
        OSError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with Path(manifest).open("rb") as opened:
        try:
            with pq.ParquetFile(opened, pre_buffer=False, buffer_size=_READ_BYTES) as file:
                names = list(file.schema_arrow.names)
                places = find_columns(names, chosen, show(manifest))
                used = [names[place] for place in places.values()]
                _tell_unused(set(names) - set(used), manifest, chosen, say)
                number = 0
                for batch in file.iter_batches(_BATCH_ROWS, columns=used, use_threads=False):
                    columns = [
                        batch.column(names[places[ours]]).to_pylist()
                        if ours in places
                        else [None] * len(batch)
                        for ours in COLUMNS
                    ]
                    for values in zip(*columns, strict=True):
                        number += 1
                        yield Row(number, *values)
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0][:200]
            raise InputError(
                f"{show(manifest)} cannot be read as Parquet ({reason}); write it again"
            ) from None


def _tell_unused(
    others: set[str], manifest: str, chosen: Mapping[str, str], say: Callable[[str], None]
) -> None:
    if others:
        names = sorted(others)
        more = " ..." if len(names) > _MOST_NAMES else ""
        used = ", ".join(chosen.get(ours, ours) for ours in COLUMNS)
        say(
            f"columns of {show(manifest)} that are not used: "
            f"{', '.join(names[:_MOST_NAMES])}{more} (used are {used})"
        )
