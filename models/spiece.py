"""A sentencepiece file of the unigram kind (T5, UMT5, mT5) as a tokenizer, without the sentencepiece package.

The file is a protocol buffer, ModelProto of google/sentencepiece `sentencepiece_model.proto`; read are
pieces = 1 {piece = 1, score = 2, type = 3}, trainer_spec = 2 {model_type = 3} and normalizer_spec = 3
{precompiled_charsmap = 2, add_dummy_prefix = 3, remove_extra_whitespaces = 4}.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import WeightsCorrupt

_UNIGRAM = 1
_UNKNOWN, _BYTE = 2, 6  # types of pieces

Field = tuple[int, int | bytes]
"""The number of a field and its value; nested messages, texts and floats as bytes."""


def read_spiece(path: Path) -> Any:
    """The tokenizer (`tokenizers.Tokenizer`) of a spiece.model; it adds no tokens of its own.

    Raises:
        WeightsCorrupt: No sentencepiece file, or not of the unigram kind.
    """
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    try:
        pieces, kind, spec = _parts(path.read_bytes())
    except (IndexError, ValueError, struct.error, TypeError) as error:
        raise WeightsCorrupt(f"{path} is no sentencepiece file: {error}") from error
    if kind != _UNIGRAM or not pieces:
        raise WeightsCorrupt(f"{path} holds no unigram model (kind {kind}, {len(pieces)} pieces)")
    types = [kind_of_piece for _, _, kind_of_piece in pieces]
    unknown = types.index(_UNKNOWN) if _UNKNOWN in types else None
    made = Tokenizer(Unigram([(text, score) for text, score, _ in pieces], unknown, _BYTE in types))
    steps: list[Any] = []
    if charsmap := spec.get(2):
        steps.append(normalizers.Precompiled(charsmap))
    if spec.get(4, 1):  # on by default
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    made.normalizer = normalizers.Sequence(steps)
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always" if spec.get(3, 1) else "never")
    return made


def _parts(content: bytes) -> tuple[list[tuple[str, float, int]], int, dict[int, Any]]:
    """Pieces (text, score, type), kind of model, and the normaliser's fields."""
    pieces: list[tuple[str, float, int]] = []
    kind, spec = _UNIGRAM, {}
    for number, value in _fields(content):
        if number == 1:
            row: dict[int, Any] = dict(_fields(_bytes(value)))
            score = struct.unpack("<f", row[2])[0] if 2 in row else 0.0
            pieces.append((_bytes(row.get(1, b"")).decode(), score, row.get(3, 1)))
        elif number == 2:
            kind = dict(_fields(_bytes(value))).get(3, _UNIGRAM)  # type: ignore[assignment]
        elif number == 3:
            spec = dict(_fields(_bytes(value)))
    return pieces, kind, spec


def _fields(content: bytes) -> Iterator[Field]:
    """The fields of one message."""
    at = 0
    while at < len(content):
        key, at = _number(content, at)
        wire = key & 7
        if wire == 0:
            value, at = _number(content, at)
            yield key >> 3, value
            continue
        if wire == 2:
            size, at = _number(content, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + size > len(content):
            raise ValueError(f"a field ends behind the file, at byte {at + size}")
        yield key >> 3, content[at : at + size]
        at += size


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError(f"a number without end at byte {at}")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")
    return value
