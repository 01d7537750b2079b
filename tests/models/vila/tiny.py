"""A tiny random VILA-1.5 checkpoint, in exactly the layout that is published.

Written by the real classes: LlamaForCausalLM, SiglipVisionModel, SiglipImageProcessor, a fast tokenizer. Tensor names
are those of the published files, which begin with `vision_model.` in the tower; transformers 5 writes them without.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

SIDE = 42
PATCH = 14
TOKENS_PER_FRAME = 4  # 3 x 3 patches, padded to 4 x 4, folded to 2 x 2
VISION_WIDTH = 16
TEXT_WIDTH = 32
ROPE_THETA = 500_000.0

_LLAMA_3 = ["<|begin_of_text|>", "<|end_of_text|>"]
_LLAMA_3 += [f"<|reserved_special_token_{i}|>" for i in range(4)]
_LLAMA_3 += ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>"]
_LLAMA_3 += [f"<|reserved_special_token_{i}|>" for i in range(5, 11)]


def write_tiny_vila(
    folder: Path, *, seed: int = 0, kind: Literal["llama_3", "vicuna_v1"] = "llama_3", **root: Any
) -> None:
    """Writes the checkpoint into `folder`. kind: as the 8B or as the 3B. root: replaces keys of the root config."""
    import torch

    from models.quiet import no_progress_bars

    with no_progress_bars(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = llama_3_tokenizer() if kind == "llama_3" else llama_2_tokenizer()
        tokenizer.save_pretrained(folder / "llm")
        llm = _write_llm(folder / "llm", tokenizer)
        vision = _write_vision_tower(folder / "vision_tower")
        projector = _write_projector(folder / "mm_projector")
    config = {
        "_name_or_path": "./vlm",
        "architectures": ["LlavaLlamaModel"],
        "drop_path_rate": 0.0,
        "hidden_size": TEXT_WIDTH,
        "image_aspect_ratio": "resize",
        "interpolate_mode": "linear",
        "llm_cfg": {"_name_or_path": "./llm", **llm},
        "mm_hidden_size": VISION_WIDTH,
        "mm_projector_cfg": {"_name_or_path": "./mm_projector", **projector},
        "mm_projector_lr": None,
        "mm_use_im_patch_token": False,
        "mm_use_im_start_end": False,
        "mm_vision_select_feature": "cls_patch",
        "mm_vision_select_layer": -2,
        "model_dtype": "torch.bfloat16",
        "model_type": "llava_llama",
        "num_video_frames": 8,
        "resume_path": "./vlm",
        "s2": False,
        "s2_max_split_size": 336,
        "s2_scales": "336,672,1008",
        "transformers_version": "4.36.2",
        "tune_language_model": True,
        "tune_mm_projector": True,
        "tune_vision_tower": True,
        "vision_resolution": -1,
        "vision_tower_cfg": {"_name_or_path": "./vision_tower", **vision},
        **root,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def llama_3_tokenizer() -> Any:
    """Bytes, Llama 3's special tokens at the end, and its begin token before every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(_LLAMA_3)
    begin = _LLAMA_3[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token="<|end_of_text|>",
        chat_template="{{ 'not what VILA uses' }}",
    )


def llama_2_tokenizer() -> Any:
    """Bytes, as Llama 2's with byte fallback: <unk>, <s> and </s> first, <unk> also for padding."""
    from tokenizers import Tokenizer, decoders, models, processors
    from transformers import PreTrainedTokenizerFast

    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    model = models.BPE(
        {name: i for i, name in enumerate(names)}, merges=[], unk_token="<unk>", byte_fallback=True
    )
    tokenizer = Tokenizer(model)
    tokenizer.decoder = decoders.ByteFallback()
    tokenizer.add_special_tokens(names[:3])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )


def _write_llm(folder: Path, tokenizer: Any) -> dict[str, Any]:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,  # far from uniform, so that a misplaced token shows
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    said = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps(said | {"tokenizer_class": "PreTrainedTokenizerFast"})
    )
    return _config(
        folder,
        rope_theta=ROPE_THETA,
        rope_scaling=None,
        tokenizer_model_max_length=4096,
        tokenizer_padding_side="right",
        model_max_length=4096,
    )


def _write_vision_tower(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file, save_file
    from transformers import SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=VISION_WIDTH,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
    )
    SiglipVisionModel(config).save_pretrained(folder)
    file = folder / "model.safetensors"
    stored = {f"vision_model.{name.removeprefix('vision_model.')}": t for name, t in load_file(file).items()}
    save_file(stored, file, metadata={"format": "pt"})
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return _config(folder)


def _write_projector(folder: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    shapes = {
        "layers.1.weight": (4 * VISION_WIDTH,),
        "layers.1.bias": (4 * VISION_WIDTH,),
        "layers.2.weight": (TEXT_WIDTH, 4 * VISION_WIDTH),
        "layers.2.bias": (TEXT_WIDTH,),
        "layers.4.weight": (TEXT_WIDTH, TEXT_WIDTH),
        "layers.4.bias": (TEXT_WIDTH,),
    }
    save_file(
        {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    made = {
        "architectures": ["MultimodalProjector"],
        "mm_projector_type": "mlp_downsample",
        "model_type": "v2l_projector",
        "torch_dtype": "bfloat16",
        "transformers_version": "4.36.2",
    }
    (folder / "config.json").write_text(json.dumps(made))
    return made


def _config(folder: Path, **extra: Any) -> dict[str, Any]:
    """The config just saved, with `extra` keys, in the file too, and with the names of transformers 4.36."""
    path = folder / "config.json"
    config: dict[str, Any] = {**json.loads(path.read_text()), **extra, "transformers_version": "4.36.2"}
    config.pop("rope_parameters", None)
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config))
    return config
