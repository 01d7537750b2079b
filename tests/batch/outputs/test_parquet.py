"""Parquet: every field has its column, nothing is lost, the file is made once and in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from batch.outputs.parquet import ParquetOutput, columns_of, parquet_schema
from batch.outputs.parts import parts_folder
from tests.batch.outputs.conftest import FullDisk
from tests.batch.outputs.made import ListedRows, failed, fields, row
from vidprompter.errors import OutputError
from vidprompter.runs.output import Row


def quiet(line: str) -> None:
    raise AssertionError(f"said {line!r}")


def started(path: Path, ledger: ListedRows, **choices: Any) -> ParquetOutput:
    output = ParquetOutput(path, **choices)
    output.recover(ledger, stale=False, say=quiet)
    return output


def read(path: Path) -> list[dict[str, Any]]:
    return parquet.read_table(path).to_pylist()


def test_columns_and_types(tmp_path: Path) -> None:
    ledger = ListedRows()
    output = started(tmp_path / "o.parquet", ledger)
    output.add(ledger.put(row(1, "a.mp4", flags=["looped"], start=1.5, end=4.0), failed(3, "b.mp4")))
    output.finish(ledger)
    table = parquet.read_table(tmp_path / "o.parquet")
    assert table.schema.equals(parquet_schema())
    assert str(table.schema.field("start").type) == "double"
    assert str(table.schema.field("seed").type) == "int64"
    one, two = table.to_pylist()
    assert one["flags"] == ["looped"] and one["end"] == 4.0 and one["more"] is None
    assert json.loads(one["settings"]) == {"temperature": 0.7, "max_new_tokens": 320}
    assert (two["status"], two["error_type"], two["error_message"]) == (
        "failed",
        "CorruptVideo",
        "no frame decodes",
    )
    assert two["prompt"] is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*fields("a"), "sheet", "more", "error_type", "😀"]), json_values, max_size=6
    )
)
def test_every_row_can_be_had_back(changed: dict[str, Any]) -> None:
    whole = json.loads(json.dumps({**fields("a.mp4"), **changed}))
    values = columns_of(whole)
    [found] = pa.RecordBatch.from_pylist([values], schema=parquet_schema()).to_pylist()
    assert found == values
    back = {name: value for name, value in found.items() if name not in ("more", "settings", "error_type")}
    if found["settings"] is not None:
        back["settings"] = json.loads(found["settings"])
    if found["error_type"] is not None or found["error_message"] is not None:
        back["error"] = {"type": found["error_type"], "message": found["error_message"]}
    back.update(json.loads(found["more"] or "{}"))
    assert {name: back.get(name) for name in whole} == whole


def test_a_name_that_is_not_utf8_is_kept_exactly(tmp_path: Path) -> None:
    ledger = ListedRows([row(1, "bad\udcff 'x' 🎬.mp4")])
    output = started(tmp_path / "o.parquet", ledger)
    output.finish(ledger)
    [found] = read(tmp_path / "o.parquet")
    assert found["path"] == "bad\\udcff 'x' 🎬.mp4"
    assert json.loads(found["more"]) == {"path": "bad\udcff 'x' 🎬.mp4"}


def test_parts_are_whole_and_the_file_comes_last(tmp_path: Path) -> None:
    path, ledger = tmp_path / "o.parquet", ListedRows()
    output = started(path, ledger, part_rows=2)
    for seq in range(1, 8):
        output.add(ledger.put(row(seq, f"{seq}.mp4")))
        parts = sorted(parts_folder(path).glob("*"))
        assert [found["path"] for part in parts for found in read(part)] == [
            f"{n}.mp4" for n in range(1, seq // 2 * 2 + 1)
        ]
        assert not path.exists()
    assert [part.name for part in parts][:1] == ["000000000001-000000000002.parquet"]
    output.finish(ledger)
    output.close()
    assert [found["path"] for found in read(path)] == [f"{n}.mp4" for n in range(1, 8)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_is_due_after_a_while(tmp_path: Path) -> None:
    now = [0.0]
    ledger = ListedRows()
    output = started(tmp_path / "o.parquet", ledger, part_seconds=60.0, clock=lambda: now[0])
    folder = parts_folder(tmp_path / "o.parquet")
    output.add(ledger.put(row(1, "a.mp4")))
    assert not folder.exists()
    now[0] = 61.0
    output.add(ledger.put(row(2, "b.mp4")))
    assert len(list(folder.iterdir())) == 1


def test_a_second_run_adds_and_an_idle_one_writes_nothing(tmp_path: Path) -> None:
    path, ledger = tmp_path / "o.parquet", ListedRows([row(1, "a.mp4")])
    started(path, ledger).finish(ledger)
    inode = path.stat().st_ino
    started(path, ledger).finish(ledger)
    assert path.stat().st_ino == inode
    output = started(path, ledger, part_rows=1)
    output.add(ledger.put(row(2, "b.mp4")))
    assert [found["path"] for found in read(path)] == ["a.mp4"]
    output.finish(ledger)
    assert [found["path"] for found in read(path)] == ["a.mp4", "b.mp4"]


def test_rows_taken_out_leave_parts_and_file(tmp_path: Path) -> None:
    path, ledger = tmp_path / "o.parquet", ListedRows([row(n, f"{n}.mp4") for n in range(1, 6)])
    started(path, ledger, part_rows=2)
    ledger.take(2, 3, 4)
    said: list[str] = []
    output = ParquetOutput(path, part_rows=2)
    output.recover(ledger, stale=True, say=said.append)
    [part] = parts_folder(path).iterdir()
    assert [found["path"] for found in read(part)] == ["1.mp4"]
    assert said == [f"brought 2 part files of {str(path)!r} in step with the ledger"]
    output.finish(ledger)
    assert [found["path"] for found in read(path)] == ["1.mp4", "5.mp4"]
    ledger.take(1)
    output.recover(ledger, stale=True, say=said.append)
    output.finish(ledger)
    assert [found["path"] for found in read(path)] == ["5.mp4"]


@pytest.mark.parametrize("junk", [b"", b"not parquet"])
def test_parts_that_were_removed_or_spoiled_are_made_again(tmp_path: Path, junk: bytes) -> None:
    path, ledger = tmp_path / "o.parquet", ListedRows([row(n, f"{n}.mp4") for n in range(1, 9)])
    started(path, ledger, part_rows=2)
    parts = sorted(parts_folder(path).iterdir())
    before = [part.read_bytes() for part in parts]
    parts[1].unlink()
    parts[2].write_bytes(junk)
    (parts_folder(path) / "notes.md").write_text("mine")
    ParquetOutput(path, part_rows=2).recover(ledger, stale=False, say=lambda _: None)
    assert [part.read_bytes() for part in parts] == before
    output = ParquetOutput(path)
    output.recover(ledger, stale=False, say=lambda _: None)
    output.finish(ledger)
    assert len(read(path)) == 8
    assert [left.name for left in parts_folder(path).iterdir()] == ["notes.md"]


def test_a_file_of_somebody_else_is_put_aside(tmp_path: Path) -> None:
    path, ledger = tmp_path / "o.parquet", ListedRows([row(1, "a.mp4")])
    parquet.write_table(pa.table({"mine": [1]}), path)
    said: list[str] = []
    output = ParquetOutput(path)
    output.recover(ledger, stale=False, say=said.append)
    output.finish(ledger)
    assert read(tmp_path / "o.parquet.bak") == [{"mine": 1}]
    assert len(read(path)) == 1
    assert said == [f"{str(path)!r} was not as VidPrompter writes it; it is kept as 'o.parquet.bak'"]


def test_a_run_without_rows_gives_an_empty_file(tmp_path: Path) -> None:
    ledger = ListedRows()
    started(tmp_path / "o.parquet", ledger).finish(ledger)
    assert read(tmp_path / "o.parquet") == []


def test_a_full_disk_is_one_line_and_nothing_is_left_behind(tmp_path: Path, full_disk: FullDisk) -> None:
    path, ledger = tmp_path / "o.parquet", ListedRows()
    output = started(path, ledger, part_rows=4)
    output.add(ledger.put(*[row(n, f"{n}.mp4") for n in range(1, 5)]))
    [part] = parts_folder(path).iterdir()
    with full_disk(part.stat().st_size // 2), pytest.raises(OutputError) as told:
        output.add(ledger.put(*[row(n, f"{n}.mp4") for n in range(5, 9)]))
    assert "run the same command again" in str(told.value) and "\n" not in str(told.value)
    output.close()
    assert list(parts_folder(path).iterdir()) == [part]
    output = started(path, ledger, part_rows=4)
    with full_disk(part.stat().st_size // 2), pytest.raises(OutputError):
        output.finish(ledger)
    assert not path.exists() and not list(tmp_path.glob(".*"))
    output.finish(ledger)
    assert len(read(path)) == 8


def test_many_rows_come_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.outputs.parquet.GROUP_ROWS", 10)
    ledger = ListedRows([row(n, f"{n}.mp4") for n in range(1, 36)])
    started(tmp_path / "o.parquet", ledger).finish(ledger)
    assert parquet.ParquetFile(tmp_path / "o.parquet").num_row_groups == 4


def test_a_ledger_that_lost_its_last_second_wins(tmp_path: Path) -> None:
    """After a power cut the ledger may lack rows that a flushed part has; their places are given out again."""
    path, ledger = tmp_path / "o.parquet", ListedRows([row(n, f"{n}.mp4") for n in range(1, 5)])
    started(path, ledger, part_rows=4)
    ledger.take(3, 4)
    output = ParquetOutput(path, part_rows=4)
    output.recover(ledger, stale=False, say=lambda _: None)
    output.add(ledger.put(Row(3, row(3, "other.mp4").text)))
    output.finish(ledger)
    assert [found["path"] for found in read(path)] == ["1.mp4", "2.mp4", "other.mp4"]
