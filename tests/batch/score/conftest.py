"""Tiny clips of several widths, and the commands with the stub evaluator in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import batch.commands.eval
import batch.commands.rank
import batch.commands.score
from batch.cli import run
from tests.batch.score.stub import make_stub
from tests.batch.stub import write_video


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture(scope="session")
def made_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """c0.mp4 to c5.mp4, 16, 32 ... 96 pixels wide, and a text under a video's name."""
    folder = tmp_path_factory.mktemp("made")
    for index in range(6):
        write_video(folder / f"c{index}.mp4", width=16 * (1 + index))
    (folder / "bad.mp4").write_text("hello")
    return folder


@pytest.fixture
def here(tmp_path: Path, made_clips: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the test stands in, with the clips."""
    for path in made_clips.iterdir():
        (tmp_path / path.name).hardlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vidprompter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process, with the stub evaluator."""
    for module in (batch.commands.score, batch.commands.rank, batch.commands.eval):
        monkeypatch.setattr(module, "make_evaluator", make_stub)

    def call(*arguments: str) -> Done:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
