"""LoRA adapters: attach a fresh or a saved one, save as safetensors with what made it.

LoRA: Hu et al. 2022, https://arxiv.org/abs/2106.09685, W x + (alpha / r) B A x.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vidprompter.errors import WeightsCorrupt, WeightsMissing

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def attach_fresh(model: Any, *, rank: int, alpha: int, seed: int) -> Any:
    """`model` with a new LoRA on every linear layer of its blocks; A random from `seed`, B zero."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS), task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def adapter_tensors(model: Any) -> dict[str, Any]:
    """The adapter's tensors under names relative to the base model (`model.layers.0...lora_A.weight`)."""
    return {
        name.removeprefix("base_model.model.").replace(".default", ""): parameter.detach()
        for name, parameter in model.named_parameters()
        if "lora_" in name
    }


def save_adapter(model: Any, path: Path, *, meta: dict[str, str], dtype: str = "bfloat16") -> None:
    """Write the adapter to `path` (safetensors, whole or not at all); `meta` holds rank, alpha, base and settings."""
    import torch
    from safetensors.torch import save_file

    cast = getattr(torch, dtype)
    tensors = {name: tensor.to("cpu", cast).contiguous() for name, tensor in adapter_tensors(model).items()}
    temporary = path.with_suffix(".part")
    save_file(tensors, str(temporary), metadata=meta)
    temporary.replace(path)


def adapter_meta(path: Path) -> dict[str, str]:
    """What `save_adapter` wrote beside the tensors.

    Raises:
        WeightsMissing: no such file.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise WeightsMissing(
            f"adapter {path} is not there; train one with `vidprompter train sft` or reinstall"
        )
    with safe_open(str(path), "pt") as file:
        return dict(file.metadata() or {})


def merge_adapter(model: Any, path: Path) -> None:
    """Add a saved adapter's update to the weights of `model` in place: W += (alpha / r) B A, in float32.

    Raises:
        WeightsCorrupt: a tensor is missing, extra or of another shape; the message names it.
    """
    import torch
    from safetensors.torch import load_file

    meta = adapter_meta(path)
    scale = float(meta["alpha"]) / float(meta["rank"])
    tensors = load_file(str(path))
    modules = dict(model.named_modules())
    wanted = {n for n, m in modules.items() if n.rsplit(".", 1)[-1] in TARGETS and hasattr(m, "weight")}
    names = {n.rsplit(".lora_", 1)[0] for n in tensors}
    if names != wanted:
        odd = sorted(names ^ wanted)[0]
        raise WeightsCorrupt(f"adapter {path.name}: {odd} is {'extra' if odd in names else 'missing'}")
    with torch.no_grad():
        for name in sorted(names):
            a, b = tensors[f"{name}.lora_A.weight"].float(), tensors[f"{name}.lora_B.weight"].float()
            weight = modules[name].weight
            if (b.shape[0], a.shape[1]) != tuple(weight.shape):
                raise WeightsCorrupt(
                    f"adapter {path.name}: {name} has shape {(b.shape[0], a.shape[1])}, not {tuple(weight.shape)}"
                )
            weight.copy_((weight.float() + scale * (b @ a)).to(weight.dtype))


def load_into(model: Any, path: Path) -> None:
    """Copy a saved adapter's tensors into the adapter attached to `model`.

    Raises:
        WeightsCorrupt: names or shapes differ; the message names the first that does.
    """
    import torch
    from safetensors.torch import load_file

    saved = load_file(str(path))
    own = adapter_tensors(model)
    if odd := sorted(set(saved) ^ set(own)):
        raise WeightsCorrupt(f"adapter {path.name}: {odd[0]} is {'extra' if odd[0] in saved else 'missing'}")
    with torch.no_grad():
        for name, tensor in own.items():
            if saved[name].shape != tensor.shape:
                raise WeightsCorrupt(
                    f"adapter {path.name}: {name} has shape {tuple(saved[name].shape)}, not {tuple(tensor.shape)}"
                )
            tensor.copy_(saved[name])


def meta_of(settings: dict[str, Any], *, base: str) -> dict[str, str]:
    """Metadata for `save_adapter`: all values as text, the settings as JSON."""
    return {
        "rank": str(settings["rank"]),
        "alpha": str(settings["alpha"]),
        "base": base,
        "settings": json.dumps(settings, sort_keys=True),
    }
