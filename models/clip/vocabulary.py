"""CLIP's tokens and merges, from a checkpoint's own files or from the file inside the open_clip package."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.errors import ModelError, WeightsCorrupt

_MERGES = 49152 - 256 - 2  # OpenAI's file holds more lines than were used
_STARTS, _ENDS = ("<|startoftext|>", "<start_of_text>"), ("<|endoftext|>", "<end_of_text>")
_SUFFIX = "</w>"


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and how words are cut into them.

    tokens: token -> id; its letters stand for bytes, and "</w>" ends a word. merges: which two neighbours become one,
    the first ones first. start, end: ids of the marks around a text.
    """

    tokens: dict[str, int]
    merges: list[tuple[str, str]]
    start: int
    end: int


def byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in CLIP's tokens (Radford et al. 2019)."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printed]
    return {byte: chr(byte) for byte in printed} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def vocabulary_in(folder: Path) -> Vocabulary | None:
    """The vocabulary in `folder`: tokenizer.json, else vocab.json with merges.txt; None where there is neither.

    Raises:
        WeightsCorrupt: a file is not what its name says, or lacks letters or marks.
        ModelError: it is another kind of tokenizer than CLIP's.
    """
    if (file := folder / "tokenizer.json").is_file():
        return _from_tokenizer_json(file)
    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    if vocab.is_file() and merges.is_file():
        lines = _text(merges).split("\n")
        return _checked(
            vocab, _json(vocab), [line for line in lines if line and not line.startswith("#version")]
        )
    return None


def open_clip_vocabulary() -> Vocabulary:
    """OpenAI's vocabulary of 49408 tokens, from the file inside open_clip; open_clip itself is not imported (slow).

    Raises:
        ModelError: open_clip is not installed.
    """
    spec = find_spec("open_clip")
    places = spec.submodule_search_locations if spec else None
    file = Path(places[0], "bpe_simple_vocab_16e6.txt.gz") if places else None
    if file is None or not file.is_file():
        raise ModelError("CLIP's vocabulary is not here; install open_clip_torch, which holds it")
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")[1 : _MERGES + 1]
    # In the order of the file: bytes as they print, then the same as ends of words, then what the merges make.
    letters = list(byte_letters().values())
    made = ["".join(line.split()) for line in lines]
    tokens = [*letters, *(letter + _SUFFIX for letter in letters), *made, _STARTS[0], _ENDS[0]]
    return _checked(file, {token: n for n, token in enumerate(tokens)}, lines)


def write_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """Writes vocab.json and merges.txt, which `vocabulary_in` reads."""
    tokens = json.dumps(vocabulary.tokens, ensure_ascii=False) + "\n"
    merges = "\n".join(["#version: 0.2", *(f"{left} {right}" for left, right in vocabulary.merges), ""])
    (folder / "vocab.json").write_text(tokens, encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")


def _from_tokenizer_json(file: Path) -> Vocabulary:
    row = _json(file)
    model = row.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or "merges" not in model:
        raise ModelError(f"{file} is no byte-pair tokenizer, so it is not CLIP's")
    if model.get("end_of_word_suffix") != _SUFFIX:
        raise ModelError(
            f"{file}: end_of_word_suffix is {model.get('end_of_word_suffix')!r}; CLIP's is {_SUFFIX!r}"
        )
    added = {str(one["content"]): one["id"] for one in row.get("added_tokens") or () if "content" in one}
    return _checked(file, {**model["vocab"], **added}, model["merges"], frozenset(added))


def _checked(
    file: Path, tokens: dict[str, Any], merges: list[Any], added: frozenset[str] = frozenset()
) -> Vocabulary:
    pairs = [tuple(one.split()) if isinstance(one, str) else tuple(one) for one in merges]
    for pair in pairs:
        if len(pair) != 2 or not all(part in tokens for part in (*pair, "".join(pair))):
            raise WeightsCorrupt(
                f"{file}: the merge {' '.join(map(str, pair))!r} is not of its tokens; fetch it again"
            )
    if not all(isinstance(number, int) for number in tokens.values()):
        raise WeightsCorrupt(f"{file}: its tokens have no whole numbers; fetch it again")
    start, end = (
        next((tokens[name] for name in names if name in tokens), None) for names in (_STARTS, _ENDS)
    )
    if start is None or end is None:
        raise WeightsCorrupt(f"{file} has no {_STARTS[0]} or no {_ENDS[0]}; it is not CLIP's tokenizer")
    for letter in byte_letters().values():
        if letter not in tokens or letter + _SUFFIX not in tokens:
            raise WeightsCorrupt(f"{file} lacks the token {letter!r} or {letter + _SUFFIX!r}; fetch it again")
    letters = {letter + end for letter in byte_letters().values() for end in ("", _SUFFIX)}
    made = {"".join(pair) for pair in pairs}
    if idle := tokens.keys() - letters - made - added - {*_STARTS, *_ENDS}:
        raise WeightsCorrupt(
            f"{file}: no merge makes the token {min(idle)!r} and {len(idle) - 1} more; its merges are not whole"
        )
    return Vocabulary(tokens, [(left, right) for left, right in pairs], start, end)


def _json(file: Path) -> dict[str, Any]:
    try:
        row = json.loads(_text(file))
    except ValueError as error:
        raise WeightsCorrupt(f"{file} is not valid JSON: {error}; fetch it again") from error
    if not isinstance(row, dict):
        raise WeightsCorrupt(f"{file} holds no JSON object; fetch it again")
    return row


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WeightsCorrupt(f"{file} is no UTF-8 text; fetch it again") from error
