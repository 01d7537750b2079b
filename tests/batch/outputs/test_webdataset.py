"""WebDataset: samples as its readers group them, with the clips' own bytes, whatever became of the clips."""

from __future__ import annotations

import json
import re
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from batch.outputs.parts import parts_folder
from batch.outputs.webdataset import TarOutput, member_suffix
from tests.batch.outputs.conftest import FullDisk
from tests.batch.outputs.made import ListedRows, clips, failed, row
from vidprompter.errors import OutputError


def started(path: Path, ledger: ListedRows, *, said: list[str] | None = None, **choices: Any) -> TarOutput:
    output = TarOutput(path, **choices)
    output.recover(ledger, stale=False, say=(said if said is not None else []).append)
    return output


def samples(path: Path) -> dict[str, dict[str, bytes]]:
    """As the readers of WebDataset group: one name up to the first dot, members that follow each other."""
    found: dict[str, dict[str, bytes]] = {}
    last = ""
    with tarfile.open(path, "r|") as tar:  # as a stream, like they do
        for member in tar:
            if not member.isreg():
                continue
            match = re.fullmatch(r"((?:.*/|)[^.]+)[.]([^/]*)", member.name)
            assert match is not None
            key, kind = match.groups()
            assert key == last or key not in found
            last = key
            file = tar.extractfile(member)
            assert file is not None
            assert kind not in found.setdefault(key, {})
            found[key][kind] = file.read()
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
    return found


def test_samples_hold_clip_prompt_and_row(tmp_path: Path) -> None:
    one, two, three = clips(tmp_path / "clips", 3)
    ledger = ListedRows()
    output = started(tmp_path / "o.tar", ledger)
    stretch = row(5, three, start=0.0, end=2.5)
    output.add(ledger.put(row(1, one), failed(2, two), stretch))
    output.finish(ledger)
    found = samples(tmp_path / "o.tar")
    assert list(found) == ["000000001", "000000005"]
    assert found["000000001"]["mp4"] == one.read_bytes()
    assert found["000000001"]["txt"].decode() == "Prompt 1: a “quiet” street 🎬."
    assert json.loads(found["000000001"]["json"])["path"] == str(one)
    assert list(found["000000005"]) == ["txt", "json"]
    assert found["000000005"]["json"].decode() == stretch.text


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    found = clips(tmp_path / "clips", 5)
    ledger = ListedRows([row(n, clip) for n, clip in enumerate(found, 1)])
    started(tmp_path / "a.tar", ledger, part_rows=2).finish(ledger)
    started(tmp_path / "b.tar", ledger).finish(ledger)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_parts_by_the_weight_of_clips(tmp_path: Path) -> None:
    found = clips(tmp_path / "clips", 4)  # 700, 1400, 2100, 2800 bytes
    path, ledger = tmp_path / "o.tar", ListedRows()
    output = started(path, ledger, part_bytes=2000)
    output.add(ledger.put(*[row(n, clip) for n, clip in enumerate(found, 1)]))
    parts = sorted(parts_folder(path).iterdir())
    assert [list(samples(part)) for part in parts] == [
        ["000000001", "000000002"],
        ["000000003"],
        ["000000004"],
    ]
    assert not path.exists()


@pytest.mark.parametrize("gone", ["removed", "folder", "unreadable folder above"])
def test_a_clip_that_is_gone_costs_its_video_and_is_told_once(tmp_path: Path, gone: str) -> None:
    one, two = clips(tmp_path / "clips", 2)
    path, ledger, said = tmp_path / "o.tar", ListedRows(), list[str]()
    two.unlink()
    if gone == "folder":
        two.mkdir()
    if gone == "unreadable folder above":
        two = one / "below.mp4"
    output = started(path, ledger, said=said, part_rows=1)
    output.add(ledger.put(row(1, one), row(2, two)))
    output.finish(ledger)
    assert list(samples(path)["000000002"]) == ["txt", "json"]
    [line] = said
    assert line.startswith("1 samples have texts and no video, which could not be read (")
    assert two.name in line


def test_a_clip_that_comes_back_is_put_in(tmp_path: Path) -> None:
    [clip] = clips(tmp_path / "clips", 1)
    data = clip.read_bytes()
    clip.unlink()
    path, ledger = tmp_path / "o.tar", ListedRows()
    output = started(path, ledger, part_rows=1)
    output.add(ledger.put(row(1, clip)))
    clip.write_bytes(data)
    output.finish(ledger)
    assert samples(path)["000000001"]["mp4"] == data


def test_what_was_copied_outlives_its_clip(tmp_path: Path) -> None:
    """Rows are taken out, added, and the file is made anew; the clips were removed or changed meanwhile."""
    found = clips(tmp_path / "clips", 6)
    data = [clip.read_bytes() for clip in found]
    path, ledger, said = (
        tmp_path / "o.tar",
        ListedRows([row(n, c) for n, c in enumerate(found, 1)]),
        list[str](),
    )
    started(path, ledger).finish(ledger)
    found[0].unlink()
    found[1].write_bytes(b"another clip now")
    ledger.take(3, 4)
    output = TarOutput(path, part_rows=1)
    output.recover(ledger, stale=True, say=said.append)
    output.add(ledger.put(row(9, found[2], prompt="Anew.")))
    found[2].unlink()
    output.finish(ledger)
    held = samples(path)
    assert list(held) == [f"{n:09d}" for n in (1, 2, 5, 6, 9)]
    assert [held[f"{n:09d}"]["mp4"] for n in (1, 2, 5, 6, 9)] == [data[n] for n in (0, 1, 4, 5, 2)]
    assert said == []


