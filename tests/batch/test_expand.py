"""`expand` with a stub writer."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from batch.cli import run
from tests.batch.stub import stub_source


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    import batch.commands.expand as command

    monkeypatch.setattr(command, "writer_source", lambda *_: stub_source())


def put_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_prompts_are_parted_by_blank_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["expand", "a cat", "-n", "2", "--seed", "3"]) == 0
    assert capsys.readouterr().out == (
        "a cat, an idea, variant 0, seed 3.\n\na cat, an idea, variant 1, seed 3.\n"
    )


def test_json_is_a_list_of_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["expand", "a cat", "a dog", "-n", "3", "--json", "--batch-size", "2"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["short"], row["variant"]) for row in rows] == [
        (short, variant) for short in ("a cat", "a dog") for variant in range(3)
    ]
    assert list(rows[0]) == (
        "short variant prompt status error finish flags model revision engine settings seed".split()
    )
    assert rows[0]["settings"]["max_new_tokens"] == 256


def test_ideas_from_stdin_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    put_stdin(monkeypatch, "a cät\r\n\n  \nfog\n".encode())
    (tmp_path / "ideas.txt").write_text("rain\n\n")
    assert run(["expand", "-", "--from", str(tmp_path / "ideas.txt"), "--json"]) == 0
    captured = capsys.readouterr()
    assert [row["short"] for row in json.loads(captured.out)] == ["a cät", "fog", "rain"]
    assert captured.err.splitlines()[0] == "skipped 2 blank lines of stdin"


def test_a_failed_idea_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["expand", "refuse", "a cat"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "a cat, an idea, variant 0, seed 0.\n"
    assert "GenerationError" in captured.err
    assert run(["expand", "refuse", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["error"]["type"], row["prompt"]) == ("failed", "GenerationError", None)


@pytest.mark.parametrize(
    "arguments",
    [[], [" "], ["a", "-n", "0"], ["x" * 3000], ["--from", "nowhere.txt"], ["-"], ["a", "--candidates", "0"]],
)
def test_nothing_usable_exits_2(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    put_stdin(monkeypatch, b"\n")
    assert run(["expand", *arguments]) == 2


def test_ctrl_c_keeps_what_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.batch.stub import LetterWriter

    write = LetterWriter.generate_batch

    def interrupted(self: LetterWriter, requests: list) -> list:  # type: ignore[type-arg]
        if requests[0].short == "b":
            raise KeyboardInterrupt
        return write(self, requests)

    monkeypatch.setattr(LetterWriter, "generate_batch", interrupted)
    assert run(["expand", "a", "b", "--batch-size", "1", "--json"]) == 130
    captured = capsys.readouterr()
    assert [row["short"] for row in json.loads(captured.out)] == ["a"]
    assert "interrupted after 1 of 2" in captured.err
