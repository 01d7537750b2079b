"""The small language model of the built-in prompt writer, loaded from local files only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.errors import ModelError
from models.quiet import no_progress_bars
from models.registry import registry
from models.smollm2.convert import FOLDER

if TYPE_CHECKING:
    import torch

ENTRY = "smollm2-135m-instruct"
_DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model (torch, evaluation mode), its tokenizer, and what was chosen and why.

    revision: of the registry entry. dtype: "float32", "bfloat16" or "float16". why: one line for people.
    """

    model: Any
    tokenizer: Any
    revision: str
    dtype: str
    device: str
    why: str


def load_language_model(dtype: str = "auto", device: str = "auto") -> LanguageModel:
    """SmolLM2-135M-Instruct. No network is asked, whatever the environment says.

    dtype: "auto" (bfloat16 where the device computes in it, else float32) or a torch name. device: "auto" (a CUDA
    GPU if there is one, else the CPU) or a torch name such as "cpu", "cuda:1", "mps".

    Raises:
        WeightsMissing: Not fetched yet.
        ModelError: There is no such dtype or device.
    """
    # oneDNN keeps a compiled kernel for every shape it met, 1024 of them by default, and contexts have all lengths:
    # 100 MB of a long run. A step needs few. Read when the first kernel is compiled.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "100")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    entry = registry().get(ENTRY)
    folder = entry.path() / FOLDER
    chosen = working_device(device)
    kind, why = _dtype(dtype, chosen)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with no_progress_bars():
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=kind, local_files_only=True, use_safetensors=True, attn_implementation="sdpa"
        )
    model.to(chosen).eval()
    name = str(kind).removeprefix("torch.")
    return LanguageModel(
        model, tokenizer, entry.revision, name, str(chosen), f"{ENTRY}: {name} on {chosen} ({why})"
    )


def working_dtype(dtype: str, device: str) -> tuple[torch.dtype, str]:
    """The torch dtype that "auto" or a name stands for on `device`, and why.

    Raises:
        ModelError: There is no such dtype.
    """
    import torch

    return _dtype(dtype, torch.device(device))


def working_device(device: str) -> torch.device:
    """The torch device that "auto" (a CUDA GPU if there is one, else the CPU) or a name stands for.

    Raises:
        ModelError: There is no such device here.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"no device {device!r} here: {str(error).splitlines()[0]}; try 'auto' or 'cpu'"
        ) from error
    return chosen


def _dtype(dtype: str, device: torch.device) -> tuple[torch.dtype, str]:
    import torch

    if dtype not in _DTYPES:
        raise ModelError(f"no dtype {dtype!r}; there are: {', '.join(_DTYPES)}")
    if dtype != "auto":
        return getattr(torch, dtype), "as asked"
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16, "the GPU computes in bfloat16"
        return torch.float32, "the GPU has no bfloat16"
    if device.type == "cpu" and _cpu_has_bfloat16():
        return torch.bfloat16, "the CPU computes in bfloat16"
    return torch.float32, "the CPU has no bfloat16"


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware: twice the speed of float32 with AMX, 1.4 times with AVX-512."""
    import torch

    # the public get_capabilities() came after torch 2.9
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
