"""Rows in and out of files: nothing that a row had is lost."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.score.flat import flat, nested, without_scores
from batch.score.rows import row_text
from batch.score.tables import read_rows
from batch.score.views import WholeOutput, form_for, in_order
from vidprompter.errors import InputError
from vidprompter.runs.output import Row

ADDED: dict[str, Any] = {
    "scores": {"clip": 1.5, "long-clip": None},
    "mean": None,
    "truncated": {"clip": 3},
    "score_flags": ["clip:truncated", "long-clip:language"],
    "score_error": {"type": "CorruptVideo", "message": "a, b"},
    "evaluators": [{"name": "clip", "low": 0.0}, {"name": "long-clip", "low": 0.0}],
}
values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda name: name not in ADDED and "\ufeff" not in name and not name.startswith(("score_", "truncated_"))
)


class Kept:
    """Rows as a ledger has them."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = [Row(n, row_text(row)) for n, row in enumerate(rows, 1)]

    def after(self, seq: int) -> Iterator[Row]:
        return iter(self.rows[seq:])


def write(path: Path, rows: list[dict[str, Any]], source: Path) -> None:
    WholeOutput(path, form_for(path, source), in_order).finish(Kept(rows))


def strings(row: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, values, max_size=5))
def test_flat_rows_become_nested_again(row: dict[str, Any]) -> None:
    full = {**row, **ADDED}
    assert nested(json.loads(json.dumps(flat(full)))) == full
    assert without_scores(full) == row
    assert without_scores(row) == row


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(names, st.text(st.characters(codec="utf-8")), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_csv_holds_what_rows_hold(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    full = [{**row, **ADDED} for row in rows]
    path = tmp_path / "o.csv"
    write(path, full, path)
    columns = dict.fromkeys(name for row in rows for name in row)
    back = [nested(row) for _, row, _ in read_rows(path)]
    for row, told in zip(rows, back, strict=True):
        assert {name: told[name] for name in columns} == {name: row.get(name, "") for name in columns}
        assert {name: told[name] for name in ADDED} == ADDED


def test_csv_with_a_row_of_one_empty_field_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "o.tsv"
    write(path, [{"prompt": "a\nb\tc"}, {"prompt": ""}], path)
    assert [row["prompt"] for _, row, _ in read_rows(path)] == ["a\nb\tc", ""]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    columns = {
        "prompt": pa.array(["a", "ü🎬"]),
        "n": pa.array([1, None], pa.int8()),
        "when": pa.array([datetime.datetime(2020, 1, 2, 3, 4, 5, 6), None], pa.timestamp("us")),
        "day": pa.array([datetime.date(2020, 1, 2), None]),
        "price": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
        "raw": pa.array([b"\x00\xff", None]),
        "tags": pa.array([["a", "b"], None]),
        "at": pa.array([{"x": 1.5}, None]),
        "kind": pa.array(["k", "l"]).dictionary_encode(),
        "empty": pa.array([None, None], pa.null()),
    }
    pq.write_table(pa.table(columns), source)
    rows = [row for _, row, _ in read_rows(source)]
    out = tmp_path / "out.parquet"
    write(out, [{**row, **ADDED} for row in rows], source)
    table = pq.read_table(out)
    for name, column in columns.items():
        if name != "empty":
            assert table.column(name).combine_chunks().equals(column), name
    assert table.column("score_clip").to_pylist() == [1.5, 1.5]
    assert table.column("truncated_clip").to_pylist() == [3, 3]
    assert nested(table.to_pylist()[0])["scores"] == ADDED["scores"]


def test_parquet_of_rows_that_came_as_lines(tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    rows = [
        {"a": 1, "b": None, "c": "x", "d": [1]},
        {"a": 1.5, "b": True, "c": 2, "d": {}},
        {"e": "\udcff", "\ud83d": 1},
    ]
    write(out, [{**row, **ADDED} for row in rows], tmp_path / "in.jsonl")
    table = pq.read_table(out)
    assert table.column("a").to_pylist() == [1.0, 1.5, None]
    assert table.column("b").to_pylist() == [None, True, None]
    assert table.column("c").to_pylist() == ["x", "2", None]
    assert table.column("d").to_pylist() == ["[1]", "{}", None]
    assert table.column("e").to_pylist() == [None, None, "\\udcff"]
    assert table.column("\\ud83d").to_pylist() == [None, None, 1]
    out = tmp_path / "o.csv"
    write(out, [{**row, **ADDED} for row in rows], tmp_path / "in.jsonl")
    assert [row["\\ud83d"] for _, row, _ in read_rows(out)] == ["", "", "1"]
    assert [row["e"] for _, row, _ in read_rows(out)] == ["", "", "\\udcff"]


def test_a_parquet_column_that_cannot_be_carried_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"prompt": ["a"], "gone": pa.array([datetime.timedelta(1)])}), source)
    with pytest.raises(InputError, match="'gone' of type duration"):
        next(read_rows(source))


def test_what_somebody_changed_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    said: list[str] = []
    output = WholeOutput(path, form_for(path, path), in_order)
    output.recover(Kept([]), stale=False, say=said.append)
    output.finish(Kept([{"a": 1}]))
    output.finish(Kept([{"a": 1}, {"a": 2}]))
    assert said == []
    path.write_text("mine\n")
    output.finish(Kept([{"a": 1}]))
    assert (tmp_path / "o.csv.bak").read_text() == "mine\n"
    assert "kept as 'o.csv.bak'" in said[0]
    assert list(csv.reader(path.open())) == [["a"], ["1"]]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "x", "no file of captions by its name"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "line 2 is no object"),
        ("a.jsonl", '{"a": 1}\n{"a"', "line 2 is not JSON"),
        ("a.json", '{"a": 1}', "holds no list"),
        ("a.json", '{"a": 1}\n{"a": 2}', "name it .jsonl"),
        ("a.json", "[1]", "row 1 is no object"),
        ("a.csv", "a,b\n1,2,3\n", "line 2 has more fields"),
        ("a.csv", "a,a\n1,2\n", "'a' twice"),
        ("a.parquet", "hello", "cannot be read as Parquet"),
    ],
)
def test_files_that_are_none_are_named(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=told):
        list(read_rows(tmp_path / name))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n\xff\n")
    with pytest.raises(InputError, match="not UTF-8"):
        list(read_rows(tmp_path / "a.csv"))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows(tmp_path / "none.csv"))
