"""Rows of captions with all that they hold: JSON lines, a JSON list, CSV, TSV or Parquet; one row at a time."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vidprompter.errors import InputError
from vidprompter.video.files import show

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_BATCH_ROWS = 1024
_READ_BYTES = 1 << 20
BYTES = "\0bytes:"
"""Begins a text that stands for bytes, which JSON does not know."""


class Numbered(NamedTuple):
    """A row and its place in the file: its line, or its number from 1 in Parquet and JSON lists.

    file: how messages call its file, where rows of several come together.
    """

    number: int
    row: dict[str, Any]
    file: str = ""


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for.

    Raises:
        InputError: it stands for none of ours.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{show(path)} is no file of captions by its name; rows come in {', '.join(FORMATS)}"
        ) from None


def read_rows(path: Path) -> Iterator[Numbered]:
    """The rows of a file, as dictionaries of what JSON knows.

    Raises:
        InputError: it cannot be read, or a line is no row; the message names the line.
    """
    readers = {"jsonl": _jsonl, "json": _json, "csv": _csv, "tsv": _csv, "parquet": _parquet}
    try:
        yield from readers[format_of(path)](path)
    except OSError as error:
        raise InputError(f"{show(path)} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"{show(path)} is not UTF-8 text; save it as UTF-8") from None


def _jsonl(path: Path) -> Iterator[Numbered]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{show(path)} line {number} is not JSON ({error})") from None
            yield Numbered(number, _object(row, f"{show(path)} line {number}"))


def _json(path: Path) -> Iterator[Numbered]:
    """A list, as `expand --json` prints; it is read whole."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{show(path)} is not JSON ({error}); name it .jsonl if it has one object a line"
        ) from None
    if not isinstance(rows, list):
        raise InputError(f"{show(path)} holds no list of rows; write [{{...}}, {{...}}], or .jsonl")
    for number, row in enumerate(rows, 1):
        yield Numbered(number, _object(row, f"{show(path)} row {number}"))


def _csv(path: Path) -> Iterator[Numbered]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, dialect="excel-tab" if path.suffix.lower() == ".tsv" else "excel")
        try:
            names = next(reader, [])
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise InputError(f"{show(path)} has the column {twice[0]!r} twice; rename one")
            for fields in reader:
                if not fields:
                    continue
                if len(fields) > len(names):
                    raise InputError(
                        f"{show(path)} line {reader.line_num} has more fields than the first line; "
                        f"put quotes around text that holds commas"
                    )
                missing: list[str | None] = [None] * (len(names) - len(fields))
                yield Numbered(reader.line_num, dict(zip(names, [*fields, *missing], strict=True)))
        except csv.Error as error:
            raise InputError(f"{show(path)} line {reader.line_num} is not CSV ({error})") from None


def _parquet(path: Path) -> Iterator[Numbered]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as opened:
        try:
            with pq.ParquetFile(opened, pre_buffer=False, buffer_size=_READ_BYTES) as file:
                check_schema(file.schema_arrow, path)
                number = 0
                for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                    for row in batch.to_pylist():
                        number += 1
                        yield Numbered(number, {name: _carried(value) for name, value in row.items()})
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0][:200]
            raise InputError(f"{show(path)} cannot be read as Parquet ({reason}); write it again") from None


def parquet_schema_of(path: Path) -> Any:
    """The pyarrow schema of a Parquet file.

    Raises:
        InputError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:200]
        raise InputError(f"{show(path)} cannot be read as Parquet ({reason}); write it again") from None


def check_schema(schema: Any, path: Path) -> None:
    """Nothing.

    Raises:
        InputError: a column has a type that a row of JSON cannot carry.
    """
    for field in schema:
        if not _can_carry(field.type):
            raise InputError(
                f"{show(path)} has the column {field.name!r} of type {field.type}, which cannot be carried along; "
                f"drop it, or write it as text"
            )


def _can_carry(kind: Any) -> bool:
    from pyarrow import types as t

    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return _is_plain(kind.value_type)
    if t.is_struct(kind):
        return all(_is_plain(kind.field(n).type) for n in range(kind.num_fields))
    return _is_plain(kind) or is_cast(kind) or t.is_binary(kind) or t.is_large_binary(kind)


def _is_plain(kind: Any) -> bool:
    from pyarrow import types as t

    if t.is_list(kind) or t.is_large_list(kind) or t.is_struct(kind):
        return _can_carry(kind)
    if t.is_dictionary(kind):
        return _is_plain(kind.value_type)
    tests = (t.is_boolean, t.is_integer, t.is_floating, t.is_string, t.is_large_string, t.is_null)
    return any(test(kind) for test in tests)


def is_cast(kind: Any) -> bool:
    """Whether values of that type travel as text and are made again from it."""
    from pyarrow import types as t

    return bool(t.is_timestamp(kind) or t.is_date(kind) or t.is_time(kind) or t.is_decimal(kind))


def _carried(value: Any) -> Any:
    if isinstance(value, bytes):
        return BYTES + base64.b64encode(value).decode("ascii")
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    return str(value)  # dates, times and decimals, which Arrow makes again from their text


def bytes_of(text: str | None) -> bytes | None:
    """What `BYTES` marks."""
    return None if text is None else base64.b64decode(text.removeprefix(BYTES))


def _object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise InputError(f"{where} is no object; a row is {{...}} with the columns of a caption")
    return row
