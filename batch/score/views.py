"""Outputs that are written whole at the end of a run: tables, and rows in another order than they came."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from batch.outputs.whole import write_whole, writing
from batch.score.flat import ADDED, flat, flat_name
from batch.score.rows import row_text
from batch.score.tables import BYTES, bytes_of, check_schema, format_of, is_cast, parquet_schema_of
from vidprompter.runs.output import Output, Row, Rows
from vidprompter.runs.rowfile import RowFile
from vidprompter.video.files import show

Again = Callable[[], Iterator[dict[str, Any]]]
"""Gives the rows from the beginning, each time it is called."""
Arrange = Callable[[Rows], AbstractContextManager[Again]]
GROUP_ROWS = 1000


class Form(Protocol):
    """Writes a whole file of rows."""

    def write(self, file: BinaryIO, rows: Again) -> None:
        """rows: as JSON has them."""
        ...


class WholeOutput:
    """A view that is written from the ledger's rows when a run ends, also an interrupted one; before that it rests."""

    def __init__(self, path: Path, form: Form, arrange: Arrange) -> None:
        self.path = path
        self._form = form
        self._arrange = arrange
        self._mark = path.with_name(f"{path.name}.ledger.sha256")
        self._say: Callable[[str], None] = lambda line: None

    def recover(self, rows: Rows, *, stale: bool, say: Callable[[str], None]) -> None:
        """See `Output`: nothing, since all of it is written anew."""
        self._say = say

    def add(self, rows: Sequence[Row]) -> None:
        """See `Output`: the ledger keeps them."""

    def finish(self, rows: Rows) -> None:
        """See `Output`. A file that somebody changed is put aside first."""
        before = self._put_aside()
        with self._arrange(rows) as again:
            write_whole(self.path, lambda file: self._write(file, again, before))

    def _write(self, file: BinaryIO, again: Again, before: str) -> None:
        self._form.write(file, again)
        file.flush()
        with writing(self._mark):
            # Both: a run may be killed before the new file has the old one's place.
            self._mark.write_text(f"{before}\n{_digest(Path(file.name))}\n", encoding="ascii")

    def close(self) -> None:
        """See `Output`."""

    def _put_aside(self) -> str:
        """The digest of the file that is there, "" where there is none of ours."""
        with writing(self.path):
            if not self.path.exists():
                return ""
            found = _digest(self.path)
            known = self._mark.read_text(encoding="ascii").split() if self._mark.exists() else []
            if found in known or not self.path.stat().st_size:
                return found
            ends = chain([".bak"], (f".bak{number}" for number in count(2)))
            names = (self.path.with_name(self.path.name + end) for end in ends)
            backup = next(name for name in names if not name.exists())
            self.path.rename(backup)
        self._say(f"{show(self.path)} was not as VidPrompter wrote it; it is kept as {show(backup.name)}")
        return ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_order(rows: Rows) -> AbstractContextManager[Again]:
    """All rows as they ended."""
    return nullcontext(lambda: (json.loads(row.text) for row in rows.after(0)))


def scored_view(out: Path, source: Path) -> Callable[[Path], Output]:
    """Makes the output of `score --captions`: JSON lines grow, tables are written at the end. source: the input.

    Raises:
        InputError: the suffix stands for no format of ours.
    """
    return (
        RowFile
        if format_of(out) == "jsonl"
        else lambda path: WholeOutput(path, form_for(out, source), in_order)
    )


def form_for(out: Path, source: Path) -> Form:
    """How `out` is written; columns of Parquet keep the types that they have in `source`."""
    kind = format_of(out)
    if kind in ("csv", "tsv"):
        return CsvForm("excel-tab" if kind == "tsv" else "excel")
    if kind == "parquet":
        is_same = format_of(source) == "parquet"
        return ParquetForm(_checked_schema(source) if is_same else None)
    return ListForm() if kind == "json" else LinesForm()


