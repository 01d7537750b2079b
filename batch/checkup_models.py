"""The part of `vidprompter doctor` that is about large models: GPU, hub cache, default model, what is optional."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from models.default import BUILTIN, default_model, settings_file
from models.errors import ModelError, WeightsMissing
from models.fetching.hub_cache import hub_cache, hub_is_off
from models.locate import repos_here, where
from vidprompter.engines.choose import SERVER

Finding = tuple[str, Literal["ok", "warn", "fail"], str, str]
"""Name, state, detail and fix of a check."""

_LITTLE_DISK_GB = 20.0  # a model of 8 billion parameters has 17

_OPTIONAL = (
    ("vLLM", "vllm", "for --engine vllm", "pip install 'vidprompter[vllm]'"),
    ("bitsandbytes", "bitsandbytes", "for 4 and 8 bits on a GPU", "pip install 'vidprompter[quantize]'"),
    ("num2words", "num2words", "for SmolVLM2", "pip install num2words"),
    (
        "sentencepiece",
        "sentencepiece",
        "for models with a tokenizer.model alone",
        "pip install sentencepiece",
    ),
)


def gpu() -> Finding:
    """The GPU that torch sees, with its memory; none is no fault. Imports torch."""
    try:
        import torch
    except Exception as error:  # whatever a broken torch throws: its own check says it in full
        return "GPU", "warn", f"torch cannot be asked ({type(error).__name__})", "see torch"
    if torch.cuda.is_available():
        seen = []
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            seen.append(
                f"{torch.cuda.get_device_name(number)}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free"
            )
        return "GPU", "ok", "; ".join(seen), ""
    if torch.backends.mps.is_available():
        return "GPU", "ok", "Apple GPU (mps), shares the machine's memory", ""
    return "GPU", "ok", "none: `builtin` is made for that, models of billions of parameters are slow", ""


def fast_cpu_engine() -> Finding:
    """Whether the built-in model can compute in 8 bits, which is the fastest on a CPU."""
    from vidprompter.engines.drawers.choose import why_no_int8

    reason = why_no_int8("cpu")
    if reason is None:
        return "8-bit engine", "ok", "ONNX Runtime, the fastest for `builtin` on this CPU", ""
    return "8-bit engine", "warn", f"{reason}; `builtin` writes in torch, more slowly", ""


def model_findings() -> Iterator[Finding]:
    """Hub cache, room for it, default model, and what is optional. No network is asked, no torch imported."""
    yield _cache()
    yield _default()
    for title, package, purpose, fix in _OPTIONAL:
        found = _installed(package)
        yield title, "ok", found or f"not installed; optional, {purpose}", "" if found else fix


def _cache() -> Finding:
    folder = hub_cache()
    near = _nearest(folder)
    free = shutil.disk_usage(near).free / 1e9
    off = "; HF_HUB_OFFLINE is set: pulls from the hub are refused" if hub_is_off() else ""
    detail = f"{folder}, {len(repos_here())} models, {free:.1f} GB free{off}"
    if free < _LITTLE_DISK_GB:
        fix = f"models of 8 billion parameters need {_LITTLE_DISK_GB:.0f} GB: make room, or set HF_HUB_CACHE elsewhere"
        return "hub cache", "warn", detail, fix
    return "hub cache", "ok", detail, ""


def _default() -> Finding:
    name = "default model"
    try:
        chosen = default_model()
        if chosen == BUILTIN or chosen.startswith(SERVER):
            return name, "ok", chosen, ""
        found = where(chosen)
    except WeightsMissing as error:
        return name, "fail", str(error), f"vidprompter models pull {chosen}"
    except ModelError as error:
        fix = f"vidprompter models default --unset (it is kept in {settings_file()})"
        return name, "fail", str(error), fix
    return name, "ok", f"{chosen}, {found.revision} at {found.folder}", ""


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder
