"""The rows that an output holds, read back from its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batch.outputs.names import format_of
from batch.outputs.parts import parts_folder
from vidprompter.errors import InputError
from vidprompter.video.files import show


def stored_rows(output: Path) -> Iterator[dict[str, Any]]:
    """The rows of an output and of its parts, each once, as `captions.jsonl` has them.

    A half-written last line is left out. WebDataset shards hold no failed clips.

    Raises:
        InputError: a file is damaged or comes from elsewhere.
    """
    name = format_of(output)
    files = [output] if output.exists() else []
    folder = parts_folder(output)
    if folder.is_dir():
        files += sorted(path for path in folder.iterdir() if path.suffix == output.suffix)
    readers = {"parquet": _parquet_rows, "webdataset": _tar_rows}
    seen: set[str] = set()
    for file in files:
        for row in readers.get(name, _jsonl_rows)(file):
            text = json.dumps(row, sort_keys=True)
            if len(files) == 1 or text not in seen:
                seen.update([text] if len(files) > 1 else [])
                yield row


def _jsonl_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError:
                raise InputError(f"{show(path)} line {number} is not JSON; mend or remove the line") from None
            if not isinstance(row, dict):
                raise InputError(f"{show(path)} line {number} is no object; mend or remove the line")
            yield row


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=500):
                yield from map(_row_of_columns, batch.to_pylist())
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{show(path)} cannot be read ({error})") from None


def _row_of_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `batch.outputs.parquet.columns_of`."""
    row: dict[str, Any] = {}
    for name, value in columns.items():
        if name == "error_type":
            row["error"] = None if value is None else {"type": value, "message": columns["error_message"]}
        elif name == "settings":
            row["settings"] = json.loads(value)
        elif name not in ("error_message", "more"):
            row[name] = value
    return row | (json.loads(columns["more"]) if columns.get("more") else {})


def _tar_rows(path: Path) -> Iterator[dict[str, Any]]:
    import tarfile

    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".json") else None
                if file is not None:
                    yield json.loads(file.read())
    except (tarfile.TarError, OSError, ValueError) as error:
        raise InputError(f"{show(path)} cannot be read ({error})") from None
