"""CLIP's byte-pair tokenizer: the same tokens as open_clip's, for any text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from models.clip.vocabulary import Vocabulary, byte_letters, open_clip_vocabulary

# Words as OpenAI cut them. The marks are written as in open_clip: what reads <|endoftext|> in a caption is text.
_MARKS = ("<start_of_text>", "<end_of_text>")
_PATTERN = "|".join((*_MARKS, r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"))
_WORDS_KEPT = 100_000


class ClipBpe:
    """Cuts texts into CLIP's tokens.

    A text that holds "<end_of_text>" has an end mark inside, at which it is pooled, as open_clip does it.
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        """vocabulary: of the checkpoint; None: OpenAI's, from the open_clip package."""
        import regex  # type: ignore[import-untyped]
        from tokenizers.models import BPE

        self.vocabulary = vocabulary or open_clip_vocabulary()
        self.start_id, self.end_id = self.vocabulary.start, self.vocabulary.end
        self._pattern: Any = regex.compile(_PATTERN, regex.IGNORECASE)
        self._letters = byte_letters()
        self._marks = dict(zip(_MARKS, (self.start_id, self.end_id), strict=True))
        self._bpe: Any = BPE(
            vocab=self.vocabulary.tokens, merges=self.vocabulary.merges, end_of_word_suffix="</w>"
        )
        self._word = lru_cache(_WORDS_KEPT)(self._cut_word)

    def encode(self, text: str) -> list[int]:
        """All tokens of `text`, the start mark first and the end mark last; never cut."""
        ids = [self.start_id]
        for word in self._pattern.findall(cleaned(text)):
            ids += self._word(word)
        return [*ids, self.end_id]

    def cut(self, ids: Sequence[int], max_tokens: int) -> list[int]:
        """At most `max_tokens` of them: the first ones, and the end mark in the last place."""
        if len(ids) <= max_tokens:
            return list(ids)
        return [*ids[: max_tokens - 1], self.end_id]

    def _cut_word(self, word: str) -> tuple[int, ...]:
        if word in self._marks:
            return (self._marks[word],)
        letters = "".join(self._letters[byte] for byte in word.encode("utf-8", "replace"))
        return tuple(token.id for token in self._bpe.tokenize(letters))


def cleaned(text: str) -> str:
    """`text` as CLIP was taught: broken encodings mended, HTML unescaped twice, single spaces, lower case."""
    import ftfy

    mended = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(mended.split()).lower()


def end_of(ids: Sequence[int]) -> int:
    """Where a list of tokens is pooled: at the first of its highest token, which is the end mark."""
    return max(range(len(ids)), key=ids.__getitem__)
