"""Arrows between the rooms go down only, and nothing heavy comes in before it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_rules import MAY_USE, back_doors

ROOT = Path(__file__).resolve().parents[1]
ROOMS = [room for room in MAY_USE if (ROOT / room / "__init__.py").is_file()]
HEAVY = ["torch", "transformers", "onnxruntime", "spacy", "diffusers", "ray"]


def run_python(code: str, *args: str) -> str:
    """stdout of `code` run by a fresh interpreter from the repository root."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_of(room: str, *, only_folders: bool = False) -> list[str]:
    files = sorted((ROOT / room).rglob("__init__.py" if only_folders else "*.py"))
    dotted = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in dotted if not name.endswith(".__main__")]


def test_the_rooms_are_found() -> None:
    assert {"models", "vidprompter", "batch"} <= set(ROOMS)


def test_no_back_doors() -> None:
    assert [str(door) for door in back_doors(ROOT)] == []


@pytest.mark.parametrize(
    ("file", "code", "caught"),
    [
        ("models/a.py", "import vidprompter", True),
        ("models/a.py", "import os, vidprompter.tasks as t", True),
        ("models/a.py", "def f():\n    from vidprompter.tasks import Task", True),
        ("models/a.py", "if TYPE_CHECKING:\n    from vidprompter.tasks import Task", True),
        ("vidprompter/deep/a.py", "from batch import entry", True),
        ("vidprompter/deep/a.py", "from ...batch import entry", True),
        ("vidprompter/deep/a.py", "from importlib import import_module\nimport_module('scoring')", True),
        ("vidprompter/deep/a.py", "importlib.import_module(f'batch.{name}')", True),
        ("vidprompter/deep/a.py", "importlib.import_module('batch.' + name)", True),
        ("vidprompter/deep/a.py", "LAZY = {'app': 'tui.app:App'}", True),
        ("vidprompter/deep/a.py", "run([sys.executable, '-m', 'batch.entry'])", True),
        ("vidprompter/deep/a.py", "from tests.conftest import x", True),
        ("scoring/a.py", "import t2v_bridge.render", True),
        ("t2v_bridge/a.py", "RANKER = 'scoring.clip:Ranker'", True),
        ("batch/cli.py", "import tui", True),
        ("batch/cli.py", "from tui.app import App", True),
        ("batch/cli.py", "APP = 'tui.app:App'", False),
        ("batch/cli.py", "from vidprompter.tasks import Task\nimport models.errors", False),
        ("batch/cli.py", "import scoring.clip, t2v_bridge", False),
        ("tui/a.py", "from batch.entry import main", False),
        ("vidprompter/deep/a.py", "from ..tasks import Task\nfrom . import b", False),
        ("vidprompter/deep/a.py", "NAMES = ['models', 'batch', 'batch.jsonl', 'tui']", False),
        ("vidprompter/deep/a.py", "'''batch.entry'''\nimport models.errors", False),
        ("models/a.py", "import batching, tuition", False),
    ],
)
def test_a_planted_back_door_is_caught(tmp_path: Path, file: str, code: str, caught: bool) -> None:
    for room in MAY_USE:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("")
    (tmp_path / "batch" / "entry.py").write_text("")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(code)
    found = back_doors(tmp_path)
    assert bool(found) is caught, found
    assert all(door.file == file for door in found)


@pytest.mark.parametrize("room", ROOMS)
def test_no_folder_imports_torch(room: str) -> None:
    code = (
        "import sys, json, importlib\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps([m for m in json.loads(sys.argv[2]) if m in sys.modules]))"
    )
    out = run_python(code, json.dumps(modules_of(room, only_folders=True)), json.dumps(HEAVY))
    assert json.loads(out) == []


def test_every_module_of_ours_can_be_imported() -> None:
    code = (
        "import sys, json, importlib, traceback\n"
        "bad = {}\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    try: importlib.import_module(name)\n"
        "    except Exception: bad[name] = traceback.format_exc(limit=-2)\n"
        "print(json.dumps(bad))"
    )
    names = [name for room in ROOMS for name in modules_of(room)]
    bad = json.loads(run_python(code, json.dumps(names)).splitlines()[-1])
    assert bad == {}, "\n".join(f"{name}:\n{trace}" for name, trace in bad.items())
