"""Manifests whose columns have other names, and Parquet."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.inputs.collect import Given, collect_clips
from batch.inputs.columns import parse_columns
from batch.inputs.entry import ClipEntry
from vidprompter.errors import InputError

TABLE: dict[str, list[Any]] = {
    "video_path": ["sub/a.mp4", "b.mp4"],
    "text": ["a cat, red", None],
    "from": [1.0, None],
    "to": [2.5, None],
    "owner": ["me", "you"],
}
CHOSEN = {"path": "video_path", "short": "text", "start": "from", "end": "to"}


def collect(path: Path, said: list[str] | None = None, **more: Any) -> list[ClipEntry]:
    return list(collect_clips(Given([str(path)], **more), (said if said is not None else []).append))


def write(path: Path, table: dict[str, list[Any]] = TABLE) -> Path:
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(table), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        comma = "\t" if path.suffix.lower() == ".tsv" else ","
        lines = [["" if row[name] is None else f'"{row[name]}"' for name in table] for row in rows]
        path.write_text("\n".join(comma.join(line) for line in [list(table), *lines]))
    return path


@pytest.mark.parametrize("name", ["l.csv", "l.tsv", "L.TSV", "l.jsonl", "l.parquet"])
def test_all_kinds_of_lists_say_the_same(tmp_path: Path, name: str) -> None:
    said: list[str] = []
    found = collect(write(tmp_path / name), said, columns=CHOSEN)
    folder = str(tmp_path)
    assert found == [
        ClipEntry(f"{folder}/sub/a.mp4", folder, "a cat, red", 1.0, 2.5, listed=True),
        ClipEntry(f"{folder}/b.mp4", folder, listed=True),
    ]
    assert len(said) == 1 and "owner (used are video_path, text, from, to)" in said[0]


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl", "l.parquet"])
def test_without_a_path_the_columns_are_listed(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"'path'.*'video_path', 'text'.*--column path=NAME"):
        collect(write(tmp_path / name))


@pytest.mark.parametrize("name", ["l.csv", "l.parquet"])
def test_a_chosen_column_must_be_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no column 'words'"):
        collect(write(tmp_path / name), columns={**CHOSEN, "short": "words"})


def test_a_chosen_column_that_no_line_has_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    collect(write(tmp_path / "l.jsonl"), said, columns={**CHOSEN, "short": "words"})
    assert "'words'" in said[0]


def test_parquet_of_other_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "path": pa.array(["a.mp4", "a.mp4", "../x.mp4"]).dictionary_encode(),
            "start": pa.array([1, None, 0], pa.int64()),
            "short": pa.array(["x", " ", None], pa.large_string()),
            "clip": [{"path": "deep"}] * 3,
        }
    )
    pq.write_table(table, tmp_path / "l.parquet")
    one, two, three = collect(tmp_path / "l.parquet")
    assert (one.short, one.start) == ("x", 1.0)
    assert (two.short, two.start) == (None, None)
    assert "row 3" in str(three.problem)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more PAR1", b"path\na.mp4\n"])
def test_what_is_no_parquet_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.parquet").write_bytes(content)
    with pytest.raises(InputError, match="Parquet"):
        collect(tmp_path / "l.parquet")


def test_a_null_path_is_a_usage_error(tmp_path: Path) -> None:
    path = write(tmp_path / "l.parquet", {"path": ["a.mp4", None]})
    with pytest.raises(InputError, match=r"row 2: 'path' is empty"):
        collect(path)


def test_columns_are_parsed() -> None:
    assert parse_columns([]) == {}
    assert parse_columns(["path=video path", "short=a=b"]) == {"path": "video path", "short": "a=b"}


@pytest.mark.parametrize(
    ("values", "about"),
    [
        (["path"], "no pair"),
        (["path="], "no pair"),
        (["video=path"], "no column 'video'; choose from path, short, start, end"),
        (["path=a", "path=b"], "twice"),
    ],
)
def test_bad_columns_are_named(values: list[str], about: str) -> None:
    with pytest.raises(InputError, match=about):
        parse_columns(values)


def test_lists_are_read_as_they_are_needed(tmp_path: Path) -> None:
    taken = []

    def lines():  # type: ignore[no-untyped-def]
        for number in range(1000):
            taken.append(number)
            yield f"clip{number}.mp4\n"

    entries = collect_clips(Given(["-"], lines()), print)
    assert next(entries).path == "clip0.mp4"
    assert len(taken) == 1
    (tmp_path / "l.csv").write_text("path\na.mp4\nb.mp4\n" + "c.mp4\n" * 100_000 + "a,b\n")
    entries = collect_clips(Given([str(tmp_path / "l.csv")]), print)
    assert next(entries).path.endswith("a.mp4")  # the mistake in the last line is not reached


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl", "l.parquet"])
def test_a_long_list_is_quick(tmp_path: Path, name: str) -> None:
    count = 20_000
    path = write(
        tmp_path / name, {"path": [f"sub/clip{n}.mp4" for n in range(count)], "start": [1.5] * count}
    )
    next(collect_clips(Given([str(path)]), print))  # imports
    began = time.process_time()
    assert sum(1 for _ in collect_clips(Given([str(path)], use_sidecars=False), print)) == count
    assert (time.process_time() - began) / count < 30e-6  # 3 to 5 on an idle machine
