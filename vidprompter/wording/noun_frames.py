"""Whether a phrase without an article is a noun phrase: seen in a sentence, where spaCy errs far less than on it alone.

"sleeping cat", "cracked leather armchair" and "chalk dust in the air" look like verbs by themselves; in "We see a
sleeping cat here." they do not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from vidprompter.facts.text_facts import parse

_BEFORE = frozenset("JJ JJR JJS NN NNS NNP NNPS VBN VBG CD HYPH POS RB AFX FW".split())
_AFTER = frozenset({"IN", "VBG", "VBN", "RP", "TO"})


class BareNoun(NamedTuple):
    """The head of the phrase. counted_out: an "of" follows it, as in "glass of wine"."""

    head: Any
    counted_out: bool


@lru_cache(maxsize=1024)
def is_bare_clause(text: str) -> bool:
    """Whether `text` begins with a plural that does something: "leaves swirl around her", but not "walks slowly"."""
    doc = parse([f"We see {text} here."])[0]
    first = doc[2]
    return (
        first.tag_ == "NNS"
        and first.dep_ == "nsubj"
        and first.head.tag_ in ("VB", "VBP")
        and first.head.i > 2
    )


@lru_cache(maxsize=1024)
def bare_noun(text: str) -> BareNoun | None:
    """The head noun where `text`, which begins with no article, needs one or stands without; None for other phrases."""
    doc = parse([f"We see a {text} here."])[0]
    alone = parse([text])[0]
    size = len(alone)
    phrase = doc[3 : 3 + size]
    if len(doc) < 3 + size or phrase.text != text:
        return None
    article = doc[2]
    head = article.head.head if article.head.dep_ == "poss" else article.head  # "bird's eye view"
    verb = head if head.tag_ == "VBG" and head.i > 3 else None
    if verb is not None:  # "wolf howling", taken for a kind of howling
        head = doc[verb.i - 1]
    if head.i not in range(3, 3 + size) or head.tag_ not in ("NN", "NNS", "NNP", "NNPS"):
        return None
    before = [token for token in phrase if token.i < head.i]
    after = [token for token in phrase if token.i > head.i]
    if any(token.tag_ not in _BEFORE and token.lower_ != "of" for token in before):
        return None
    if after and after[0].tag_ not in _AFTER:
        return None
    held = {token.i for token in (verb or head).subtree} | {head.i}
    # "crowd cheering" hangs on its verb.
    if head.dep_ == "nsubj" and head.head.tag_ == "VBG":
        held |= {token.i for token in head.head.subtree}
    # "chalk dust in the air": what follows may hang on "see" as well.
    for child in doc[1].children:
        if child.i > head.i and child.dep_ in ("prep", "prt"):
            held |= {token.i for token in child.subtree}
    if any(token.i not in held for token in phrase):
        return None
    if not before and after and (after[0].lower_ in ("at", "to", "for") or alone[0].tag_ == "VBG"):
        return None  # "look at the camera", "peeking over the edge"
    return BareNoun(head, bool(after) and after[0].lower_ == "of")
