"""The layout that transformers gives its CLIPModel, and what its config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.clip.config import LONG_CONTEXT, VOCAB_SIZE, Activation, ClipConfig, Tower
from models.clip.layouts.slots import Layout, Slot
from models.clip.state import Shape
from models.errors import ModelError

_TOP = {
    # ours -> theirs, and whether theirs lies on its side
    "visual.conv1.weight": ("vision_model.embeddings.patch_embedding.weight", False),
    "visual.class_embedding": ("vision_model.embeddings.class_embedding", False),
    "visual.positional_embedding": ("vision_model.embeddings.position_embedding.weight", False),
    "visual.ln_pre.weight": ("vision_model.pre_layrnorm.weight", False),  # their spelling
    "visual.ln_pre.bias": ("vision_model.pre_layrnorm.bias", False),
    "visual.ln_post.weight": ("vision_model.post_layernorm.weight", False),
    "visual.ln_post.bias": ("vision_model.post_layernorm.bias", False),
    "visual.proj": ("visual_projection.weight", True),
    "token_embedding.weight": ("text_model.embeddings.token_embedding.weight", False),
    "positional_embedding": ("text_model.embeddings.position_embedding.weight", False),
    "ln_final.weight": ("text_model.final_layer_norm.weight", False),
    "ln_final.bias": ("text_model.final_layer_norm.bias", False),
    "text_projection": ("text_projection.weight", True),
}
_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_ACTIVATIONS: dict[str, Activation] = {"quick_gelu": "quick_gelu", "gelu": "gelu"}
_DEFAULTS = {
    # of CLIPConfig, for what a config.json leaves out (ViT-B/32)
    "text_config": {
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
        "max_position_embeddings": 77,
        "vocab_size": VOCAB_SIZE,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    },
    "vision_config": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 32,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    },
}


def _slot(name: str) -> Slot:
    if name in _TOP:
        theirs, turned = _TOP[name]
        return Slot((theirs,), turned)
    tower = "vision_model" if name.startswith("visual.") else "text_model"
    number, rest = name.partition("transformer.resblocks.")[2].split(".", 1)
    layer = f"{tower}.encoder.layers.{number}"
    if rest.startswith("attn.in_proj_"):
        kind = rest.removeprefix("attn.in_proj_")
        return Slot(tuple(f"{layer}.self_attn.{letter}_proj.{kind}" for letter in "qkv"))
    part, kind = rest.rsplit(".", 1)
    return Slot((f"{layer}.{_LAYER[part]}.{kind}",))


def _harmless(config: ClipConfig) -> Mapping[str, tuple[Shape, ...]]:
    places = config.patches + 1
    return {
        "logit_scale": ((), (1,)),
        "text_model.embeddings.position_ids": ((1, config.context), (config.context,)),
        "vision_model.embeddings.position_ids": ((1, places), (places,)),
    }


TRANSFORMERS = Layout("transformers", _slot, _harmless)


def transformers_config(file: Path, row: Mapping[str, Any]) -> ClipConfig:
    """The network that a `config.json` of a CLIPModel describes.

    Raises:
        ModelError: it describes another network; the message names what differs.
    """
    text, vision = (_section(file, row, name) for name in ("text_config", "vision_config"))
    for name in ("hidden_act", "layer_norm_eps"):
        if text[name] != vision[name]:
            raise ModelError(
                f"{file}: {name} is {text[name]!r} for texts and {vision[name]!r} for pictures; both must agree"
            )
    if text["hidden_act"] not in _ACTIVATIONS:
        raise ModelError(f"{file}: hidden_act must be quick_gelu or gelu, not {text['hidden_act']!r}")
    if vision["num_channels"] != 3:
        raise ModelError(f"{file}: num_channels must be 3, not {vision['num_channels']!r}")
    config = ClipConfig(
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        vision=_tower(vision),
        text=_tower(text),
        embed_dim=row.get("projection_dim", 512),
        context=text["max_position_embeddings"],
        vocab_size=text["vocab_size"],
        activation=_ACTIVATIONS[text["hidden_act"]],
        norm_eps=text["layer_norm_eps"],
        # The published configs say 2 and mean the highest token (transformers knows that, too).
        end_id=end if (end := text.get("eos_token_id", 2)) != 2 else text["vocab_size"] - 1,
    )
    try:
        config.check()
    except (ValueError, TypeError) as error:
        raise ModelError(f"{file} describes no network: {error}") from error
    return config


def is_long(config: ClipConfig) -> bool:
    """Whether the text tower is Long-CLIP's, both tables of positions made one."""
    return config.context == LONG_CONTEXT


def _section(file: Path, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    # Old files (OpenAI's own among them) say the same twice, and transformers goes by the second.
    again = row.get(f"{name}_dict")
    found = row.get(name) if again is None else again
    if not isinstance(found, dict):
        raise ModelError(f"{file} has no {name}; it describes no CLIP")
    return {**_DEFAULTS[name], **found}


def _tower(section: Mapping[str, Any]) -> Tower:
    return Tower(
        section["hidden_size"],
        section["num_hidden_layers"],
        section["num_attention_heads"],
        section["intermediate_size"],
    )
