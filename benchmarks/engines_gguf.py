"""The built-in model as a GGUF file for llama.cpp: the very numbers that our 8-bit engine multiplies with.

Q8_0 has a scale for every 32 numbers, we have one for 64: each of ours is written twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_q8_0(path: Path, adapter: Path) -> None:
    """The base with `adapter` added, Q8_0, with the metadata of the base's own GGUF file."""
    from gguf import GGMLQuantizationType, GGUFWriter

    from models.registry import registry
    from models.smollm2.convert import _names
    from models.smollm2.gguf_file import read_gguf
    from models.smollm2.int8_blocks import int8_blocks
    from vidprompter.engines.drawers.quantised import BASE, merged_weights

    config, weights = merged_weights(adapter)
    metadata = read_gguf(next(registry().get(BASE).path().glob("*.gguf"))).metadata
    writer = GGUFWriter(path, "llama")
    for key, value in metadata.items():
        if key not in ("general.architecture", "general.file_type", "general.quantization_version"):
            _add(writer, key, value)
    writer.add_quantization_version(2)
    heads = {".q_proj.": config["num_attention_heads"], ".k_proj.": config["num_key_value_heads"]}
    for theirs, ours in _names(config["num_hidden_layers"]).items():
        weight = weights[ours]
        for part, count in heads.items():
            if part in ours:
                weight = _rotated(weight, count)
        if weight.ndim == 1:
            writer.add_tensor(theirs, weight)
            continue
        blocks = int8_blocks(np.ascontiguousarray(weight))
        codes = (blocks.codes.reshape(-1, 32).astype(np.int16) - 128).astype(np.int8).view(np.uint8)
        scales = np.repeat(blocks.scales.astype("<f2").reshape(-1, 1), 2, axis=0).view(np.uint8)
        packed = np.concatenate([scales, codes], axis=1).reshape(len(weight), -1)
        writer.add_tensor(theirs, packed, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _rotated(weight: Any, heads: int) -> Any:
    """What `models.smollm2.convert.unrotated` undoes."""
    pairs = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, pairs, -1).swapaxes(1, 2).reshape(weight.shape)


def _add(writer: Any, key: str, value: Any) -> None:
    kinds = {
        str: writer.add_string,
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        list: writer.add_array,
    }
    kinds[type(value)](key, value)
