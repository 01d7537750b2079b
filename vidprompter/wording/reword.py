"""Taking avoided words out of a sentence without breaking it, by its spaCy parse.

A whole limb of the sentence goes, the smallest that may: "A woman with red hair walks by." without "red hair" is "A
woman walks by.". What is left is parsed again; where it is no sentence any more, None is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from vidprompter.facts.lexicon import SHOT_WORDS
from vidprompter.facts.text_facts import noun_kinds, parse
from vidprompter.sheet.lines import plural
from vidprompter.wording.grammar import is_sentence
from vidprompter.wording.inflections import inflections
from vidprompter.wording.mentions import FUNCTION_WORDS, find_mentions, locked_at, mentions
from vidprompter.wording.phrasings import with_article

# Limbs that a sentence can do without.
_LIMBS = frozenset({"amod", "advmod", "prep", "acl", "relcl", "appos", "conj", "npadvmod", "advcl", "compound", "poss",
                    "nmod", "agent"})  # fmt: skip
# Verbs that need what follows them.
_NEEDY = frozenset(
    "be consist focus depend rely look belong seem feel appear set serve act gaze stare point refer turn become remain "
    "lie place situate contrast center add range lead lend compose fill surround bathe line dress make cover lit light"
    " sit".split()
)
_MIN_WORDS = 3
_MAX_CUTS = 6
# More general words, where there is no better one.
_KIND_WORDS = {
    "animal": "animal",
    "person": "person",
    "plant": "plant",
    "artifact": "object",
    "food": "food",
    "place": "place",
}
_GROUPS = {
    "vehicle": frozenset(
        "car truck bus boat ship train bicycle motorcycle airplane van taxi locomotive tram".split()
    ),
    "building": frozenset(
        "house castle church tower barn cottage cabin temple palace lighthouse mosque".split()
    ),
    "garment": frozenset(
        "dress skirt shirt coat jacket hat sweater suit gown robe scarf cloak uniform".split()
    ),
}


def without_avoided(sentence: str, avoid: Sequence[str], *, keep: Sequence[str] = ()) -> str | None:
    """`sentence` with the limbs that mention `avoid` taken off, still a sentence; None where that cannot be.

    Nouns that carry the sentence become more general ones: "The wolf waits." is "The animal waits." without "wolf".
    keep: phrases that must stay if they stand in it.
    """
    cut: str | None = sentence
    for _ in range(_MAX_CUTS):
        if cut is None or not mentions(cut, avoid):
            break
        cut = _cut_once(cut, avoid) or _generalised(cut, avoid)
    if cut is None or mentions(cut, avoid):
        return None
    # Limbs leave subject and verb alone; the parse of what is left is only asked where that of the whole was wrong.
    if len(cut.split()) < _MIN_WORDS or not (is_sentence(sentence) or is_sentence(cut)):
        return None
    if any(locked_at(sentence, phrase) is not None and locked_at(cut, phrase) is None for phrase in keep):
        return None
    return cut


def idea_without(idea: str, avoid: Sequence[str]) -> str | None:
    """A short prompt without what it mentions of `avoid`: limbs go, and a main noun becomes a more general one.

    "a wolf in fresh snow" without "snow" is "a wolf", without "wolf" "an animal in fresh snow". None where nothing is
    left.
    """
    text: str | None = idea
    for _ in range(_MAX_CUTS):
        if text is None or not mentions(text, avoid):
            break
        text = _generalised(text, avoid, first=True) or _cut_once(text, avoid) or _generalised(text, avoid)
    if text is None or mentions(text, avoid):
        return None
    left = [word for word in re.findall(r"\w+", text.lower()) if word not in FUNCTION_WORDS]
    return text if left else None


def general_noun(noun: str, avoid: Sequence[str]) -> str | None:
    """A more general word for a thing, "animal" for "wolf", that does not mention `avoid` itself; or None."""
    words = noun_kinds()
    found = words.get(noun.lower()) or next(
        (words[form] for form in sorted(inflections(noun.split()[-1])) if form in words), None
    )
    if found is None or noun.lower() in SHOT_WORDS:
        return None
    narrow = next((word for word, nouns in _GROUPS.items() if noun.lower() in nouns), None)
    options = [
        found.basic,
        narrow,
        _KIND_WORDS.get(found.kind),
        "subject" if found.kind == "person" else None,
    ]
    return next((word for word in options if word and not mentions(word, avoid)), None)


def _cut_once(text: str, avoid: Sequence[str]) -> str | None:
    """`text` without the smallest limb that holds its first mention; None where it is no limb's."""
    found = find_mentions(text, avoid)
    doc = parse([text])[0]
    inside = [t for t in doc if t.idx < found[0].end and t.idx + len(t) > found[0].start]
    if not inside:
        return None
    top = min(_whole_words(doc, inside), key=lambda token: (_depth(token), token.i))
    cuts = (_drop(doc, limb) for limb in _limbs_of(top))
    return next((cut for cut in cuts if not _dangling(cut)), None)


