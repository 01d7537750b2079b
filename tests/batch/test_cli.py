"""The root command: help in a blink, and errors as exits."""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys

import click
import pytest

from batch.cli import COMMANDS, cli, run
from tests.batch.stub import stub_source
from vidprompter.errors import InputError, OutputError

HEAVY = ("torch", "numpy", "cv2", "rich", "transformers", "av", "decord", "onnxruntime", "spacy", "pydantic")


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['vidprompter', '--help']\n"
        "from batch.entry import main; code = main()\n"
        f"print('HEAVY', code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    spans = []
    for _ in range(3):
        began = _children_seconds()
        done = python(program)
        spans.append(_children_seconds() - began)
    assert "HEAVY 0 []" in done.stdout
    assert min(spans) < 0.4


def _children_seconds() -> float:
    """Processor time and not the clock's: other programs on the machine are not our slowness."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("module", ["", ".caption", ".expand", ".score", ".rank", ".eval"])
def test_importing_commands_leaves_torch_alone(module: str) -> None:
    done = python(
        f"import sys, batch.commands{module}; print([n for n in ('torch', 'cv2', 'transformers') if n in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_says_how_to_start(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    out = capsys.readouterr().out
    assert "vidprompter caption clips/ --out captions.jsonl" in out
    assert all(name in out for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("vidprompter 0.")


@pytest.mark.parametrize("name", ["caption", "expand", "runs", "score", "rank", "eval"])
def test_the_table_leads_to_commands_and_says_what_they_say(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    assert command.name == name
    assert command.get_short_help_str(200) == COMMANDS[name].help


def test_unknown_commands_are_answered_with_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["capton"]) == 2
    assert "did you mean 'caption'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["caption"], ["caption", "x", "--seed", "a"], ["expand", "--no-such"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run(arguments) == 2


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("no such\nfile"), 2, "vidprompter: error: no such file"),
        (OutputError("disk full"), 1, "vidprompter: error: disk full"),
        (KeyboardInterrupt(), 130, "vidprompter: interrupted"),
        (ZeroDivisionError("by zero"), 1, "vidprompter: error: unexpected ZeroDivisionError: by zero"),
    ],
)
def test_errors_become_one_line_and_a_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expand = importlib.import_module("batch.commands.expand")

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(expand, "expand", fails)
    monkeypatch.setattr(expand, "writer_source", lambda *_: stub_source())
    assert run(["expand", "an idea"]) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(line)


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDPROMPTER_DEBUG", "1")
    with pytest.raises(InputError):
        run(["caption", "/no/such/folder"])
