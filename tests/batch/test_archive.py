"""Clips inside tars: found by their headers, read where they lie, told where the tar breaks."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.inputs.archive import on_disk, open_clip, read_archive
from batch.inputs.entry import ClipEntry
from tests.vidprompter.video.make import write_numbered
from vidprompter.errors import InputError, VideoNotFound, VideoUnreadable
from vidprompter.video.source import VideoSource


def write_tar(path: Path, members: dict[str, bytes] | list[tuple[str, bytes]], **more: Any) -> Path:
    with tarfile.open(path, "w", **more) as tar:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def read(path: Path, *, use_texts: bool = True) -> tuple[list[ClipEntry], list[str]]:
    said: list[str] = []
    return list(read_archive(str(path), use_texts, said.append)), said


def of_json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_shard_of_samples(tmp_path: Path) -> None:
    shard = write_tar(
        tmp_path / "s.tar",
        {
            "000.mp4": b"zero",
            "000.txt": b" a cat\non a roof \n",
            "001.json": of_json(caption="a dog", start=1, end="2.5", width=4),
            "001.mp4": b"one",
            "deep/002.webm": b"two",
            "deep/002.txt": b"from the text",
            "deep/002.json": of_json(short="from the object", caption="no"),
            "003.txt": b"the prompt of an output of ours",
            "003.json": of_json(short=None, prompt="p", start=None, end=None),
            "003.mkv": b"three",
            "004.mp4": b"four",
        },
    )
    entries, said = read(shard)
    assert said == []
    assert [(e.path, e.short, e.start, e.end) for e in entries] == [
        (f"{shard}/000.mp4", "a cat on a roof", None, None),
        (f"{shard}/001.mp4", "a dog", 1.0, 2.5),
        (f"{shard}/deep/002.webm", "from the object", None, None),
        (f"{shard}/003.mkv", None, None, None),
        (f"{shard}/004.mp4", None, None, None),
    ]
    assert all(e.listed and e.root == str(tmp_path) and e.problem is None for e in entries)
    for entry, data in zip(entries, (b"zero", b"one", b"two", b"three", b"four"), strict=True):
        assert entry.member is not None
        whole = shard.read_bytes()
        assert whole[entry.member.offset : entry.member.offset + entry.member.size] == data
    without, _ = read(shard, use_texts=False)
    assert [(e.short, e.start) for e in without][:3] == [(None, None), (None, 1.0), (None, None)]


def test_a_plain_tar_of_clips(tmp_path: Path) -> None:
    """Names with dots share the sample's key; a text of just the clip's name is that clip's."""
    tar = write_tar(
        tmp_path / "clips.tar",
        [
            ("./my.clip.v1.mp4", b"1"),
            ("./my.clip.v1.txt", b"first"),
            ("./my.clip.v2.mp4", b"2"),
            ("./my.clip.v2.txt", b"second"),
            ("./._my.clip.v2.mp4", b"what a Mac adds"),
            ("./lonely.txt", b"no clip"),
            ("./notes.pdf", b"..."),
            ("./list.json", b"[1]"),
        ],
    )
    entries, said = read(tar)
    assert [(e.path, e.short) for e in entries] == [
        (f"{tar}/my.clip.v1.mp4", "first"),
        (f"{tar}/my.clip.v2.mp4", "second"),
    ]
    [line] = said
    assert line.startswith(f"left out 4 members of {str(tar)!r} (")
    for part in ("1 hidden", "1 .pdf", "1 .txt without a clip", "1 .json without a clip"):
        assert part in line


def test_names_cannot_lead_elsewhere_and_come_once(tmp_path: Path) -> None:
    names = ["../../up.mp4", "/etc/abs.mp4", "a.mp4", "a.mp4", "a.mp4", "new\nline.mp4", "bad\udcff.mp4"]
    tar = write_tar(tmp_path / "s.tar", [(name, f"{n}".encode()) for n, name in enumerate(names)])
    entries, _ = read(tar)
    assert [e.path.removeprefix(f"{tar}/") for e in entries] == [
        "(..)/(..)/up.mp4",
        "etc/abs.mp4",
        "a.mp4",
        "a#2.mp4",
        "a#3.mp4",
        "new\nline.mp4",
        "bad\udcff.mp4",
    ]
    assert all(os.path.normpath(e.path).startswith(f"{tar}/") for e in entries)
    for number, entry in enumerate(entries):
        with open_clip(entry.path) as file:
            assert file.read() == str(number).encode()
        with on_disk(entry) as path:
            assert path.read_bytes() == str(number).encode()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_every_form(tmp_path: Path, form: int) -> None:
    name = "/".join(["folder" * 5] * 4) + "/clip.mp4"
    tar = write_tar(tmp_path / "s.tar", {name: b"data", "b.mp4": b"more"}, format=form)
    entries, _ = read(tar)
    assert [e.path for e in entries] == [f"{tar}/{name}", f"{tar}/b.mp4"]