def _whole_words(doc: Any, tokens: Sequence[Any]) -> list[Any]:
    """`tokens` with the other parts of hyphenated words, which spaCy takes apart: "blue-eyed" is cut as a whole."""
    first, last = tokens[0].i, tokens[-1].i
    while first > 0 and not doc[first - 1].whitespace_ and "-" in (doc[first - 1].text, doc[first].text):
        first -= 1
    while last + 1 < len(doc) and not doc[last].whitespace_ and "-" in (doc[last].text, doc[last + 1].text):
        last += 1
    return list(doc[first : last + 1])


def _depth(token: Any) -> int:
    return len(list(token.ancestors))


def _limbs_of(token: Any) -> Iterator[Any]:
    """The ancestors, the token itself first, that the sentence can do without."""
    while token.dep_ != "ROOT":
        if token.dep_ in _LIMBS and _may_go(token):
            yield token
        token = token.head


def _dangling(text: str) -> bool:
    """Whether an article or a preposition has lost its noun: "a woman with", "in a of"."""
    words = re.findall(r"[\w'-]+|[.,;:!?]", text.lower())
    for word, after in pairwise([*words, "."]):
        lost = after in ".,;:!?" or after in ("of", "with", "in", "on", "and", "or", "is", "are", "to", "by")
        if (word in ("a", "an", "the") and lost) or (word in ("with", "of") and after in ".,;:!?"):
            return True
    return False


def _may_go(token: Any) -> bool:
    head = token.head
    if token.dep_ in ("prep", "agent"):
        if head.pos_ in ("VERB", "AUX"):
            first = min(t.i for t in token.subtree)
            free = first == 0 or token.doc[first - 1].text == ","
            return bool(free or not (head.lemma_.lower() in _NEEDY or head.tag_ == "VBN"))
        return bool(token.lower_ != "of")
    if token.dep_ in ("compound", "poss", "amod", "nmod"):
        # "with red hair" without "red" is "with hair", which says nothing: the whole phrase goes instead.
        bare = not any(
            c.dep_ in ("det", "amod", "poss", "nummod", "compound") for c in head.children if c != token
        )
        # "The camera pans left.", where "pans" was taken for a noun.
        if token.dep_ == "poss" or (token.dep_ == "compound" and head.tag_ == "NNS" and head.dep_ != "pobj"):
            return False
        return not (bare and head.dep_ == "pobj" and head.head.lower_ in ("with", "in", "of"))
    if token.dep_ == "conj":
        # Only of two: longer rows would need their commas and their "and" anew.
        row = head.dep_ == "conj" or any(c.dep_ == "conj" for c in token.children)
        joined = [c for c in head.children if c.dep_ == "conj"] == [token]
        subject = str(head.dep_).startswith("nsubj")
        return joined and not row and (head.pos_ in ("VERB", "ADJ", "ADV") or not subject)
    if token.dep_ in ("advmod", "npadvmod"):
        return token.lower_ not in ("not", "n't", "when", "where", "how", "why")
    return True


