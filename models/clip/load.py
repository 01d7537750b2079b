"""A CLIP-like model by name: what is known of it (`clip_card`), and what encodes with it (`load_clip`)."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from models.clip.checkpoint import Checkpoint, check_kind, load_network, load_tokenizer, read_checkpoint
from models.clip.encoder import Card, ClipEncoder
from models.clip.locate import ENTRIES, Found, locate_checkpoint
from models.errors import CapabilityError

BACKENDS = ("auto", "onnx", "torch")


def clip_card(kind: str, where: str | Path | None = None) -> Card:
    """What is known of a checkpoint before its weights are loaded.

    kind: "clip", "long-clip" or "videoclip-xl". where: a name of the registry, a file, a folder, a hub id in the hub's
    cache, or a name of open_clip's table; None: the registry's entry for the kind.

    Raises:
        UnknownModel: nothing of that name.
        WeightsMissing: not on this machine; the message holds the command that fetches it.
        WeightsCorrupt: no checkpoint, or not whole.
        ModelError: another network, or one of another kind.
    """
    found, checkpoint = _read(kind, where)
    return _card(found, checkpoint)


def load_clip(
    kind: str,
    where: str | Path | None = None,
    *,
    backend: str = "auto",
    device: str = "auto",
    dtype: str = "auto",
    batch: int | None = None,
) -> ClipEncoder:
    """The checkpoint, ready to encode. kind, where: as `clip_card`.

    backend: "auto" is ONNX Runtime where it can use the device, else torch. device: "auto", "cpu", "cuda", "cuda:1"
    (also "mps" with torch, "tensorrt" with onnx). dtype: "auto" is float16 on a GPU and float32 elsewhere. batch: frames
    at once, None chooses.

    Raises:
        CapabilityError: no such backend, device or dtype here.
        WeightsCorrupt: a tensor is missing, unknown, wrongly shaped or not finite: nothing is ever scored by such.
        UnknownModel, WeightsMissing, ModelError: as `clip_card`.
    """
    if backend not in BACKENDS:
        raise CapabilityError(f"no backend {backend!r}; there are: {', '.join(BACKENDS)}")
    if batch is not None and batch < 1:
        raise CapabilityError(f"batch is {batch}; it must be at least 1, or None")
    found, checkpoint = _read(kind, where)
    card, tokenizer = _card(found, checkpoint), load_tokenizer(checkpoint)
    loader = partial(load_network, checkpoint)
    wanted = _device_here() if device == "auto" else device
    if backend != "torch" and not (backend == "auto" and wanted == "mps"):
        from models.clip.onnx_encoder import OnnxEncoder

        number = dtype if dtype != "auto" else ("float32" if wanted == "cpu" else "float16")
        try:
            return OnnxEncoder(card, tokenizer, loader, device=wanted, dtype=number, batch=batch)
        except CapabilityError:
            if backend == "onnx":
                raise
    from models.clip.torch_encoder import TorchEncoder

    return TorchEncoder(card, tokenizer, loader, device=wanted, dtype=dtype, batch=batch)


def load_clip_vit_l_14(**options: Any) -> ClipEncoder:
    """The registry's CLIP; options: as `load_clip`."""
    return load_clip("clip", ENTRIES["clip"], **options)


def load_long_clip_l(**options: Any) -> ClipEncoder:
    """The registry's Long-CLIP; options: as `load_clip`."""
    return load_clip("long-clip", ENTRIES["long-clip"], **options)


def load_videoclip_xl(**options: Any) -> ClipEncoder:
    """The registry's VideoCLIP-XL; options: as `load_clip`."""
    return load_clip("videoclip-xl", ENTRIES["videoclip-xl"], **options)


def _read(kind: str, where: str | Path | None) -> tuple[Found, Checkpoint]:
    found = locate_checkpoint(kind, where)
    checkpoint = read_checkpoint(found.path, quick_gelu=found.quick_gelu)
    check_kind(checkpoint, kind)
    return found, checkpoint


def _card(found: Found, checkpoint: Checkpoint) -> Card:
    return Card(
        kind=checkpoint.kind,
        model=found.model,
        revision=found.revision,
        preprocess=checkpoint.preprocess,
        max_tokens=checkpoint.config.context,
        video_frames=checkpoint.config.video_frames,
        notes=checkpoint.notes,
    )


def _device_here() -> str:
    """The device that "auto" means on this machine; torch is asked only where there is something to ask for."""
    if sys.platform != "darwin" and not Path("/dev/nvidia0").exists() and shutil.which("nvidia-smi") is None:
        return "cpu"
    from models.clip.torch_encoder import choose_device

    return choose_device("auto")
