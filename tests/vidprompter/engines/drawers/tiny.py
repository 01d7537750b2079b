"""A tiny Llama whose matrices divide into blocks of 64, and its packed form: the real classes, in milliseconds."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from models.smollm2.packed import PackedModel, open_packed, write_packed
from tests.vidprompter.tiny import WordTokenizer
from vidprompter.engines.drawers.onnx_drawer import OnnxDrawer

VOCABULARY = 96


def tiny_config() -> dict[str, Any]:
    return {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
    }


@cache
def tiny_model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    return LlamaForCausalLM(LlamaConfig(**tiny_config())).float().eval()


def weights_of(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def write_tiny(folder: Path) -> PackedModel:
    folder.mkdir(parents=True, exist_ok=True)
    write_packed(folder, tiny_config(), weights_of(tiny_model()))
    return open_packed(folder)


@cache
def tiny_drawer() -> OnnxDrawer:
    packed = write_tiny(Path(mkdtemp()) / "packed")
    return OnnxDrawer(packed, WordTokenizer(), name="tiny", why="for a test")
