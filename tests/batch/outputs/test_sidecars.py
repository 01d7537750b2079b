"""Text files beside clips: each prompt once, nobody's text lost, and nothing taken for ours that is not."""

from __future__ import annotations

import os
import sqlite3
import stat
import tarfile
from pathlib import Path

import pytest

from batch.outputs.sidecars import Mode, SidecarOutput, beside, under
from tests.batch.outputs.conftest import FullDisk
from tests.batch.outputs.made import ListedRows, clips, failed, row
from vidprompter.errors import LedgerError, OutputError
from vidprompter.runs.output import Row


class Run:
    """An output with its ledger and what it said."""

    def __init__(self, folder: Path, mode: Mode = "skip", *, texts: Path | None = None) -> None:
        self.ledger = ListedRows()
        self.said: list[str] = []
        self.state = folder / "o.ledger.texts"
        self.mode = mode
        self.place = under(texts, [folder]) if texts is not None else beside
        self.open()

    def open(self, *, stale: bool = False) -> None:
        self.output = SidecarOutput(self.mode, self.place, state=self.state)
        self.output.recover(self.ledger, stale=stale, say=self.said.append)

    def again(self, *, stale: bool = False) -> None:
        self.output.close()
        self.open(stale=stale)

    def add(self, *rows: Row) -> None:
        self.output.add(self.ledger.put(*rows))

    def finish(self) -> list[str]:
        self.output.finish(self.ledger)
        return self.said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips(tmp_path, 4)
    return tmp_path


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def test_a_text_for_each_row_that_is_done(folder: Path) -> None:
    run = Run(folder)
    run.add(row(1, folder / "clip1.MP4"), failed(2, folder / "clip2.MP4"))
    run.add(
        row(3, folder / "clip3.MP4", start=0.0, end=4.2), row(4, folder / "clip3.MP4", start=4.2, end=None)
    )
    assert run.finish() == []
    assert text(folder, "clip1.txt") == "Prompt 1: a “quiet” street 🎬.\n"
    assert sorted(p.name for p in folder.glob("*.txt")) == [
        "clip1.txt",
        "clip3.0.000-4.200.txt",
        "clip3.4.200-end.txt",
    ]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((folder / "clip1.txt").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("skip", "Old.\n"),
        ("overwrite", "New.\n"),
        ("append", "Old.\nNew.\n"),
        ("prepend", "New.\nOld.\n"),
    ],
)
def test_modes(folder: Path, mode: Mode, wanted: str) -> None:
    (folder / "clip1.txt").write_text("Old.\n")
    (folder / "clip1.txt").chmod(0o640)
    run = Run(folder, mode)
    rows = [row(1, folder / "clip1.MP4", prompt="New."), row(2, folder / "clip2.MP4", prompt="New.")]
    run.add(*rows)
    run.again()
    run.output.add(rows)  # told again of what is there
    assert text(folder, "clip1.txt") == wanted
    assert text(folder, "clip2.txt") == "New.\n"
    assert stat.S_IMODE((folder / "clip1.txt").stat().st_mode) == 0o640
    said = run.finish()
    expected = f"left 1 text files alone that stood there already, such as {str(folder / 'clip1.txt')!r}"
    assert said == ([expected] if mode == "skip" else [])


@pytest.mark.parametrize("mode", ["append", "prepend"])
def test_what_is_known_may_get_lost(folder: Path, mode: Mode) -> None:
    (folder / "clip1.txt").write_text("Old.")
    run = Run(folder, mode)
    run.add(row(1, folder / "clip1.MP4", prompt="New."), row(2, folder / "clip2.MP4", prompt="New."))
    before = text(folder, "clip1.txt")
    run.output.close()
    run.state.unlink()
    run.open()
    assert text(folder, "clip1.txt") == before
    assert text(folder, "clip2.txt") == "New.\n"


