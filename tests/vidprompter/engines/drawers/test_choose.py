"""Which drawer is taken, and what is said where the fastest cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.vidprompter.engines.drawers.tiny import tiny_drawer
from vidprompter.engines.drawers import choose, onnx_drawer, torch_drawer
from vidprompter.errors import CapabilityError

ADAPTER = Path("adapter.safetensors")


@pytest.fixture(autouse=True)
def drawers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawers that say how they were asked for, on a CPU with AVX2 and no GPU."""

    def of_torch(name: str, adapter: Path, *, dtype: str = "auto", device: str = "auto") -> Any:
        return SimpleNamespace(backend="torch", dtype=dtype, device=device, why="torch")

    def of_onnx(name: str, adapter: Path, *, why: str) -> Any:
        return SimpleNamespace(backend="onnxruntime", dtype="int8", why=why)

    monkeypatch.setattr(torch_drawer, "torch_drawer", of_torch)
    monkeypatch.setattr(onnx_drawer, "onnx_drawer", of_onnx)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


def made(dtype: str = "auto", device: str = "auto") -> Any:
    return choose.make_drawer("builtin", ADAPTER, dtype=dtype, device=device)


def test_a_cpu_computes_in_8_bits_unless_another_type_is_asked_for() -> None:
    assert made().backend == made("int8").backend == made(device="cpu").backend == "onnxruntime"
    for dtype in ("float32", "bfloat16", "float16", "nonsense"):
        assert (made(dtype).backend, made(dtype).dtype) == ("torch", dtype)


def test_a_gpu_computes_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(device="cuda:1").backend == "torch" and made(device="mps").device == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "CUDA" in made().why and made(device="cpu").backend == "onnxruntime"
    with pytest.raises(CapabilityError, match="'int8' is not to be had here: it runs on the CPU alone"):
        made("int8", "cuda")


def test_a_plain_cpu_computes_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert made().why == "torch; no int8: this CPU has no fast 8-bit instructions (DEFAULT)"


def test_without_onnxruntime_torch_computes_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(
        torch_drawer, "torch_drawer", lambda *_, **__: SimpleNamespace(backend="torch", why="torch")
    )
    assert made().backend == "torch" and "pip install onnxruntime" in made().why
    with pytest.raises(CapabilityError, match="pip install onnxruntime"):
        made("int8")


def test_what_onnxruntime_refuses_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    def refuse(*_: object, **__: object) -> None:
        onnxruntime.InferenceSession(b"no graph", providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnx_drawer, "onnx_drawer", refuse)
    assert made().backend == "torch" and "ONNX Runtime cannot run it" in made().why


def test_drawers_are_drawers() -> None:
    drawer: choose.Drawer = tiny_drawer()
    assert (drawer.dtype, drawer.device, drawer.backend) == ("int8", "cpu", "onnxruntime")
    assert drawer.why == "tiny: int8 on cpu with ONNX Runtime (for a test)"
