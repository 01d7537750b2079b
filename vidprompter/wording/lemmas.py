"""Mentions that the rules do not see, by spaCy's lemmas: a second opinion where English is parsed anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from vidprompter.facts.text_facts import parse, tagger
from vidprompter.wording.inflections import fold

_POS = ("NOUN", "VERB", "ADJ", "ADV", "PROPN")


@lru_cache(maxsize=512)
def lemmas_of(word: str) -> frozenset[str]:
    """The lemmas that spaCy gives a single word, as whatever part of speech; with the word itself."""
    from spacy.tokens import Doc

    nlp = tagger()
    lemmatize = nlp.get_pipe("lemmatizer")
    found = {fold(word)}
    for pos in _POS:
        doc = lemmatize(Doc(nlp.vocab, words=[fold(word)], pos=[pos]))
        found.add(fold(doc[0].lemma_))
    return frozenset(found)


def lemma_mentions(text: str, avoid: Sequence[str]) -> list[str]:
    """Words of an English `text` with the lemma of an avoided single word."""
    singles = [word for word in avoid if re.fullmatch(r"[^\W\d_]+", word)]
    if not singles:
        return []
    banned = frozenset().union(*(lemmas_of(word) for word in singles))
    return list(dict.fromkeys(str(t.text) for t in parse([text])[0] if fold(t.lemma_) in banned))
