"""Whether a text is a sentence, as far as spaCy's parse tells, and what makes one of a fragment."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from vidprompter.facts.text_facts import parse
from vidprompter.wording.sentences import ends_as_sentence

FINITE = frozenset({"VBZ", "VBP", "VBD", "MD"})
_SUBJECTS = frozenset({"nsubj", "nsubjpass", "expl", "csubj"})
_SUBORDINATE = frozenset({"relcl", "advcl", "acl"})
# What a sentence cannot end with.
_OPEN_DEPS = frozenset({"det", "cc", "amod", "poss"})
_OPEN_TAGS = frozenset({"DT", "CC", "PRP$"})
_COMPLEMENTS = frozenset({"attr", "acomp", "prep", "advmod", "expl", "ccomp", "xcomp"})
_FRAMES = ("The clip shows {f}", "Viewers see {f}", "The frame holds {f}")
_FRAMED_FIRST = frozenset({"DT", "CD", "PRP$", "JJ", "NN", "NNS", "PDT", "NNP"})


def has_clause(root: Any) -> bool:
    """Whether a parsed sentence's verb is finite and has a subject. root: its spaCy token."""
    verbs = [root, *(child for child in root.children if child.dep_ in ("aux", "auxpass"))]
    finite = any(verb.tag_ in FINITE for verb in verbs)
    return finite and any(child.dep_ in _SUBJECTS for child in root.children)


@lru_cache(maxsize=2048)
def is_sentence(text: str) -> bool:
    """Whether `text` is one sentence with a subject, a finite verb and an end mark, nothing left open."""
    if not ends_as_sentence(text):
        return False
    doc = parse([text.strip()])[0]
    if len(list(doc.sents)) != 1:
        return False
    root = _root(doc)
    if not has_clause(root):
        return False
    last = next((token for token in reversed(doc) if not token.is_punct), None)
    if last is None or last.dep_ in _OPEN_DEPS or last.tag_ in _OPEN_TAGS:
        return False
    return root.lemma_ != "be" or any(child.dep_ in _COMPLEMENTS for child in root.children)


def framed(text: str, refused: Callable[[str], bool]) -> str | None:
    """A sentence made of a fragment: "A boat floating by." gives "The clip shows a boat floating by."

    None where `text` is no fragment for certain, or every way to say it is `refused`.
    """
    if not text or not ends_as_sentence(text):
        return None
    doc = parse([text])[0]
    if len(list(doc.sents)) != 1 or not _is_fragment(doc):
        return None
    first = doc[0]
    lowered = text if first.tag_ in ("NNP", "NNPS") or first.text.isupper() else text[:1].lower() + text[1:]
    if first.lower_ == "a" or first.lower_ == "an":
        lowered = text[:1].lower() + text[1:]
    made = (frame.format(f=lowered) for frame in _FRAMES)
    return next((sentence for sentence in made if not refused(sentence) and _one_verb(sentence)), None)


def _is_fragment(doc: Any) -> bool:
    """A noun with what belongs to it, or with a participle, and no finite verb but in clauses of their own."""
    root = _root(doc)
    noun = root.tag_ in ("NN", "NNS", "NNP", "NNPS")
    participle = root.tag_ == "VBG" and any(child.dep_ in _SUBJECTS for child in root.children)
    if not (noun or participle) or doc[0].tag_ not in _FRAMED_FIRST:
        return False
    # "A red umbrella leans on the wall.", where "leans" was taken for a noun.
    if root.tag_ == "NNS" and root.i > 0 and doc[root.i - 1].tag_ in ("NN", "NNP"):
        return False
    return not _main_verbs(doc)


def _main_verbs(doc: Any) -> list[Any]:
    """Finite verbs that stand in no subordinate clause."""
    return [
        token
        for token in doc
        if token.tag_ in FINITE and not any(t.dep_ in _SUBORDINATE for t in (token, *token.ancestors))
    ]


def _one_verb(sentence: str) -> bool:
    """Whether the frame's verb is the only one, so that no sentence was put into another."""
    return is_sentence(sentence) and len(_main_verbs(parse([sentence])[0])) == 1


@lru_cache(maxsize=2048)
def is_said(text: str) -> bool:
    """Whether `text` is a sentence, or a parse that went wrong still sees a verb in it that has its subject."""
    if is_sentence(text):
        return True
    doc = parse([text.strip()])[0]
    verbs = [token for token in _main_verbs(doc) if token.dep_ != "ROOT" or has_clause(token)]
    subjects = any(token.dep_ in _SUBJECTS and token.head in verbs for token in doc)
    return ends_as_sentence(text) and not _is_fragment(doc) and bool(verbs) and subjects


def _root(doc: Any) -> Any:
    return next(token for token in doc if token.dep_ == "ROOT")
