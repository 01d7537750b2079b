"""How many tokens a target's encoder makes of a text: exactly, with its own tokenizer, or at most.

The tokenizer is looked for in the model hub's cache on this machine, and nowhere else: nothing is fetched. Without
it an upper bound is given. The bound adds up, word by word, a table of 3994 words of usual prompts with the most
tokens that one of three real tokenizers (T5, UMT5, Qwen2) makes of each, and for other words more than they are
likely to take. docs/targets.md says by how much it is too high.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import ceil
from pathlib import Path

from models.fetching.hub_cache import commit_here, snapshot_folder
from vidprompter.targets.files import target
from vidprompter.targets.profile import Target

_PIECE = re.compile(r"[A-Za-z]+|[0-9]+|[^\sA-Za-z0-9]")
_SPARE = 3  # a text's start costs some tokenizers one more, a rare word now and then
_LETTERS_OF_A_WORD = 1.7  # letters a token, of a word that the table does not know
_LETTERS_INSIDE = 2.0  # the same after a hyphen, an apostrophe or a bracket, where no table helps

_TOKENIZER_FILES = ("tokenizer.json", "spiece.model")


@dataclass(frozen=True)
class Count:
    """tokens: what the text takes of the limit, the pipeline's own tokens included. exact: False for a bound."""

    tokens: int
    exact: bool


def count_tokens(target_or_name: Target | str, text: str) -> Count:
    """The tokens that `text` takes at a target.

    Raises:
        InputError: No target of that name.
    """
    aim = target(target_or_name) if isinstance(target_or_name, str) else target_or_name
    if (encode := _tokenizer_here(aim)) is not None:
        return Count(encode(text) + aim.added_tokens, exact=True)
    return Count(upper_bound(text) + aim.added_tokens, exact=False)


def fits(target_or_name: Target | str, text: str) -> bool:
    """Whether the whole of `text` is read by the target's encoder; for certain, also where the count is a bound.

    Raises:
        InputError: No target of that name.
    """
    aim = target(target_or_name) if isinstance(target_or_name, str) else target_or_name
    return count_tokens(aim, text).tokens <= aim.token_limit


def upper_bound(text: str) -> int:
    """At least as many tokens as T5, UMT5, Qwen2 or a like tokenizer makes of English prompt text."""
    known = _known_words()
    total = _SPARE
    for chunk in text.split():
        for piece in _PIECE.finditer(chunk):
            total += _piece_tokens(piece[0], at_start=piece.start() == 0, known=known)
    return total


def _piece_tokens(piece: str, *, at_start: bool, known: dict[str, int]) -> int:
    if not piece.isascii():
        return len(piece.encode()) + at_start  # the byte-level tokenizers may need a token a byte
    if piece.isalpha():
        if not at_start:
            return ceil(len(piece) / _LETTERS_INSIDE)
        return known.get(piece) or max(2, ceil(len(piece) / _LETTERS_OF_A_WORD))
    return len(piece) + at_start  # digits and signs; the blank before them may be a token of its own


@lru_cache(maxsize=1)
def _known_words() -> dict[str, int]:
    rows = files("vidprompter.data").joinpath("token_counts.tsv").read_text(encoding="utf-8").splitlines()
    return {
        word: int(tokens) for word, tokens in (row.split("\t") for row in rows if not row.startswith("#"))
    }


def _tokenizer_here(aim: Target) -> Callable[[str], int] | None:
    """What counts with the target's own tokenizer; None when it is not on this machine."""
    for where in aim.tokenizers:
        org, name, *subfolder = where.split("/")
        commit = commit_here(f"{org}/{name}")
        if commit is None:
            continue
        folder = snapshot_folder(f"{org}/{name}", commit).joinpath(*subfolder)
        if any((folder / file).is_file() for file in _TOKENIZER_FILES) and (encode := _opened(folder)):
            return encode
    return None


@lru_cache(maxsize=8)
def _opened(folder: Path) -> Callable[[str], int] | None:
    """The tokenizer of `folder`; None when its file is damaged, for the bound holds without it."""
    from tokenizers import Tokenizer

    from models.spiece import read_spiece

    try:
        if (folder / "tokenizer.json").is_file():
            found = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            found = read_spiece(folder / "spiece.model")
    except Exception:  # tokenizers raises Exception itself for a file it cannot read
        return None
    found.no_truncation()
    found.no_padding()
    return lambda text: len(found.encode(text, add_special_tokens=False).ids)
