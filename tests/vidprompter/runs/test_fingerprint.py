"""Fingerprints notice changed files and forgive touched ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from vidprompter.runs.fingerprint import MISSING, Fingerprint, fingerprint, unchanged


def test_a_file_is_itself_and_survives_text(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(os.urandom(200_000))
    mark = fingerprint(str(path))
    assert Fingerprint.from_text(mark.to_text()) == mark
    assert unchanged(str(path), mark)


def test_touched_and_copied_files_are_unchanged(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.mp4", tmp_path / "b.mp4"
    path.write_bytes(os.urandom(100_000))
    mark = fingerprint(str(path))
    shutil.copyfile(path, copy)
    os.utime(path, ns=(1, 1))
    assert unchanged(str(path), mark)
    assert unchanged(str(copy), mark)


@settings(deadline=None, max_examples=30)  # the disk may be busy
@given(st.binary(min_size=1, max_size=60_000), st.data())
def test_any_changed_byte_of_a_small_file_is_noticed(
    tmp_path_factory: object, content: bytes, data: st.DataObject
) -> None:
    folder = Path(str(tmp_path_factory.mktemp("f")))  # type: ignore[attr-defined]
    path = folder / "a.mp4"
    path.write_bytes(content)
    mark = fingerprint(str(path))
    at = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    os.utime(path, ns=(mark.mtime_ns + 1, mark.mtime_ns + 1))
    assert not unchanged(str(path), mark)


def test_a_forged_time_does_not_hide_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x" * 5000)
    mark = fingerprint(str(path))
    path.write_bytes(b"y" * 5000)
    os.utime(path, ns=(mark.mtime_ns, mark.mtime_ns))
    assert not unchanged(str(path), mark)


def test_missing_files_and_pipes_do_not_block(tmp_path: Path) -> None:
    gone, pipe = tmp_path / "gone.mp4", tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    assert fingerprint(str(gone)) == MISSING
    assert unchanged(str(gone), MISSING)
    gone.write_bytes(b"here now")
    assert not unchanged(str(gone), MISSING)
    assert unchanged(str(pipe), fingerprint(str(pipe)))
    assert fingerprint("a\0b") == MISSING
