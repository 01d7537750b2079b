"""Does a short prompt look English? The built-in model writes nothing else, so rows of others say so."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_WORD = re.compile(r"[^\W\d_]+")
_LATIN_END = "\u024f"  # the last letter of Latin Extended-B
_FOREIGN_LETTERS = 0.3  # share of letters from another script


@cache
def _small_words() -> dict[str, frozenset[str]]:
    text = files("vidprompter").joinpath("data/function_words.tsv").read_text(encoding="utf-8")
    rows = (line.partition("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {code: frozenset(words.split()) for code, _, words in rows}


def looks_english(text: str) -> bool:
    """False where most small words are another language's, or many letters are of another script.

    Names and single nouns look English: there is nothing to tell them by.
    """
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return True
    if sum(character > _LATIN_END for character in letters) > _FOREIGN_LETTERS * len(letters):
        return False
    words = set(_WORD.findall(text.lower()))
    english = _small_words()["en"]
    ours = sum(word in english for word in words)
    theirs = max(
        sum(word in small and word not in english for word in words)
        for code, small in _small_words().items()
        if code != "en"
    )
    return theirs <= ours