def test_a_spoiled_file_is_made_again_as_far_as_clips_are_there(tmp_path: Path) -> None:
    found = clips(tmp_path / "clips", 4)
    path, ledger, said = (
        tmp_path / "o.tar",
        ListedRows([row(n, c) for n, c in enumerate(found, 1)]),
        list[str](),
    )
    started(path, ledger).finish(ledger)
    whole = path.read_bytes()
    path.write_bytes(whole[:6000])
    ledger.put(row(5, found[0]))
    output = started(path, ledger, said=said)
    output.finish(ledger)
    assert len(samples(path)) == 5
    assert all("mp4" in sample for sample in samples(path).values())
    [line] = said
    assert "made again from their clips" in line


def test_a_clip_that_shrinks_while_it_is_copied(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(bytes(5000))

    class Shrinking:
        def __init__(self) -> None:
            self.file = clip.open("rb")

        def read(self, size: int) -> bytes:
            return self.file.read(min(size, 100)) if self.file.tell() < 1000 else b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return self.file.seek(offset, whence)

        def __enter__(self) -> Shrinking:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

    path, ledger, said = tmp_path / "o.tar", ListedRows([row(1, clip), row(2, clip)]), list[str]()
    output = TarOutput(path, open_clip=lambda _: Shrinking())  # type: ignore[arg-type,return-value]
    output.recover(ledger, stale=False, say=said.append)
    output.finish(ledger)
    assert [list(sample) for sample in samples(path).values()] == [["txt", "json"], ["txt", "json"]]
    assert "4000 bytes fewer" in said[0]


def test_an_empty_run_gives_an_archive_that_opens(tmp_path: Path) -> None:
    path, ledger = tmp_path / "o.tar", ListedRows([failed(1, "a.mp4")])
    started(path, ledger).finish(ledger)
    assert samples(path) == {}
    inode = path.stat().st_ino
    started(path, ledger).finish(ledger)
    assert path.stat().st_ino == inode


def test_a_full_disk_is_no_fault_of_the_clip(tmp_path: Path, full_disk: FullDisk) -> None:
    found = clips(tmp_path / "clips", 4)
    path, ledger, said = tmp_path / "o.tar", ListedRows(), list[str]()
    output = started(path, ledger, said=said, part_rows=2)
    output.add(ledger.put(row(1, found[0])))
    with full_disk(3000), pytest.raises(OutputError, match="run the same command again"):
        output.add(ledger.put(row(2, found[3])))
    assert list(parts_folder(path).iterdir()) == []
    with full_disk(3000), pytest.raises(OutputError):
        output.finish(ledger)
    assert not path.exists() and not list(tmp_path.glob(".*"))
    output = started(path, ledger, said=said)
    output.finish(ledger)
    assert samples(path)["000000002"]["mp4"] == found[3].read_bytes()
    assert said == []


@pytest.mark.parametrize(
    ("clip", "suffix"),
    [
        ("a.MP4", ".mp4"),
        ("a", ".bin"),
        ("a.txt", ".bin"),
        ("a.json", ".bin"),
        ("a.m\udcff", ".bin"),
        ("a.b c", ".bin"),
    ],
)
def test_suffixes_of_members(clip: str, suffix: str) -> None:
    assert member_suffix(clip) == suffix


def test_clips_out_of_a_shard_go_into_a_shard(tmp_path: Path) -> None:
    found = clips(tmp_path / "clips", 3)
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        for clip in found:
            tar.add(clip, f"some/{clip.name}")
    ledger = ListedRows([row(n, f"{tmp_path}/in.tar/some/clip{n}.MP4") for n in (1, 2, 3)])
    started(tmp_path / "o.tar", ledger).finish(ledger)
    assert [sample["mp4"] for sample in samples(tmp_path / "o.tar").values()] == [
        c.read_bytes() for c in found
    ]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    clip = tmp_path / "bad\udcff 'quoted' \"🎬\".mp4"
    clip.write_bytes(b"bytes")
    ledger = ListedRows([row(1, clip)])
    started(tmp_path / "o.tar", ledger).finish(ledger)
    [sample] = samples(tmp_path / "o.tar").values()
    assert sample["mp4"] == b"bytes"
    assert json.loads(sample["json"])["path"] == str(clip)


def test_many_parts_need_few_open_files(tmp_path: Path) -> None:
    import resource

    [clip] = clips(tmp_path / "clips", 1)
    path, ledger = tmp_path / "o.tar", ListedRows([row(n, clip) for n in range(1, 81)])
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    output = started(path, ledger, part_rows=1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, before[1]), before[1]))
    try:
        output.finish(ledger)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    counts: dict[int, int] = defaultdict(int)
    for sample in samples(path).values():
        counts[len(sample)] += 1
    assert counts == {3: 80}
