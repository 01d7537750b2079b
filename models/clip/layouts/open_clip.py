"""What an `open_clip_config.json` says of a network; its tensors have OpenAI's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.clip.config import VOCAB_SIZE, ClipConfig, Tower
from models.errors import ModelError

# what this network has no place for, and the value that asks for nothing
_NOTHING: dict[str, dict[str, tuple[Any, ...]]] = {
    "model_cfg": {
        "custom_text": (False, None),
        "init_logit_bias": (None,),
        "multimodal_cfg": (None,),
        "nonscalar_logit_scale": (False,),
    },
    "vision_cfg": {
        "timm_model_name": (None, ""),
        "attentional_pool": (False, None),
        "ls_init_value": (None,),
        "pos_embed_type": ("learnable",),
        "no_ln_pre": (False,),
        "final_ln_after_pool": (False,),
        "pool_type": ("tok",),
        "input_patchnorm": (False,),
        "global_average_pool": (False,),
    },
    "text_cfg": {
        "hf_model_name": (None, ""),
        "ls_init_value": (None,),
        "embed_cls": (False,),
        "no_causal_mask": (False,),
        "pool_type": ("argmax",),
        "proj_type": ("linear",),
        "proj_bias": (False,),
    },
    "both": {
        "act_kwargs": (None, {}),
        "norm_kwargs": (None, {}),
        "block_type": (None, "default"),
        "qk_norm": (False,),
        "scaled_cosine_attn": (False,),
        "scale_heads": (False,),
        "scale_attn_inner": (False,),
        "scale_attn": (False,),
        "scale_fc": (False,),
    },
}
# read below, or of no meaning for features
_KNOWN = {
    "model_cfg": {
        "embed_dim",
        "vision_cfg",
        "text_cfg",
        "quick_gelu",
        "init_logit_scale",
        "output_dict",
        "cast_dtype",
    },
    "vision_cfg": {
        "image_size",
        "layers",
        "width",
        "patch_size",
        "head_width",
        "mlp_ratio",
        "patch_dropout",
        "output_tokens",
    }
    | {
        "attn_pooler_queries",
        "attn_pooler_heads",
        "timm_model_pretrained",
        "timm_pool",
        "timm_proj",
        "timm_proj_bias",
    }
    | {"timm_drop", "timm_drop_path"},
    "text_cfg": {
        "context_length",
        "vocab_size",
        "width",
        "heads",
        "layers",
        "mlp_ratio",
        "pad_id",
        "eos_id",
        "output_tokens",
    }
    | {
        "hf_tokenizer_name",
        "tokenizer_kwargs",
        "hf_model_pretrained",
        "hf_proj_type",
        "hf_pooler_type",
        "tokenizer_mode",
    },
}


def open_clip_config(file: Path, model: Any) -> ClipConfig:
    """The network that the `model_cfg` of an `open_clip_config.json` describes.

    Raises:
        ModelError: it describes another network (a ResNet, SigLIP, a text tower of transformers ...), or is none.
    """
    if not isinstance(model, dict) or not all(
        isinstance(model.get(one), dict) for one in ("vision_cfg", "text_cfg")
    ):
        raise ModelError(f"{file} has no model_cfg with vision_cfg and text_cfg; it describes no CLIP")
    vision, text = model["vision_cfg"], model["text_cfg"]
    if isinstance(vision.get("layers"), list):
        raise ModelError(
            f"{file} describes a ResNet CLIP; evaluators take those with a vision transformer (ViT-...)"
        )
    for name, section in (("model_cfg", model), ("vision_cfg", vision), ("text_cfg", text)):
        _check(file, name, section)
    width, text_width = vision.get("width", 768), text.get("width", 512)
    side = vision.get("image_size", 224)
    if isinstance(side, list) and len(set(side)) == 1:
        side = side[0]
    try:
        config = ClipConfig(
            image_size=side,
            patch_size=vision.get("patch_size", 16),
            vision=Tower(
                width,
                vision.get("layers", 12),
                width // vision.get("head_width", 64),
                int(width * vision.get("mlp_ratio", 4.0)),
            ),
            text=Tower(
                text_width,
                text.get("layers", 12),
                text.get("heads", 8),
                int(text_width * text.get("mlp_ratio", 4.0)),
            ),
            embed_dim=model["embed_dim"],
            context=text.get("context_length", 77),
            vocab_size=(vocab := text.get("vocab_size", VOCAB_SIZE)),
            activation="quick_gelu" if model.get("quick_gelu") else "gelu",
            end_id=vocab - 1,
        )
        config.check()
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        raise ModelError(f"{file} describes no network: {error}") from error
    return config


def _check(file: Path, name: str, section: Mapping[str, Any]) -> None:
    nothing = {**_NOTHING[name], **(_NOTHING["both"] if name != "model_cfg" else {})}
    for key, value in section.items():
        if key in _KNOWN[name] or (key in nothing and value in nothing[key]):
            continue
        raise ModelError(f"{file}: {name} asks for {key} = {value!r}, which this network has no part for")
