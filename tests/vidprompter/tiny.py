"""A tiny Llama with random weights and a word tokenizer: the real classes, in milliseconds."""

from __future__ import annotations

import re
import zlib
from typing import Any


class WordTokenizer:
    """Words and punctuation to ids by a checksum; enough where only ids matter."""

    pad_token_id = 0
    eos_token_id = 1

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        parts = re.findall(r"<\|\w+\|>|\w+|[^\w\s]", text)
        return {"input_ids": [1 if p == "<|im_end|>" else 2 + zlib.crc32(p.encode()) % 94 for p in parts]}


def tiny_llama(seed: int = 0) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).float().eval()
