"""Rows as a Parquet file: one column for each field that docs/output_fields.md names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from batch.outputs.mark import Mark
from batch.outputs.parts import PART_ROWS, PART_SECONDS, PartedOutput, Say
from vidprompter.runs.output import Row

GROUP_ROWS = 2000  # of one row group: some megabytes, whatever the size of the run
# Columns and their types. `error` is two columns, `settings` is JSON; `more` holds what has no column here.
COLUMNS = {
    "path": "text",
    "start": "float",
    "end": "float",
    "task": "text",
    "short": "text",
    "variant": "integer",
    "prompt": "text",
    "status": "text",
    "error_type": "text",
    "error_message": "text",
    "finish": "text",
    "flags": "texts",
    "model": "text",
    "revision": "text",
    "engine": "text",
    "settings": "text",
    "seed": "integer",
    "seconds": "float",
    "more": "text",
}
_AS_THEY_ARE = COLUMNS.keys() - {"settings", "error_type", "error_message", "more"}
_MARK = b"vidprompter.rows"


class ParquetOutput(PartedOutput):
    """An output as one Parquet file, with parts of `part_rows` rows until it is finished."""

    def __init__(
        self,
        path: Path,
        *,
        part_rows: int = PART_ROWS,
        part_seconds: float = PART_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(path, ParquetForm(), part_rows=part_rows, part_seconds=part_seconds, clock=clock)


class ParquetForm:
    """How rows become a Parquet file. The file is always made from the ledger's rows."""

    suffix = ".parquet"

    def mark(self, path: Path) -> Mark | None:
        """What the file's metadata say of its rows; None if it is no Parquet file of this program."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            found = parquet.read_metadata(path).metadata or {}
        except (OSError, pa.ArrowException):
            return None
        return Mark.from_text(found.get(_MARK, b"").decode("utf-8", "replace"))

    def weight(self, row: Row) -> int:
        """Nothing: a row is its text."""
        return 0

    def write(
        self, file: BinaryIO, rows: Iterator[Row], *, mark: Mark, sources: Sequence[Path], say: Say
    ) -> None:
        """Writes row group after row group."""
        import pyarrow as pa
        from pyarrow import parquet

        schema = parquet_schema().with_metadata({_MARK: mark.to_text().encode()})
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            while group := [columns_of(json.loads(row.text)) for row in islice(rows, GROUP_ROWS)]:
                writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))


def parquet_schema() -> Any:
    """The pyarrow schema of `COLUMNS`; every column may be null."""
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "float": pa.float64(),
        "integer": pa.int64(),
        "texts": pa.list_(pa.string()),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])


def columns_of(row: dict[str, Any]) -> dict[str, Any]:
    """The row as one value for each column.

    Whatever does not fit (a later field, a file name that is not UTF-8, a number too large) stands in `more`,
    JSON of ASCII, under its own name and just as the row has it; the column then has what can be shown.
    """
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    more: dict[str, Any] = {}
    for name, value in row.items():
        if name == "settings" and value is not None:
            values[name] = json.dumps(value)
        elif name == "error" and isinstance(value, dict):
            error = {key: _fitting("text", value.get(key)) for key in ("type", "message")}
            values["error_type"], values["error_message"] = error.values()
            if error != value:
                more[name] = value
        elif name in _AS_THEY_ARE:
            values[name] = _fitting(COLUMNS[name], value)
            if values[name] != value:
                more[name] = value
        elif name not in ("settings", "error") or value is not None:
            more[name] = value
    values["more"] = json.dumps(more) if more else None
    return values


def _fitting(kind: str, value: Any) -> Any:
    """`value` if a column of that kind can hold it, else the nearest that it can, or None."""
    if kind == "text" and isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if kind == "texts" and isinstance(value, list) and all(isinstance(text, str) for text in value):
        return [_fitting("text", text) for text in value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if kind == "float" and (isinstance(value, float) or (is_number and abs(value) < 1 << 53)):
        return value
    return value if kind == "integer" and is_number and -(1 << 63) <= value < 1 << 63 else None