class LinesForm:
    """One object a line."""

    def write(self, file: BinaryIO, rows: Again) -> None:
        """See `Form`."""
        for row in rows():
            file.write(row_text(row).encode("utf-8") + b"\n")


class ListForm:
    """One JSON list, an object a line."""

    def write(self, file: BinaryIO, rows: Again) -> None:
        """See `Form`."""
        between = b"[\n"
        for row in rows():
            file.write(between + row_text(row).encode("utf-8"))
            between = b",\n"
        file.write(b"\n]\n" if between == b",\n" else b"[]\n")


class CsvForm:
    """Columns in the order in which they first come; lists and objects are JSON."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def write(self, file: BinaryIO, rows: Again) -> None:
        """See `Form`."""
        names = list(dict.fromkeys(name for row in rows() for name in _cells(row)))
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        try:
            writer = csv.DictWriter(text, names, dialect=self._dialect, restval="")  # RFC 4180's line ends
            writer.writeheader()
            for row in rows():
                writer.writerow({name: _told(value) for name, value in _cells(row).items()})
            text.flush()
        finally:
            text.detach()


class ParquetForm:
    """Columns of the input with their own types, and behind them those that were added."""

    def __init__(self, schema: Any) -> None:
        """schema: of the input, None where that was no Parquet."""
        self._schema = schema

    def write(self, file: BinaryIO, rows: Again) -> None:
        """See `Form`."""
        import pyarrow as pa
        from pyarrow import parquet

        given = {field.name: field.type for field in self._schema} if self._schema is not None else {}
        schema = pa.schema(_columns(given, rows()).items())
        stream = rows()
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            while group := [_cells(row) for row in islice(stream, GROUP_ROWS)]:
                arrays = [_array([row.get(field.name) for row in group], field.type) for field in schema]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """The row flat, its names as UTF-8 can hold them."""
    return {name.encode("utf-8", "backslashreplace").decode(): value for name, value in flat(row).items()}


def _columns(given: dict[str, Any], rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Name -> type of every column: as given, or else what holds all of its values."""
    import pyarrow as pa

    found: dict[str, str] = {}
    ours = set(ADDED)
    for row in rows:
        ours.update(
            flat_name(word, name) for name in row.get("scores") or {} for word in ("score", "truncated")
        )
        for name, value in _cells(row).items():
            kind = _kind(value)
            before = found.get(name, "")
            found[name] = kind if not before or before == kind else _wider(before, kind)
    plain = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    was_scored = "evaluators" in given  # then columns of other evaluators have gone
    kept = [name for name in given if name in found or not was_scored]
    return {
        # a column without any value: text holds whatever comes next time
        name: given[name]
        if name in given and name not in ours
        else plain.get(found.get(name, ""), pa.string())
        for name in dict.fromkeys([*kept, *found])
    }


def _kind(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(1 << 63) <= value < 1 << 63 else "text"
    return "float" if isinstance(value, float) else "text"


def _wider(one: str, other: str) -> str:
    if not other:
        return one
    return "float" if {one, other} == {"int", "float"} else "text"


def _array(values: list[Any], kind: Any) -> Any:
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_dictionary(kind):
        return pa.array(values, kind.value_type).cast(kind)
    if t.is_binary(kind) or t.is_large_binary(kind):
        return pa.array([bytes_of(value) for value in values], kind)
    if is_cast(kind):
        return pa.array(values, pa.string()).cast(kind)
    if t.is_string(kind) or t.is_large_string(kind):
        return pa.array([None if value is None else _told(value, printable=True) for value in values], kind)
    return pa.array(values, kind)


def _told(value: Any, *, printable: bool = False) -> Any:
    """`value` as a cell of text."""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value if not printable else json.dumps(value)
    if value.startswith(BYTES):
        return value[len(BYTES) :]
    return value.encode("utf-8", "backslashreplace").decode() if printable else value


def _checked_schema(source: Path) -> Any:
    schema = parquet_schema_of(source)
    check_schema(schema, source)
    return schema