def _drop(doc: Any, limb: Any) -> str:
    gone = {token.i for token in limb.subtree}
    if limb.dep_ == "conj":
        gone |= {c.i for c in limb.head.children if c.dep_ == "cc" and c.i < limb.i}
    before, after = min(gone) - 1, max(gone) + 1
    if before >= 0 and doc[before].text == "," and limb.dep_ != "conj":
        # What stood between commas takes both along; at the end of a sentence its one.
        closed = after < len(doc) and (doc[after].text in ",;" or doc[after].is_punct)
        gone |= {before} | ({after} if closed and doc[after].text == "," and _inside_noun(limb) else set())
    gone |= _left_hanging(doc, gone)
    out = "".join(token.text_with_ws if token.i not in gone else token.whitespace_ for token in doc)
    start = min(gone)
    return _tidied(doc, out, start)


def _left_hanging(doc: Any, gone: set[int]) -> set[int]:
    """Article and preposition before what went, where a participle follows now.

    In "a woman with red hair drinking tea" spaCy may take "hair drinking tea" for one noun; "with" goes with "hair".
    """
    after = max(gone) + 1
    if after >= len(doc) or not doc[after].lower_.endswith("ing"):
        return set()
    found, before = set(), min(gone) - 1
    for words in (("a", "an", "the"), ("with", "of", "in")):
        if before >= 0 and doc[before].lower_ in words:
            found.add(before)
            before -= 1
    return found


def _inside_noun(limb: Any) -> bool:
    """Whether the limb hangs on the subject, or stands between it and its verb."""
    return limb.dep_ in ("relcl", "acl", "appos", "advcl", "prep")


def _tidied(doc: Any, text: str, start: int) -> str:
    """Spaces, commas, articles and the first letter put right after something went."""
    text = " ".join(text.split())
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    text = re.sub(r"[,;:]+([.!?])", r"\1", text)
    text = re.sub(r"^[,;:\s]+", "", text)
    text = re.sub(r"[\s,;:]+$", "", text)
    if start > 0 and doc[start - 1].lower_ in ("a", "an"):
        before = sum(1 for t in doc[: start - 1] if t.lower_ in ("a", "an"))
        articles = list(re.finditer(r"\b[Aa]n? (?=\w)", text))
        if before < len(articles):
            at = articles[before]
            new = with_article(text[at.end() :].split()[0]).split()[0]
            new = new.capitalize() if at[0][0].isupper() else new
            text = text[: at.start()] + new + " " + text[at.end() :]
    if doc.text[:1].isupper():
        text = text[:1].upper() + text[1:]
    return text


def _generalised(text: str, avoid: Sequence[str], *, first: bool = False) -> str | None:
    """`text` with the first mention's main noun made a more general one, in its number, without its adjectives.

    first: only if that is the first noun of the text, which is what a short prompt is about.
    """
    mention = find_mentions(text, avoid)[0]
    doc = parse([text])[0]
    inside = [t for t in doc if t.idx < mention.end and t.idx + len(t) > mention.start]
    nouns = [t for t in inside if t.pos_ in ("NOUN", "PROPN")]
    if not nouns:
        return None
    top = nouns[-1]
    if first and any(t.pos_ in ("NOUN", "PROPN") for t in doc[: nouns[0].i]):
        return None
    word = general_noun(top.lemma_.lower(), avoid)
    if word is None:
        return None
    many = top.tag_ in ("NNS", "NNPS")
    gone = {t.i for t in inside if t.i != top.i}
    out = ""
    for token in doc:
        if token.i == top.i:
            out += (plural(word) if many else word) + token.whitespace_
        elif token.i not in gone:
            out += token.text_with_ws
    out = " ".join(out.split())
    out = re.sub(
        rf"\b[Aa]n? (?={re.escape(word)}\b)", lambda m: _like(m[0], with_article(word).split()[0]) + " ", out
    )
    return _like(doc.text, out)


def _like(model: str, text: str) -> str:
    """`text` with a capital where `model` has one."""
    return text[:1].upper() + text[1:] if model[:1].isupper() else text
