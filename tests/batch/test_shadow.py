"""Foreign packages under our names: the command works beside them, a script gets a line naming both paths."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = "import sys; from batch.entry import main; sys.exit(main())"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A user's folder with packages of our names, one a plain folder."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise RuntimeError('foreign models were imported')")
    (tmp_path / "scoring").mkdir()
    (tmp_path / "tui").mkdir()
    (tmp_path / "script.py").write_text("from vidprompter import VidPrompter, Task\nprint(Task)\n")
    return tmp_path


def python(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = path
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def both_paths_named(text: str, folder: Path) -> bool:
    return str(folder / "models") in text and str(REPOSITORY / "models") in text


def test_the_console_script_works_from_a_folder_with_foreign_packages(foreign: Path) -> None:
    script = Path(sys.executable).with_name("vidprompter")
    if not script.exists():
        pytest.skip("the console script is not installed beside this Python")
    done = python(foreign, str(script), "--help")
    assert done.returncode == 0, done.stderr
    assert "vidprompter caption" in done.stdout


def test_a_script_beside_foreign_models_gets_both_paths(foreign: Path) -> None:
    done = python(foreign, "script.py", path=str(REPOSITORY))
    assert done.returncode == 1
    assert "ImportError" in done.stderr or "ShadowedPackage" in done.stderr
    assert both_paths_named(done.stderr.splitlines()[-1], foreign)


def test_python_c_beside_foreign_models_gets_both_paths(foreign: Path) -> None:
    done = python(foreign, "-c", "import vidprompter", path=str(REPOSITORY))
    assert both_paths_named(done.stderr.splitlines()[-1], foreign)


def test_models_that_were_imported_before_are_noticed(foreign: Path) -> None:
    (foreign / "models" / "__init__.py").write_text("")
    program = "import models, sys; sys.path.remove(''); import vidprompter"
    done = python(foreign, "-c", program, path=str(REPOSITORY))
    assert both_paths_named(done.stderr.splitlines()[-1], foreign)


def test_a_module_file_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("")
    done = python(tmp_path, "-c", "import vidprompter", path=str(REPOSITORY))
    assert str(tmp_path / "models.py") in done.stderr.splitlines()[-1]


def test_the_command_says_so_in_one_line(foreign: Path) -> None:
    done = python(foreign, "-c", COMMAND, path=f"{foreign}{os.pathsep}{REPOSITORY}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert both_paths_named(done.stderr, foreign)


def test_a_foreign_vidprompter_is_named(tmp_path: Path) -> None:
    (tmp_path / "vidprompter").mkdir()
    (tmp_path / "vidprompter" / "__init__.py").write_text("")
    done = python(tmp_path, "-c", COMMAND, path=f"{tmp_path}{os.pathsep}{REPOSITORY}")
    assert done.returncode == 2
    assert str(tmp_path / "vidprompter") in done.stderr
    assert str(REPOSITORY / "vidprompter") in done.stderr


def test_nothing_is_wrong_elsewhere(tmp_path: Path) -> None:
    done = python(
        tmp_path, "-c", "import vidprompter; print(vidprompter.Task.SHORT_TO_PROMPT)", path=str(REPOSITORY)
    )
    assert done.stdout.strip() == "short_to_prompt", done.stderr