def test_fields_that_cannot_be_used_cost_the_clip_only(tmp_path: Path) -> None:
    tar = write_tar(
        tmp_path / "s.tar",
        {
            "0.mp4": b"0",
            "0.json": of_json(start="soon"),
            "1.mp4": b"1",
            "1.json": of_json(start=5, end=2),
            "2.mp4": b"2",
            "2.txt": b"x" * 9000,
            "3.mp4": b"3",
            "3.txt": b"\xff\xfe",
            "4.mp4": b"4",
            "4.json": b"{no json",
        },
    )
    entries, said = read(tar)
    problems = [str(e.problem) if e.problem else None for e in entries]
    assert "'start' is 'soon'; it must be seconds" in (problems[0] or "")
    assert "end 2.0 is not after start 5.0" in (problems[1] or "")
    assert "2000 at most" in (problems[2] or "")
    assert "not UTF-8 text" in (problems[3] or "")
    assert problems[4] is None
    assert said == [f"left out 1 members of {str(tar)!r} (1 .json that holds no object)"]


def test_links_and_folders_in_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind, target in [
            ("d.mp4", tarfile.DIRTYPE, ""),
            ("l.mp4", tarfile.SYMTYPE, "../secret.mp4"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("a.mp4"), io.BytesIO())
    link, clip = read(path)[0]
    assert "is a link to '../secret.mp4' and holds no bytes; store the file itself" in str(link.problem)
    assert clip.problem is None and clip.member is not None and clip.member.size == 0


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_compressed_tars_are_refused_with_advice(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, f"w:{kind}") as tar:  # type: ignore[call-overload]
        tar.addfile(tarfile.TarInfo("a.mp4"), io.BytesIO())
    with pytest.raises(InputError, match=r"is compressed \(\w+\).*unpack it to a plain .tar"):
        read(path)


def test_what_is_no_tar(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("hello " * 500)
    (tmp_path / "short.tar").write_bytes(b"x")
    (tmp_path / "folder.tar").mkdir()
    os.mkfifo(tmp_path / "pipe.tar")
    for name in ("text.tar", "short.tar", "folder.tar", "pipe.tar", "none.tar"):
        with pytest.raises(InputError) as told:
            read(tmp_path / name)
        assert name in str(told.value) and "\n" not in str(told.value)
    (tmp_path / "empty.tar").touch()
    assert read(tmp_path / "empty.tar") == ([], [])


def test_a_tar_that_is_cut_off(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {"a.mp4": bytes(2000), "a.txt": b"good", "b.mp4": bytes(3000)})
    whole = tar.read_bytes()
    tar.write_bytes(whole[: 512 + 2048 + 1024 + 512 + 1000])
    good, cut = read(tar)[0]
    assert (good.short, good.problem) == ("good", None)
    assert cut.path == f"{tar}/b.mp4" and cut.member is None
    assert "'b.mp4' is cut off: the archive ends at byte 5096; get the archive again" in str(cut.problem)
    tar.write_bytes(whole[: 512 + 2048 + 1024 + 200])
    good, cut = read(tar)[0]
    assert good.problem is None
    assert cut.path == str(tar)
    assert "breaks at byte 3584 of 3784" in str(cut.problem)


def test_a_damaged_header_in_the_middle(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {"a.mp4": bytes(600), "b.mp4": bytes(600), "c.mp4": b""})
    data = bytearray(tar.read_bytes())
    data[1536 + 20] ^= 255
    tar.write_bytes(data)
    good, cut = read(tar)[0]
    assert good.path == f"{tar}/a.mp4" and good.problem is None
    assert cut.path == str(tar) and "breaks at byte 1536 of 10240" in str(cut.problem)


def test_joined_tars_are_read_as_one(tmp_path: Path) -> None:
    one = write_tar(tmp_path / "1.tar", {"a.mp4": b"a"}).read_bytes()
    two = write_tar(tmp_path / "2.tar", {"b.mp4": b"b"}).read_bytes()
    tar = tmp_path / "s.tar"
    tar.write_bytes(one + two)
    entries, _ = read(tar)
    assert [e.path for e in entries] == [f"{tar}/a.mp4", f"{tar}/b.mp4"]
    with open_clip(entries[1].path) as file:
        assert file.read() == b"b"
    tar.write_bytes(one[: -10240 + 1024] + b"junk behind the end" * 50)
    assert [bool(e.problem) for e in read(tar)[0]] == [False, True]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_flipped_bytes_never_do_more_than_a_typed_error(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    members = {f"{n}.mp4": bytes(chance.randrange(900)) for n in range(4)} | {"4" * 120 + ".mp4": b"x"}
    tar = write_tar(
        tmp_path / "s.tar", members, format=chance.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    )
    data = bytearray(tar.read_bytes())
    for _ in range(chance.randrange(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    tar.write_bytes(data[: chance.randrange(1, len(data) + 1)])
    try:
        entries, _ = read(tar)
    except InputError as error:
        assert "\n" not in str(error)
        return
    for entry in entries:
        assert entry.problem is not None or entry.member is not None
        assert "\n" not in str(entry.problem)


def test_decoders_get_a_real_file(tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "a.mp4", 5)
    tar = write_tar(tmp_path / "s.tar", {"x/a.MP4": clip.read_bytes()})
    [entry] = read(tar)[0]
    with on_disk(entry) as path:
        assert path.suffix == ".MP4"
        assert VideoSource(path).info.width == 128
    assert not path.exists()
    plain = ClipEntry(str(clip), str(tmp_path))
    with on_disk(plain) as path:
        assert path == clip


def test_an_archive_that_changed_or_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    tar = write_tar(tmp_path / "s.tar", {"a.mp4": bytes(3000)})
    [entry] = read(tar)[0]
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(VideoUnreadable, match="shorter than when it was listed"), on_disk(entry):
        pass
    tar.unlink()
    with pytest.raises(VideoNotFound, match="the archive is not there any more"), on_disk(entry):
        pass
    assert list((tmp_path / "temporary").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        open_clip(entry.path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(VideoUnreadable, match="set TMPDIR"), on_disk(entry):
        pass


def test_copies_of_killed_runs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from batch.inputs import stored

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    old, fresh, other = (tmp_path / "temporary" / n for n in ("vidprompter-clip-99999999-a", "b", "c.mp4"))
    fresh = fresh.with_name("vidprompter-clip-99999999-b")
    for path in (old, fresh, other):
        path.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    stored._remove_orphans.cache_clear()
    [entry] = read(write_tar(tmp_path / "s.tar", {"a.mp4": b"a"}))[0]
    with on_disk(entry):
        assert not old.exists() and fresh.exists() and other.exists()


def test_open_clip_reads_files_and_members(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "odd.tar.tar", {"a.mp4": bytes(range(256)) * 20, "b.mp4": b"b"})
    with open_clip(f"{tar}/a.mp4") as file:
        assert file.seek(0, 2) == 5120
        file.seek(250)
        assert file.read(10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
        file.seek(5119)
        assert file.read() == b"\xff"
    (tmp_path / "plain.mp4").write_bytes(b"plain")
    with open_clip(str(tmp_path / "plain.mp4")) as file:
        assert file.read() == b"plain"
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in ("pipe.mp4", "none.mp4", "odd.tar.tar/none.mp4", "plain.mp4/x"):
        with pytest.raises(OSError):
            open_clip(str(tmp_path / path))


def test_a_shard_of_many_clips_is_read_quickly(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {f"{n:06d}.mp4": b"x" for n in range(3000)})
    begin = time.perf_counter()
    entries, _ = read(tar)
    for entry in entries[::3]:
        open_clip(entry.path).close()
    assert len(entries) == 3000
    assert time.perf_counter() - begin < 20  # 0.2 s where nothing else runs


def test_gzip_by_its_first_bytes_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(gzip.compress(b"anything"))
    with pytest.raises(InputError, match="gunzip"):
        read(path)
