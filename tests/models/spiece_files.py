"""Sentencepiece files, written field by field as google/sentencepiece `sentencepiece_model.proto` says."""

from __future__ import annotations

import struct
from collections.abc import Sequence

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
UNIGRAM, BPE = 1, 2


def spiece(pieces: Sequence[tuple[str, float, int]], *, kind: int = UNIGRAM) -> bytes:
    """The file of a model with these pieces (text, score, type), without a character map."""
    content = b"".join(
        message(1, message(1, text.encode()) + float_field(2, score) + number(3, type_))
        for text, score, type_ in pieces
    )
    trainer = message(1, b"corpus.txt") + number(3, kind) + number(4, len(pieces)) + float_field(10, 0.9995)
    normalizer = message(1, b"identity") + number(3, 1) + number(4, 1)
    return content + message(2, trainer) + message(3, normalizer)


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def float_field(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
