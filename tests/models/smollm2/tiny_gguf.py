"""Writes a GGUF file of a two-block Llama, in the layout and packings of the real one."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

HEADS, KV_HEADS, WIDTH, MIDDLE, LAYERS = 4, 2, 32, 64, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
F32, Q4_1, Q8_0 = 0, 3, 8


def byte_letters() -> list[str]:
    """The 256 letters of byte-level BPE, in the order of GPT-2's table."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    for n, byte in enumerate(b for b in range(256) if b not in letters):
        letters[byte] = chr(256 + n)
    return [letters[byte] for byte in range(256)]


def metadata() -> dict[str, Any]:
    tokens = [*SPECIAL, *byte_letters(), "Ġt", "he", "Ġthe", "in", "an"]
    tokens += [f"<pad{n}>" for n in range(-len(tokens) % 32)]
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": 128,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": MIDDLE,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.rope.freq_base": 10000.0,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if n < len(SPECIAL) else 1 for n in range(len(tokens))],
        "tokenizer.ggml.merges": ["Ġ t", "h e", "Ġt he", "i n", "a n"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.chat_template": "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}",
        "general.file_type": 3,
    }


def shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape as numpy has it."""
    head = WIDTH // HEADS
    block: dict[str, tuple[int, ...]] = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (KV_HEADS * head, WIDTH),
        "attn_v": (KV_HEADS * head, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (MIDDLE, WIDTH),
        "ffn_up": (MIDDLE, WIDTH),
        "ffn_down": (WIDTH, MIDDLE),
    }
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary, WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        found |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
    return found


def packed(rng: np.random.Generator, shape: tuple[int, ...], kind: int) -> bytes:
    """Random blocks of `kind`; scales are small, so that the network stays tame."""
    count = int(np.prod(shape))
    if kind == F32:
        return bytes((1 + 0.1 * rng.standard_normal(count)).astype("<f4").tobytes())
    blocks = count // 32
    scale = rng.uniform(0.001, 0.02, (blocks, 1)).astype("<f2").view(np.uint8)
    if kind == Q8_0:
        return bytes(np.concatenate([scale, rng.integers(0, 256, (blocks, 32), np.uint8)], axis=1).tobytes())
    least = rng.uniform(-0.2, 0, (blocks, 1)).astype("<f2").view(np.uint8)
    return bytes(
        np.concatenate([scale, least, rng.integers(0, 256, (blocks, 16), np.uint8)], axis=1).tobytes()
    )


def write_gguf(path: Path, *, changes: dict[str, Any] | None = None, without: str = "") -> Path:
    """The file at `path`; `changes` of the metadata; `without` a tensor."""
    rng = np.random.default_rng(7)
    meta = metadata() | (changes or {})
    heads, body = [], b""
    for name, shape in shapes(len(meta["tokenizer.ggml.tokens"])).items():
        if name == without:
            continue
        kind = F32 if len(shape) == 1 else (Q8_0 if name.startswith("token") else Q4_1)
        dims = b"".join(struct.pack("<Q", size) for size in reversed(shape))
        heads.append(
            _string(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, len(body))
        )
        body += packed(rng, shape, kind)
        body += b"\0" * (-len(body) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(heads), len(meta))
    head += b"".join(_string(key) + _value(value) for key, value in meta.items()) + b"".join(heads)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + body)
    return path


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    kind = 8 if isinstance(value[0], str) else 5
    items = b"".join(_string(item) if kind == 8 else struct.pack("<i", item) for item in value)
    return struct.pack("<IIQ", 9, kind, len(value)) + items
