"""Which drawer runs the built-in model here: the fastest of ours.

Tokens a second, greedy, 48 after a context of 76, on two cores of an AMD EPYC (Zen 4: AVX-512 with VNNI and BF16);
benchmarks/engines.py:

    rows                     1    4   16
    int8, ONNX Runtime     147  277  338
    bfloat16, torch         33   86  173    (`generate` of transformers; our own loop is within a tenth)
    float32, torch          17   47  107

At 64 rows 541 against 303. So there is no number of rows from which on torch would be the faster one there, and one
drawer serves them all. On a CUDA device torch does. Not measured: CPUs with AMX, which multiply bfloat16 matrices much
faster, and ARM.
"""

from __future__ import annotations

from pathlib import Path

from vidprompter.engines.drawers.protocol import Drawer
from vidprompter.errors import CapabilityError

QUANTISED = "int8"
# What torch calls a CPU without instructions for what we need: ONNX Runtime has fast 8-bit kernels from AVX2 on.
_PLAIN = ("DEFAULT", "NO AVX")


def make_drawer(name: str, adapter: Path, *, dtype: str = "auto", device: str = "auto") -> Drawer:
    """The fastest drawer for the machine, loaded.

    dtype: "auto", "int8" (the CPU alone), or a float type for torch. device: "auto" or a torch name.

    Raises:
        CapabilityError: "int8" was asked for, and cannot be had here.
        WeightsMissing, WeightsCorrupt, ModelError: as `torch_drawer` and `onnx_drawer`.
    """
    from vidprompter.engines.drawers.torch_drawer import torch_drawer

    if dtype not in ("auto", QUANTISED):
        return torch_drawer(name, adapter, dtype=dtype, device=device)
    missing = why_no_int8(device)
    if missing is None:
        try:
            return _quantised(name, adapter, "as asked" if dtype == QUANTISED else "the fastest on a CPU")
        except _Unusable as error:
            missing = str(error)
    if dtype == QUANTISED:
        raise CapabilityError(f"dtype 'int8' is not to be had here: {missing}; try dtype 'auto'")
    drawer = torch_drawer(name, adapter, device=device)
    drawer.why += f"; no int8: {missing}"
    return drawer


class _Unusable(Exception):
    """ONNX Runtime cannot run the model here."""


def _quantised(name: str, adapter: Path, why: str) -> Drawer:
    from vidprompter.engines.drawers.onnx_drawer import onnx_drawer

    try:
        return onnx_drawer(name, adapter, why=why)
    except ImportError as error:
        raise _Unusable(f"{error}; `pip install onnxruntime`") from error
    except Exception as error:
        # ONNX Runtime's own errors have no common type that is public.
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise _Unusable(f"ONNX Runtime cannot run it: {str(error).splitlines()[0]}") from error


def why_no_int8(device: str) -> str | None:
    """Why there is nothing in 8 bits for the device; None where there is."""
    import torch

    if device == "auto" and torch.cuda.is_available():
        return "a CUDA device computes"
    if device not in ("auto", "cpu"):
        return f"it runs on the CPU alone, not on {device!r}"
    capability = torch.backends.cpu.get_cpu_capability()
    if capability in _PLAIN:
        return f"this CPU has no fast 8-bit instructions ({capability})"
    return None
