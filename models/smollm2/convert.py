"""The fetched GGUF file as a folder that transformers loads quickly and without any network.

Weights are unpacked to float32 and stored as float16: half the disk, and an error a hundred times smaller than
that of the 4-bit packing they come from.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsCorrupt
from models.smollm2.gguf_file import GgufFile, read_gguf
from models.smollm2.tokenizer import tokenizer_files

FOLDER = "transformers.v1"
"""Name of the made folder; a new number makes every machine convert again."""

# GGUF's names of a block's tensors -> those of transformers
_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def prepare(folder: Path) -> None:
    """Writes the folder `transformers.v1` beside the fetched GGUF file in `folder`.

    Raises:
        WeightsCorrupt: The file is no GGUF file of a Llama-like model with tied embeddings.
    """
    from safetensors.numpy import save_file

    gguf = read_gguf(next(folder.glob("*.gguf")))
    made = folder / FOLDER
    made.mkdir(exist_ok=True)
    config = model_config(gguf.metadata)
    for name, content in {"config.json": config, **tokenizer_files(gguf.metadata)}.items():
        (made / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    save_file(state_dict(gguf, config), made / "model.safetensors", metadata={"format": "pt"})
    shutil.copymode(made / "config.json", made / "model.safetensors")  # it comes readable by its owner only


def model_config(metadata: dict[str, Any]) -> dict[str, Any]:
    """`config.json` of a Llama-like model, from GGUF metadata."""
    if metadata.get("general.architecture") != "llama":
        raise WeightsCorrupt(
            f"expected a GGUF file of architecture 'llama', not {metadata.get('general.architecture')!r}"
        )
    heads = metadata["llama.attention.head_count"]
    width = metadata["llama.embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": metadata["llama.feed_forward_length"],
        "num_hidden_layers": metadata["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "head_dim": width // heads,
        "max_position_embeddings": metadata["llama.context_length"],
        "rms_norm_eps": metadata["llama.attention.layer_norm_rms_epsilon"],
        "rope_parameters": {"rope_type": "default", "rope_theta": metadata["llama.rope.freq_base"]},
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": True,
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "pad_token_id": metadata["tokenizer.ggml.padding_token_id"],
        "dtype": "float16",
    }


def state_dict(gguf: GgufFile, config: dict[str, Any]) -> dict[str, NDArray[np.float16]]:
    """Every tensor under its transformers name, float16.

    Raises:
        WeightsCorrupt: A tensor is missing or unknown; the message names it.
    """
    names = _names(config["num_hidden_layers"])
    for tensor in gguf.tensors:
        if tensor not in names:
            raise WeightsCorrupt(f"the GGUF file holds {tensor!r}, which a tied Llama has no place for")
    found = {}
    for theirs, ours in names.items():
        if theirs not in gguf.tensors:
            raise WeightsCorrupt(f"the GGUF file lacks {theirs!r}")
        values = gguf.tensors[theirs]()
        if ".q_proj." in ours:
            values = unrotated(values, config["num_attention_heads"])
        elif ".k_proj." in ours:
            values = unrotated(values, config["num_key_value_heads"])
        found[ours] = np.ascontiguousarray(values.astype(np.float16))
    return found


def unrotated(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a query or key matrix in the order of transformers.

    GGUF keeps the two halves of each rotated pair side by side, transformers keeps them half a head apart.
    """
    pairs = weight.shape[0] // heads // 2
    return weight.reshape(heads, pairs, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def _names(layers: int) -> dict[str, str]:
    names = dict(_TOP)
    for layer in range(layers):
        for theirs, ours in _BLOCK.items():
            names[f"blk.{layer}.{theirs}.weight"] = f"model.layers.{layer}.{ours}.weight"
    return names
