"""A text as the rubric's checks read it: its sentences, their grammar, and whether English word lists apply to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from vidprompter.facts.camera_text import mentions_camera
from vidprompter.facts.text_facts import noun_kinds, parse
from vidprompter.wording.english import looks_english
from vidprompter.wording.sentences import split_sentences

MAX_WORDS_READ, MAX_LETTERS_READ = 1500, 12_000
"""Of longer texts no more is parsed; nothing after it could make up for their length."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_KNOWN_ENGLISH = 0.4  # share of words that are usual English ones


@dataclass(frozen=True)
class Reading:
    """text: what was read of it. words: of the whole text. sentences: with three words or more, `docs` their parses.

    unread: words that were not parsed.
    """

    text: str
    words: int
    sentences: tuple[str, ...]
    docs: tuple[Any, ...]
    unread: int = 0

    @property
    def picture(self) -> list[Any]:
        """The parses of sentences that are not about the camera, or about a thing as well."""
        return [doc for doc in self.docs if not _only_camera(doc)]


def read(text: str) -> Reading:
    """The parsed text; lone surrogates, which no parser takes, are replaced."""
    clean = text.encode("utf-8", "replace").decode("utf-8").strip()
    words = len(clean.split())
    part = clean[:MAX_LETTERS_READ]
    if words > MAX_WORDS_READ or len(part) < len(clean):
        part = " ".join(part.split()[:MAX_WORDS_READ])
    sentences = tuple(one for one in _sentences(part) if len(_WORD.findall(one)) >= 3)
    # A text of two words is read too, though it has no sentence.
    docs = parse(sentences or [part])
    return Reading(part, words, sentences, tuple(docs), words - len(part.split()))


def is_english(text: str) -> bool:
    """Whether English word lists say anything of the text.

    Its small words must be English, and two fifths of its words usual ones, which tells English from languages whose small
    words are not known here, and from no language at all.
    """
    words = _WORD.findall(text[:MAX_LETTERS_READ].lower())
    if not words or not looks_english(text[:MAX_LETTERS_READ]):
        return False
    known = sum(word in _usual() or word.removesuffix("s") in _usual() for word in words)
    return known >= _KNOWN_ENGLISH * len(words)


def has_words(text: str) -> bool:
    """Whether there is a letter in it, of whatever script."""
    return any(character.isalpha() for character in text)


def words_of(text: str) -> list[str]:
    """Its words in lower case."""
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.lower())]


@cache
def _usual() -> frozenset[str]:
    table = files("vidprompter").joinpath("data/token_counts.tsv").read_text(encoding="utf-8")
    usual = (line.split("\t")[0].lower() for line in table.splitlines() if not line.startswith("#"))
    return frozenset(usual) | frozenset(noun_kinds())


def _sentences(text: str) -> list[str]:
    """Those of each line; of a text without capitals those that end marks tell."""
    lines = [line for line in text.splitlines() if line.strip()]
    if text == text.lower():
        return [part.strip() for line in lines for part in re.split(r"(?<=[.!?])\s+", line) if part.strip()]
    return [part.strip() for line in lines for part in split_sentences(line) if part.strip()]


def _only_camera(doc: Any) -> bool:
    """Whether a sentence's subject is the camera or the picture itself."""
    if not mentions_camera(doc.text):
        return False
    subjects: Sequence[Any] = [token for token in doc if token.dep_ in ("nsubj", "nsubjpass")]
    return all(token.lower_ in ("camera", "shot", "view", "frame", "lens", "it") for token in subjects)
