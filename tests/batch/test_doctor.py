"""`vidprompter doctor`: what it finds, on a machine without weights and on one with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batch.checkup import Check, _cache_folder, _library, _pip
from batch.checkup_models import fast_cpu_engine, model_findings
from models.default import set_default, settings_file


def doctor(*arguments: str, **settings: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "batch.entry", "doctor", *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def checks_of(answer: tuple[int, str, str]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(answer[1])["checks"]}


def test_without_weights_it_fails_and_says_what_mends_it(tmp_path: Path) -> None:
    code, out, err = doctor("--json", VIDPROMPTER_HOME=str(tmp_path / "home"))
    assert code == 1, err
    report = json.loads(out)
    assert report["ok"] is False
    checks: dict[str, dict[str, Any]] = {check["name"]: check for check in report["checks"]}
    missing = checks["weights smollm2-135m-instruct"]
    assert missing["state"] == "fail"
    assert missing["fix"] == "vidprompter models pull smollm2-135m-instruct"
    assert checks["cache folder"] == {
        "name": "cache folder", "state": "ok", "detail": str(tmp_path / "home"), "fix": "",
    }  # fmt: skip
    libraries = {"PyAV", "OpenCV", "ONNX Runtime", "torch", "transformers", "spaCy tagger", "decord", "pip"}
    assert {name for name in libraries if checks[name]["state"] == "fail"} == set()


def test_what_large_models_need(tmp_path: Path) -> None:
    home = {"VIDPROMPTER_HOME": str(tmp_path / "home"), "HF_HUB_CACHE": str(tmp_path / "hub")}
    checks = checks_of(doctor("--json", **home, HF_HUB_OFFLINE="1"))
    assert checks["default model"]["detail"] == "builtin"
    cache = checks["hub cache"]
    assert str(tmp_path / "hub") in cache["detail"] and "HF_HUB_OFFLINE is set" in cache["detail"]
    assert checks["GPU"]["state"] == "ok"
    for name in ("vLLM", "bitsandbytes", "num2words", "sentencepiece"):
        check = checks[name]
        assert check["state"] == "ok"  # optional
        assert check["fix"].startswith("pip install") or check["fix"] == ""
    assert checks["8-bit engine"]["state"] in ("ok", "warn")


def test_a_default_model_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))

    def found() -> Check:
        return next(Check(*one) for one in model_findings() if one[0] == "default model")

    set_default("some/model")
    assert (found().state, found().fix) == ("fail", "vidprompter models pull some/model")
    set_default("openai:m@http://127.0.0.1:8000/v1")
    assert found().state == "ok"
    set_default(str(tmp_path))
    assert found().state == "fail" and found().fix.startswith("vidprompter models default --unset")
    settings_file().write_text("{")
    assert found().state == "fail" and str(settings_file()) in found().fix


def test_a_cpu_without_fast_8_bits_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    name, state, detail, _ = fast_cpu_engine()
    assert (name, state) == ("8-bit engine", "warn") and "more slowly" in detail


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "file"))
    found = _cache_folder()
    assert found.state == "fail"
    assert "VIDPROMPTER_HOME" in found.fix


def test_a_broken_library_is_a_finding() -> None:
    def broken() -> str:
        raise OSError("libGL.so.1: cannot open\nshared object file")

    found = _library("OpenCV", broken, "pip install it")
    assert (found.state, found.fix) == ("fail", "pip install it")
    assert found.detail == "OSError: libGL.so.1: cannot open shared object file"


def test_no_pip_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    assert _pip().state == "warn"
    assert "ensurepip" in _pip().fix


@pytest.mark.weights
def test_a_good_machine() -> None:
    code, out, err = doctor()
    assert code == 0, out + err
    assert "fail" not in out
    assert "weights builtin: shipped+" in out
