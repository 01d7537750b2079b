"""Tiny random checkpoints in exactly the layouts that are published; the same seed gives the same bytes.

Sizes: vocabulary 49408 (so the real tokenizer works), pictures of 32 x 32 in patches of 16, two layers, features of 32.
The tests hold them against open_clip's and transformers' own classes.
"""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SIDE, PATCH, LAYERS, EMBED, VOCAB = 32, 16, 2, 32, 49408
Tensors = dict[str, NDArray[np.float32]]


def clip_tensors(*, width: int = 64, context: int = 77, seed: int = 0) -> Tensors:
    """A CLIP under OpenAI's names; context 248 adds Long-CLIP's second table."""
    draw = _Draw(seed)
    out = {
        "positional_embedding": draw((context, width)),
        "text_projection": draw((width, EMBED), width**-0.5),
        "logit_scale": np.array(2.6592, np.float32),
        "token_embedding.weight": draw((VOCAB, width), 0.5),
        **_layers(draw, "transformer.", width),
        **_norm(draw, "ln_final", width),
        **_vision(draw, "visual.", width),
    }
    if context == 248:
        out["positional_embedding_res"] = draw((context, width))
    return out


def videoclip_tensors(*, width: int = 64, seed: int = 0) -> Tensors:
    """A VideoCLIP-XL under its names."""
    text = clip_tensors(width=width, context=248, seed=seed)
    vision = _vision(_Draw(seed + 1), "vision_model.vision_encoder.", width)
    vision["vision_model.vision_encoder.conv1.weight"] = vision["vision_model.vision_encoder.conv1.weight"][
        :, :, None
    ]
    return {
        **{f"text_model.{name}": tensor for name, tensor in text.items() if not name.startswith("visual.")},
        "vision_model.temp": np.array(0.01, np.float32),
        "vision_model.vision_encoder.temporal_positional_embedding": _Draw(seed + 2)((1, 8, width)),
        **vision,
    }


def write_clip(
    folder: Path,
    form: Literal["open_clip", "transformers"] = "open_clip",
    *,
    width: int = 64,
    seed: int = 0,
    quick_gelu: bool = True,
    tokenizer: bool = True,
) -> Path:
    """Writes a CLIP as a folder of the hub, and gives it back. tokenizer: with vocab.json and merges.txt."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = clip_tensors(width=width, seed=seed)
    if form == "open_clip":
        _write_json(folder / "open_clip_config.json", open_clip_config(width, quick_gelu=quick_gelu))
        save_file(tensors, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    else:
        _write_json(folder / "config.json", transformers_config(width, quick_gelu=quick_gelu))
        _write_json(folder / "preprocessor_config.json", preprocessor_config())
        save_file(transformers_tensors(tensors), folder / "model.safetensors", metadata={"format": "pt"})
    if tokenizer:
        write_tokenizer(folder)
    return folder


def write_long_clip(path: Path, *, width: int = 64, seed: int = 0) -> Path:
    """Writes a Long-CLIP as `longclip-L.pt` is laid out, and gives the path back."""
    return save_pickle(clip_tensors(width=width, context=248, seed=seed), path)


def write_videoclip_xl(path: Path, *, width: int = 64, seed: int = 0) -> Path:
    """Writes a VideoCLIP-XL as `VideoCLIP-XL.bin` is laid out, and gives the path back."""
    return save_pickle(videoclip_tensors(width=width, seed=seed), path)


def save_pickle(tensors: Tensors, path: Path, *, prefix: str = "", within: str | None = None) -> Path:
    """Writes what `torch.save` writes of a state dict. prefix: before each name; within: inside a dict, under this key."""
    from collections import OrderedDict

    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    state = OrderedDict((prefix + name, torch.from_numpy(tensor)) for name, tensor in tensors.items())
    torch.save({within: state, "epoch": 32} if within else state, path)
    return path


def open_clip_config(width: int = 64, *, quick_gelu: bool = True) -> dict[str, Any]:
    """`open_clip_config.json`."""
    model: dict[str, Any] = {
        "embed_dim": EMBED,
        "vision_cfg": {"image_size": SIDE, "layers": LAYERS, "width": width, "patch_size": PATCH},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": VOCAB,
            "width": width,
            "heads": width // 64,
            "layers": LAYERS,
        },
    }
    if quick_gelu:
        model["quick_gelu"] = True
    return {
        "model_cfg": model,
        "preprocess_cfg": {
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
        },
    }


def transformers_config(width: int = 64, *, quick_gelu: bool = True) -> dict[str, Any]:
    """`config.json` of a CLIPModel."""
    tower = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": width // 64,
        "hidden_act": "quick_gelu" if quick_gelu else "gelu",
        "layer_norm_eps": 1e-05,
        "projection_dim": EMBED,
    }
    text = {"vocab_size": VOCAB, "max_position_embeddings": 77, "eos_token_id": 2, "bos_token_id": 0}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": EMBED,
        "logit_scale_init_value": 2.6592,
        "text_config": {**tower, **text, "model_type": "clip_text_model"},
        "vision_config": {
            **tower,
            "image_size": SIDE,
            "patch_size": PATCH,
            "model_type": "clip_vision_model",
        },
    }


def preprocessor_config() -> dict[str, Any]:
    """`preprocessor_config.json` as openai/clip-vit-large-patch14 has it, for small pictures."""
    return {
        "crop_size": SIDE,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": SIDE,
    }


def transformers_tensors(tensors: Tensors) -> Tensors:
    """What `clip_tensors` gives under transformers' names, the packed matrices taken apart."""
    out: Tensors = {"logit_scale": tensors["logit_scale"]}
    for name, tensor in tensors.items():
        for ours, theirs in _TOP.items():
            if name.startswith(ours):
                out[theirs + name[len(ours) :]] = np.ascontiguousarray(tensor.T if "proj" in ours else tensor)
        if ".resblocks." not in name:
            continue
        tower = "vision_model" if name.startswith("visual.") else "text_model"
        number, rest = name.partition(".resblocks.")[2].split(".", 1)
        for ours, theirs in _LAYER.items():
            rest = rest.replace(ours, theirs)
        layer = f"{tower}.encoder.layers.{number}."
        if "in_proj" in rest:
            for part, letter in zip(np.split(tensor, 3), "qkv", strict=True):
                out[f"{layer}self_attn.{letter}_proj.{rest.removeprefix('self_attn.in_proj_')}"] = part
        else:
            out[layer + rest] = tensor
    return out


