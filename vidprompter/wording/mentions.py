"""Where a text mentions what it must not, and whether it holds a phrase letter for letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise, product

from vidprompter.wording.inflections import fold, inflections

# A word may hold an apostrophe ("don't"); hyphens and underscores part words, so that "blue-eyed" holds "blue".
_WORD = re.compile(r"[^\W_]+(?:['\u2019\u02bc][^\W_]+)*")
# Scripts written without spaces between words: there a mention is wherever the letters stand.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# Words that say nothing alone: "a hat on the table" is as much a mention of "hat on table".
FUNCTION_WORDS = frozenset(
    "a an the of in on at to for from by with and or but as is are be it its this that these those there here not no he she "
    "they we i you his her their him them".split()
)
# Words that may stand between those of an avoided phrase: "red, curly hair", "hair of a deep red".
_MAX_BETWEEN = 3
_BREAK = re.compile(r"[.!?;:\n]")


@dataclass(frozen=True)
class Mention:
    """A place in a text that mentions an avoided phrase. start, end: characters of the text."""

    avoided: str
    said: str
    start: int
    end: int


@dataclass(frozen=True)
class _Word:
    text: str  # folded, without the possessive
    start: int
    end: int


def _words(text: str) -> list[_Word]:
    found = []
    for match in _WORD.finditer(text):
        word = fold(match[0])
        found.append(_Word(word.removesuffix("'s").removesuffix("'"), match.start(), match.end()))
    return found


@dataclass(frozen=True)
class _Pattern:
    """An avoided phrase ready to be looked for: a set of forms for each word that counts, and as one word."""

    phrase: str
    slots: tuple[frozenset[str], ...]
    joined: frozenset[str]
    letters: str | None  # of a script without spaces


@lru_cache(maxsize=512)
def _pattern(phrase: str) -> _Pattern:
    if _UNSPACED.search(phrase):
        return _Pattern(phrase, (), frozenset(), fold(phrase))
    words = [word.text for word in _words(phrase)]
    telling = [word for word in words if word not in FUNCTION_WORDS] or words
    joined = inflections("".join(words)) if len(words) in (2, 3) else frozenset()
    return _Pattern(phrase, tuple(inflections(word) for word in telling), joined, None)


def find_mentions(text: str, avoid: Sequence[str]) -> list[Mention]:
    """Every mention of an avoided word or phrase in any inflection, in the order of the text.

    The words of a phrase count in any order with up to three words between them: "hair of deep red" mentions "red
    hair". Parts of hyphenated words count as words, and "sun glasses" is "sunglasses".
    """
    if not avoid:
        return []
    words = _words(text)
    found = [mention for phrase in avoid for mention in _found(text, words, _pattern(phrase))]
    return sorted(found, key=lambda mention: (mention.start, mention.end))


def mentions(text: str, avoid: Sequence[str]) -> list[str]:
    """What `text` mentions of `avoid`, as it stands in the text, each once; empty where all is well."""
    return list(dict.fromkeys(mention.said for mention in find_mentions(text, avoid)))


def _found(text: str, words: Sequence[_Word], pattern: _Pattern) -> list[Mention]:
    def mention(start: int, end: int) -> Mention:
        return Mention(pattern.phrase, text[start:end], start, end)

    if pattern.letters is not None:
        # Folding may change lengths outside Latin; the place is then that of the whole text.
        at = [m.start() for m in re.finditer(re.escape(pattern.letters), fold(text))]
        size = len(pattern.letters)
        return [mention(i, i + size) if len(fold(text)) == len(text) else mention(0, len(text)) for i in at]
    if not pattern.slots:
        return []
    if len(pattern.slots) == 1:
        hits = [mention(word.start, word.end) for word in words if word.text in pattern.slots[0]]
        for one, two in pairwise(words):
            if two.start - one.end == 1 and one.text + two.text in pattern.slots[0]:
                hits.append(mention(one.start, two.end))
        return hits
    hits = [mention(word.start, word.end) for word in words if word.text in pattern.joined]
    return hits + [mention(*place) for place in _near(text, words, pattern.slots)]


def _near(text: str, words: Sequence[_Word], slots: Sequence[frozenset[str]]) -> list[tuple[int, int]]:
    """Stretches where each slot has a word of its own, none further than `_MAX_BETWEEN` words from the next."""
    places = [[i for i, word in enumerate(words) if word.text in slot] for slot in slots]
    if not all(places):
        return []
    found = set()
    for order in _choices(places):
        gaps = (b - a - 1 for a, b in pairwise(order))
        start, end = words[order[0]].start, words[order[-1]].end
        if max(gaps) <= _MAX_BETWEEN and not _BREAK.search(text[start:end]):
            found.add((start, end))
    return sorted(found)


def _choices(places: Sequence[Sequence[int]]) -> list[list[int]]:
    """One place of each slot, ascending: in any order for up to three slots, in the phrase's own for more."""
    if len(places) <= 3:
        chosen = (sorted(set(one)) for one in product(*(place[:20] for place in places)))
        return [order for order in chosen if len(order) == len(places)]
    runs = {i: [i] for i in places[0]}  # by the last word: one run to each is enough
    for place in places[1:]:
        runs = {i: [*run, i] for last, run in runs.items() for i in place if 0 < i - last <= _MAX_BETWEEN + 1}
    return list(runs.values())


def holds_locked(text: str, phrase: str) -> bool:
    """Whether `phrase` stands in `text` letter for letter, as words of its own: "art" does not stand in "start"."""
    return locked_at(text, phrase) is not None


def locked_at(text: str, phrase: str) -> int | None:
    """Where `phrase` first stands in `text` (see `holds_locked`), in characters; None where it does not."""
    match = _exactly(phrase).search(text)
    return match.start() if match else None


@cache
def _exactly(phrase: str) -> re.Pattern[str]:
    def edge(char: str, look: str) -> str:
        return look if re.match(r"\w", char) and not _UNSPACED.match(char) else ""

    return re.compile(edge(phrase[0], r"(?<!\w)") + re.escape(phrase) + edge(phrase[-1], r"(?!\w)"))