@pytest.mark.parametrize("mode", ["skip", "overwrite", "append", "prepend"])
def test_a_row_that_is_taken_out_takes_its_text_along(folder: Path, mode: Mode) -> None:
    (folder / "clip1.txt").write_text("Old.\n")
    run = Run(folder, mode)
    run.add(*[row(n, folder / f"clip{n}.MP4", prompt="New.") for n in (1, 2, 3)])
    (folder / "clip3.txt").write_text("Edited.\n")
    run.ledger.take(1, 2, 3)
    run.again(stale=True)
    left = {path.name: path.read_text() for path in folder.glob("*.txt")}
    old = {} if mode == "overwrite" else {"clip1.txt": "Old.\n"}
    assert left == {**old, "clip3.txt": "Edited.\n"}
    assert run.said[-1] == "1 text files whose clips are done again were edited since, and stay as they are"
    run.add(row(9, folder / "clip2.MP4", prompt="Newer."))
    assert text(folder, "clip2.txt") == "Newer.\n"


def test_a_clip_listed_twice_has_its_newest_prompt(folder: Path) -> None:
    (folder / "clip1.txt").write_text("Old.\n")
    run = Run(folder, "append")
    run.add(row(1, folder / "clip1.MP4", prompt="One."), row(2, folder / "clip1.MP4", prompt="Two."))
    assert text(folder, "clip1.txt") == "Old.\nTwo.\n"
    assert run.finish() == ["1 text files were written again: each holds its clip's newest prompt"]


def test_clips_of_one_name_share_no_text(folder: Path) -> None:
    names = ["a.mp4", "a.mov", "a.webm", "b.txt"]
    run = Run(folder)
    for seq, name in enumerate(names, 1):
        run.add(row(seq, folder / name, prompt=name))
    run.again()
    run.add(row(9, folder / "a.mov", prompt="a.mov again"))
    found = {path.name: path.read_text() for path in folder.glob("*.txt")}
    assert found == {
        "a.txt": "a.mp4\n",
        "a.mov.txt": "a.mov again\n",
        "a.webm.txt": "a.webm\n",
        "b.txt.txt": "b.txt\n",
    }


def test_whose_a_text_is(folder: Path) -> None:
    (folder / "b.txt").write_text("Mine.")
    run = Run(folder)
    run.add(row(1, folder / "a.mp4"))
    names = ("a.mp4", "a.mov", "b.mp4", "c.mp4")
    whole = {"start": None, "end": None, "variant": 0}
    found = [run.output.is_somebodys({"path": str(folder / name), **whole}) for name in names]
    assert found == [False, False, True, False]


def test_texts_under_a_folder_mirror_the_clips(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    run = Run(tmp_path, texts=tmp_path / "texts")
    run.add(
        row(1, tmp_path / "one" / "a.mp4"), row(2, tmp_path / "two" / "a.mp4"), row(3, tmp_path / "a.mp4")
    )
    found = sorted(str(path.relative_to(tmp_path / "texts")) for path in (tmp_path / "texts").rglob("*.txt"))
    assert found == ["a.txt", "one/a.txt", "two/a.txt"]


def test_several_roots_and_clips_from_elsewhere(tmp_path: Path) -> None:
    place = under(tmp_path / "texts", [tmp_path / "x" / "clips", tmp_path / "y" / "clips"])
    spots = [place({"path": str(tmp_path / way)}) for way in ("x/clips/a.mp4", "y/clips/a.mp4", "../a.mp4")]
    elsewhere = tmp_path.parent / "a.txt"
    assert [spot.path for spot in spots] == [
        tmp_path / "texts" / "x" / "clips" / "a.txt",
        tmp_path / "texts" / "y" / "clips" / "a.txt",
        tmp_path / "texts" / elsewhere.relative_to("/"),
    ]


def test_a_clip_in_a_shard_has_its_text_beside_the_shard(folder: Path) -> None:
    with tarfile.open(folder / "in.tar", "w") as tar:
        tar.add(folder / "clip1.MP4", "deep/clip1.MP4")
    run = Run(folder)
    run.add(row(1, f"{folder}/in.tar/deep/clip1.MP4", prompt="New."))
    assert text(folder, "in/deep/clip1.txt") == "New.\n"


def test_what_is_no_text_is_left_alone(folder: Path) -> None:
    os.mkfifo(folder / "clip1.txt")
    (folder / "clip2.txt").symlink_to(folder / "nowhere")
    (folder / "clip3.txt").write_bytes(b"\xff\xfeO\0l\0d\0")
    (folder / "clip4.txt").write_bytes(b"x" * 2_000_000)
    run = Run(folder, "append")
    run.add(*[row(n, folder / f"clip{n}.MP4") for n in (1, 2, 3, 4)])
    reasons = " ".join(run.finish())
    for reason in (
        "are no regular files",
        "are links to nowhere",
        "are not UTF-8 text",
        "are larger than 1 MiB",
    ):
        assert f"left 1 text files alone that {reason}" in reasons
    assert (folder / "clip4.txt").stat().st_size == 2_000_000


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "real.txt").write_text("Old.\n")
    (folder / "clip1.txt").symlink_to("real.txt")
    run = Run(folder, "append")
    run.add(row(1, folder / "clip1.MP4", prompt="New."))
    assert (folder / "clip1.txt").is_symlink()
    assert text(folder, "real.txt") == "Old.\nNew.\n"


