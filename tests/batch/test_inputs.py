"""What the user points at becomes a list of clips."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.inputs.collect import Given, collect_clips
from batch.inputs.entry import ClipEntry
from batch.inputs.scan import natural_key
from vidprompter.errors import InputError

Said = list[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


def collect(*paths: str, said: Said | None = None, **more: object) -> list[ClipEntry]:
    return list(collect_clips(Given(paths, **more), (said if said is not None else []).append))  # type: ignore[arg-type]


def paths(entries: list[ClipEntry]) -> list[str]:
    return [entry.path for entry in entries]


def test_folders_are_read_recursively_in_natural_order(here: Path) -> None:
    touch("c/v10.mp4", "c/v9.MP4", "c/a/x.webm", "c/p.jpg", "c/.hidden.mp4", "c/.git/y.mp4", "c/notes.doc")
    said: Said = []
    assert paths(collect("c", said=said)) == ["c/a/x.webm", "c/p.jpg", "c/v9.MP4", "c/v10.mp4"]
    assert said == ["left out 1 files in 'c', no videos or pictures (1 .doc)"]
    assert paths(collect(".")) == paths(collect("c"))


@given(st.lists(st.text(min_size=1, max_size=6), max_size=6))
def test_natural_order_is_an_order(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


def test_link_loops_end_and_linked_folders_come_once(here: Path) -> None:
    touch("c/a/x.mp4")
    Path("c/a/up").symlink_to("..")
    Path("c/b").symlink_to("a")
    said: Said = []
    assert paths(collect("c", said=said)) == ["c/a/x.mp4"]
    assert len(said) == 2


def test_odd_things_under_a_video_name_get_a_row(here: Path) -> None:
    touch("c/ok.mp4", "c/folder.mp4/inner.mp4")
    Path("c/dangling.mp4").symlink_to("nowhere")
    os.mkfifo("c/pipe.mp4")
    assert paths(collect("c")) == ["c/dangling.mp4", "c/folder.mp4", "c/ok.mp4", "c/pipe.mp4"]


def test_globs_and_files(here: Path) -> None:
    touch("c/a1.mp4", "c/a2.mp4", "c/b.mp4", "c/deep/d.mp4", "odd")
    assert paths(collect("c/a*.mp4")) == ["c/a1.mp4", "c/a2.mp4"]
    assert paths(collect("**/*.mp4")) == ["c/a1.mp4", "c/a2.mp4", "c/b.mp4", "c/deep/d.mp4"]
    assert paths(collect("c/b.mp4", "odd")) == ["c/b.mp4", "odd"]
    touch("[x].mp4")
    assert paths(collect("[x].mp4")) == ["[x].mp4"]


def test_what_is_named_twice_is_done_once_and_said(here: Path) -> None:
    touch("c/a.mp4", "c/b.mp4")
    said: Said = []
    assert paths(collect("c/b.mp4", "c", "./c/a.mp4", said=said)) == ["c/b.mp4", "c/a.mp4"]
    assert said == ["2 clips were named twice on the command line and are done once"]


def test_lists_on_stdin_keep_repeats_and_missing_files(here: Path) -> None:
    lines = ["a.mp4\n", "\n", "no such.mp4\r\n", "a.mp4"]
    entries = collect("-", lines=lines)
    assert paths(entries) == ["a.mp4", "no such.mp4", "a.mp4"]
    assert all(entry.listed for entry in entries)


@pytest.mark.parametrize(
    ("argument", "about"),
    [
        ("nowhere.mp4", "no such file"),
        ("*.xyz", "nothing matches"),
        ("empty", "no videos or pictures in 'empty'"),
        ("list.txt", "caption - <"),
        ("-", "stdin"),
    ],
)
def test_nothing_to_do_is_a_usage_error(here: Path, argument: str, about: str) -> None:
    touch("list.txt", "empty/readme.md")
    with pytest.raises(InputError, match=about):
        collect(argument)


def test_sidecars_short_and_their_order(here: Path) -> None:
    touch("a.mp4", "b.mp4", "c.mp4")
    Path("a.txt").write_text("\ufeffa red\n  car \n")
    Path("b.txt").write_text(" \n")
    assert [entry.short for entry in collect(".")] == ["a red car", None, None]
    assert [entry.short for entry in collect(".", use_sidecars=False)] == [None] * 3
    assert [entry.short for entry in collect(".", short="all")] == ["all"] * 3


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 3000, b"x " * 9000])
def test_an_unusable_sidecar_costs_its_row_only(here: Path, content: bytes) -> None:
    touch("a.mp4", "b.mp4")
    Path("a.txt").write_bytes(content)
    first, second = collect(".")
    assert isinstance(first.problem, InputError)
    assert second.problem is None


def test_a_sidecar_that_is_no_file_is_none(here: Path) -> None:
    touch("a.mp4", "b.mp4", "c.mp4")
    os.mkfifo("a.txt")
    Path("b.txt").mkdir()
    Path("c.txt").symlink_to("nowhere")
    assert [(entry.short, entry.problem) for entry in collect(".")] == [(None, None)] * 3


def test_archives_are_read_by_themselves_and_by_globs(here: Path) -> None:
    touch("a.mp4", "b.mp4")
    Path("a.txt").write_text("a red car")
    for shard in ("s-0.tar", "s-1.tar"):
        with tarfile.open(shard, "w") as archive:
            archive.add("a.mp4")
            archive.add("a.txt")
            archive.add("b.mp4")
    entries = collect("s-0.tar")
    assert [(entry.path, entry.short) for entry in entries] == [
        ("s-0.tar/a.mp4", "a red car"),
        ("s-0.tar/b.mp4", None),
    ]
    assert all(entry.member is not None for entry in entries)
    assert [entry.short for entry in collect("s-0.tar", use_sidecars=False)] == [None, None]
    assert len(collect("s-*.tar")) == 4


def test_odd_numbers_in_names_have_an_order() -> None:
    names = ["a1b", "a01b", "a2", "a10", "a" + "9" * 200, "a", "ab", "a-1", "A3", "٣", "1"]
    ordered = sorted(names, key=natural_key)
    assert ordered == ["1", "٣", "a", "a01b", "a1b", "a2", "A3", "a10", "a" + "9" * 200, "a-1", "ab"]


def test_csv_and_jsonl_manifests_say_the_same(here: Path) -> None:
    touch("m/sub/a.mp4", "m/b.mp4")
    Path("m/b.txt").write_text("from the sidecar")
    Path("m/l.csv").write_text('path,short,start,end,owner\nsub/a.mp4,"a cat, red",1,2.5,me\nb.mp4,,,,\n')
    rows = [
        {"path": "sub/a.mp4", "short": "a cat, red", "start": 1, "end": 2.5, "owner": "me"},
        {"path": "b.mp4"},
    ]
    Path("m/l.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    said: Said = []
    by_csv, by_jsonl = collect("m/l.csv", said=said), collect("m/l.jsonl")
    assert by_csv == by_jsonl
    assert [(e.path, e.short, e.start, e.end) for e in by_csv] == [
        ("m/sub/a.mp4", "a cat, red", 1.0, 2.5),
        ("m/b.mp4", "from the sidecar", None, None),
    ]
    assert "owner" in said[0]


@pytest.mark.parametrize("bad", ["../out.mp4", "sub/../../out.mp4", "a.mp4/../../x/out.mp4"])
def test_relative_paths_cannot_leave_the_manifest(here: Path, bad: str) -> None:
    touch("m/ok.mp4", "out.mp4")
    Path("m/l.csv").write_text(f"path\n{bad}\nok.mp4\n{here}/out.mp4\n")
    escaped, inside, absolute = collect("m/l.csv")
    assert isinstance(escaped.problem, InputError)
    assert "leaves the manifest's folder" in str(escaped.problem)
    assert inside.problem is None
    assert absolute.problem is None


@pytest.mark.parametrize(
    ("name", "content", "about"),
    [
        ("l.csv", "file\na.mp4\n", "no column 'path'"),
        ("l.csv", "path\na,b.mp4\n", "more fields"),
        ("l.csv", "path,short\n,x\n", "'path' is empty"),
        ("l.jsonl", '{"path": "a.mp4"}\n{"path": \n', "line 2 is not JSON"),
        ("l.jsonl", '["a.mp4"]\n', "no object with a 'path'"),
    ],
)
def test_a_broken_manifest_is_a_usage_error(here: Path, name: str, content: str, about: str) -> None:
    Path(name).write_text(content)
    with pytest.raises(InputError, match=about):
        collect(name)


@pytest.mark.parametrize("span", ['"start": -1', '"start": 3, "end": 3', '"end": "x"', '"short": 5'])
def test_a_bad_value_in_a_row_costs_the_row(here: Path, span: str) -> None:
    Path("l.jsonl").write_text('{"path": "a.mp4", ' + span + "}\n")
    (entry,) = collect("l.jsonl")
    assert isinstance(entry.problem, InputError)


def test_limit_takes_the_first(here: Path) -> None:
    touch("a.mp4", "b.mp4", "c.mp4")
    assert paths(collect(".", limit=2)) == ["a.mp4", "b.mp4"]
