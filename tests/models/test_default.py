"""The default model: kept in a small file, cheap to ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.default import default_model, set_default, settings_file
from models.errors import ModelError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path))


def test_builtin_until_something_is_set() -> None:
    assert default_model() == "builtin"
    assert not settings_file().exists()
    assert set_default("org/name") == settings_file()
    assert default_model() == "org/name"
    set_default(None)
    assert default_model() == "builtin"
    assert not settings_file().exists()


def test_other_settings_stay() -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('{"other": 1}')
    set_default("org/name")
    set_default("builtin")
    assert settings_file().read_text() == '{\n "other": 1\n}\n'


@pytest.mark.parametrize("text", ["{", "[]", '{"default_model": 3}', '{"default_model": ""}', "\0"])
def test_a_damaged_file_is_an_error_that_names_it(text: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text)
    with pytest.raises(ModelError, match="mend it, or remove it") as raised:
        default_model()
    assert str(settings_file()) in str(raised.value) and "\n" not in str(raised.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "file"))
    assert default_model() == "builtin"
    with pytest.raises(ModelError, match="cannot be kept in"):
        set_default("org/name")


def test_cheap() -> None:
    heavy = "{'torch', 'click', 'huggingface_hub'}"
    code = (
        f"import sys; from models.default import default_model as d; d(); print({heavy} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