def test_odd_names(folder: Path) -> None:
    names = ["bad\udcff", "a \"quoted\" 'name'", "🎬 film", "x" * 251, ("y" * 251)]
    run = Run(folder)
    run.add(*[row(n, folder / f"{name}.mp4", prompt=str(n)) for n, name in enumerate(names, 1)])
    for number, name in enumerate(names, 1):
        assert text(folder, f"{name}.txt") == f"{number}\n"
    run.add(row(9, folder / f"{'x' * 251}.mp4", start=1.0, end=2.0, prompt="cut"))
    [cut] = folder.glob("xxx*.1.000-2.000.txt")
    assert cut.read_text() == "cut\n"


def test_texts_that_are_gone_come_back_as_far_as_their_folders_are_there(folder: Path) -> None:
    (folder / "disk").mkdir()
    run = Run(folder)
    run.add(row(1, folder / "clip1.MP4"), row(2, folder / "clip2.MP4"), row(3, folder / "disk" / "a.mp4"))
    (folder / "clip1.txt").unlink()
    (folder / "clip2.txt").write_bytes(b"")  # as a power cut leaves it
    (folder / "disk").rename(folder / "elsewhere")
    run.again()
    assert text(folder, "clip1.txt") == "Prompt 1: a “quiet” street 🎬.\n"
    assert text(folder, "clip2.txt") == "Prompt 2: a “quiet” street 🎬.\n"
    assert run.said == [
        "put 2 text files back that were gone",
        "1 text files are gone with their folders; they come back when those are there",
    ]


def test_a_vanished_folder_is_one_line_and_the_run_can_go_on(folder: Path) -> None:
    run = Run(folder)
    with pytest.raises(OutputError) as told:
        run.add(row(1, folder / "disk" / "a.mp4", prompt="New."))
    assert "run the same command again" in str(told.value) and "\n" not in str(told.value)
    assert not (folder / "disk").exists()
    (folder / "disk").mkdir()
    run.again()
    assert text(folder, "disk/a.txt") == "New.\n"


def test_a_full_disk_leaves_the_old_text(folder: Path, full_disk: FullDisk) -> None:
    (folder / "clip1.txt").write_text("Old.\n")
    run = Run(folder, "append")
    long = "New. " * 100_000
    with full_disk(300_000), pytest.raises(OutputError, match="run the same command again"):
        run.add(row(1, folder / "clip1.MP4", prompt=long))
    assert text(folder, "clip1.txt") == "Old.\n"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    run.again()
    assert text(folder, "clip1.txt") == f"Old.\n{long}\n"


def test_a_damaged_state_says_what_to_do(folder: Path) -> None:
    (folder / "o.ledger.texts").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(LedgerError, match="remove it and run the same again"):
        Run(folder)


def test_what_a_killed_run_left_half_done_is_tidied_up(folder: Path) -> None:
    """Killed in front of the rename; then somebody writes a text of their own."""
    run = Run(folder)
    run.add(row(1, folder / "clip1.MP4"))
    with sqlite3.connect(run.state) as known:
        known.execute("UPDATE progress SET seq=0")
    known.close()
    (folder / "clip1.txt").rename(folder / ".clip1.txt.vidprompter-tmp")
    (folder / "clip1.txt").write_text("Mine.")
    run.again()
    assert text(folder, "clip1.txt") == "Mine."
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
