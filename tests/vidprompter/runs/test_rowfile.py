"""The JSON-lines view is brought back in step with the ledger, whatever a crash left."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter.errors import OutputError
from vidprompter.runs.rowfile import RowFile

rows_of_json = st.lists(
    st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=2), max_size=6
).map(lambda rows: [json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode() for row in rows])


@pytest.fixture(autouse=True, scope="module")
def _no_flush() -> Iterator[None]:
    """These tests cut no power; a busy disk makes them slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


def lines_of(path: Path) -> list[str]:
    return path.read_bytes().decode().split("\n")[:-1]


@settings(deadline=None, max_examples=30)  # the disk may be busy
@given(rows_of_json, st.data())
def test_a_file_cut_anywhere_is_made_whole_without_a_backup(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("rows") / "o.jsonl"
    whole = "".join(row + "\n" for row in rows).encode()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    file = RowFile(path)
    repair = file.repair(lambda: iter(rows))
    file.close()
    assert path.read_bytes() == whole
    assert repair.kept + repair.added == len(rows)
    assert repair.backup is None
    assert list(path.parent.iterdir()) == [path]


@settings(deadline=None, max_examples=30)  # the disk may be busy
@given(rows_of_json, st.binary(max_size=60))
def test_whatever_the_file_holds_it_ends_as_the_ledger_says(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("rows") / "o.jsonl"
    path.write_bytes(junk)
    file = RowFile(path)
    repair = file.repair(lambda: iter(rows))
    file.append(["{}"])
    file.close()
    assert lines_of(path) == [*rows, "{}"]
    if repair.backup is not None:
        assert repair.backup.read_bytes() == junk


def test_a_torn_line_after_all_rows_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": ')
    file = RowFile(path)
    assert file.repair(lambda: iter(['{"a": 1}'])).torn
    file.close()
    assert lines_of(path) == ['{"a": 1}']


def test_a_short_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "o.jsonl"
    file = RowFile(path)
    file.append(['{"a": 1}'])
    write = os.write
    monkeypatch.setattr(os, "write", lambda target, line: write(target, line[:4]))
    with pytest.raises(OutputError, match="No space left"):
        file.append(['{"b": 2}'])
    monkeypatch.undo()
    assert lines_of(path) == ['{"a": 1}']


def test_a_full_disk_while_rewriting_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "o.jsonl"
    file = RowFile(path)
    file.append(["1", "2"])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="run the same command again"):
        file.rewrite(["1"])
    assert lines_of(path) == ["1", "2"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        RowFile(tmp_path / "no" / "o.jsonl")