def write_tokenizer(folder: Path) -> None:
    """Writes CLIP's vocab.json, merges.txt and tokenizer_config.json, as the hub has them."""
    vocab, merges = _vocabulary()
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "vocab.json", vocab)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", _TOKENIZER)


_TOP = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "visual.proj": "visual_projection.weight",
    "token_embedding": "text_model.embeddings.token_embedding",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "text_projection": "text_projection.weight",
}
_LAYER = {
    "attn.": "self_attn.",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_TOKENIZER = {
    "add_prefix_space": False,
    "bos_token": "<|startoftext|>",
    "do_lower_case": True,
    "eos_token": "<|endoftext|>",
    "errors": "replace",
    "model_max_length": 77,
    "pad_token": "<|endoftext|>",
    "tokenizer_class": "CLIPTokenizer",
    "unk_token": "<|endoftext|>",
}


class _Draw:
    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, shape: tuple[int, ...], scale: float = 0.3) -> NDArray[np.float32]:
        return (self._random.standard_normal(shape, np.float32) * scale).astype(np.float32)


def _layers(draw: _Draw, prefix: str, width: int) -> Tensors:
    out: Tensors = {}
    for number in range(LAYERS):
        layer = f"{prefix}resblocks.{number}."
        for name, rows, columns in (
            ("attn.in_proj_", 3 * width, width),
            ("attn.out_proj.", width, width),
            ("mlp.c_fc.", 4 * width, width),
            ("mlp.c_proj.", width, 4 * width),
        ):
            out[f"{layer}{name}weight"] = draw((rows, columns), 1.5 * columns**-0.5)
            out[f"{layer}{name}bias"] = draw((rows,), 0.1)
        out |= _norm(draw, f"{layer}ln_1", width) | _norm(draw, f"{layer}ln_2", width)
    return out


def _norm(draw: _Draw, name: str, width: int) -> Tensors:
    return {f"{name}.weight": 1 + draw((width,), 0.1), f"{name}.bias": draw((width,), 0.1)}


def _vision(draw: _Draw, prefix: str, width: int) -> Tensors:
    return {
        f"{prefix}class_embedding": draw((width,)),
        f"{prefix}positional_embedding": draw(((SIDE // PATCH) ** 2 + 1, width)),
        f"{prefix}proj": draw((width, EMBED), width**-0.5),
        f"{prefix}conv1.weight": draw((width, 3, PATCH, PATCH), 0.05),
        **_norm(draw, f"{prefix}ln_pre", width),
        **_layers(draw, f"{prefix}transformer.", width),
        **_norm(draw, f"{prefix}ln_post", width),
    }


def _vocabulary() -> tuple[dict[str, int], list[str]]:
    """CLIP's tokens and merges, out of the file that comes inside open_clip."""
    spec = find_spec("open_clip")
    assert spec is not None and spec.submodule_search_locations is not None
    file = Path(spec.submodule_search_locations[0], "bpe_simple_vocab_16e6.txt.gz")
    merges = gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")[1 : 49152 - 256 - 2 + 1]
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = [*map(chr, printed), *(chr(256 + n) for n in range(len(others)))]
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *("".join(merge.split()) for merge in merges),
    ]
    return {word: n for n, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}, merges


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
