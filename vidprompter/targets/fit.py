"""Making a text fit its target: whole sentences go, the least telling ones first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vidprompter.errors import GenerationError
from vidprompter.targets.count import count_tokens, fits
from vidprompter.targets.files import target
from vidprompter.targets.profile import Target

_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|$)\s*", re.DOTALL)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|No|vs|approx|ca|e\.g|i\.e|[A-Z])\.)\s*$"
)  # ends no sentence
_CLAUSE = re.compile(r",\s+")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")

# Words that a sentence can have without telling anything that can be seen.
_EMPTY = frozenset(
    "this that these those with from into over under their there where which while about after before being have "
    "scene overall atmosphere mood feeling sense evokes evoking creates creating adding adds captures capturing "
    "conveys conveying suggests suggesting serene peaceful tranquil calm beautiful beauty breathtaking captivating "
    "mesmerizing stunning enchanting harmony timeless moment viewer video clip image picture entire whole very".split()
)
_WORTH_HAVING = 2  # telling words, for a sentence that was dropped to come back


@dataclass(frozen=True)
class _Part:
    """A sentence with the blanks behind it."""

    text: str
    kept: bool

    @property
    def words(self) -> frozenset[str]:
        found = (word.lower() for word in _WORD.findall(self.text))
        return frozenset(word for word in found if len(word) > 3 and word not in _EMPTY)


def fit_text(text: str, name: Target | str, *, keep: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """(text, flags): the text as it is if it fits the target, else without its least telling sentences.

    A sentence that holds the first mention of a phrase of `keep` stays, and so does the first sentence as long as
    that is possible. A single sentence that is too long loses clauses at its end, each from a comma on. flags:
    "shortened:N" when N sentences went, "clauses_cut:N" when N clauses went.

    Raises:
        InputError: No target of that name.
        GenerationError: What must stay does not fit by itself.
    """
    aim = target(name) if isinstance(name, str) else name
    if fits(aim, text):
        return text, ()
    parts = _parts(text, keep)
    left = _dropped(parts, aim)
    flags = [f"shortened:{len(parts) - len(left)}"] if len(left) < len(parts) else []
    short = _joined(parts, left)
    if not fits(aim, short):
        short, cut = _without_clauses(short, aim, keep)
        flags += [f"clauses_cut:{cut}"] if cut else []
    _verify(text, short, aim, keep)
    return short, tuple(flags)


def _parts(text: str, keep: Sequence[str]) -> list[_Part]:
    """The sentences; those that share the first mention of a phrase to keep are marked."""
    spans = [(at, at + len(phrase)) for phrase in keep if phrase and (at := text.find(phrase)) >= 0]
    return [
        _Part(text[begin:stop], any(begin < end and start < stop for start, end in spans))
        for begin, stop in sentence_spans(text)
    ]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where each sentence begins and ends, with the blanks behind it; together they are the whole text."""
    spans: list[tuple[int, int]] = []
    for found in _SENTENCE.finditer(text):
        begin, stop = found.span()
        if spans and _ABBREVIATION.search(text[: spans[-1][1]]):
            begin = spans.pop()[0]
        spans.append((begin, stop))
    return spans


def _dropped(parts: Sequence[_Part], aim: Target) -> list[int]:
    """The numbers of the sentences that stay, in their order."""
    left = list(range(len(parts)))
    gone: list[int] = []
    while len(left) > 1 and not fits(aim, _joined(parts, left)):
        free = [number for number in left if not parts[number].kept]
        later = [number for number in free if number != 0]
        if not free:
            break
        least = min(later or free, key=lambda number: (_worth(parts, left, number), -number))
        left.remove(least)
        gone.append(least)
    for number in reversed(gone):  # a long sentence that went late may have made room for a short one before
        if number and _worth(parts, left, number) >= _WORTH_HAVING:
            more = sorted([*left, number])
            left = more if fits(aim, _joined(parts, more)) else left
    return left


def _worth(parts: Sequence[_Part], left: Sequence[int], number: int) -> int:
    """How many telling words no other sentence that stays has."""
    others = frozenset().union(*(parts[one].words for one in left if one != number))
    return len(parts[number].words - others)


def _joined(parts: Sequence[_Part], left: Sequence[int]) -> str:
    return "".join(parts[number].text for number in left).strip()


def _without_clauses(text: str, aim: Target, keep: Sequence[str]) -> tuple[str, int]:
    """The text without as many clauses at its end as it takes, and their number."""
    stop = text[-1] if text[-1:] in {".", "!", "?"} else ""
    needed = max((text.find(phrase) + len(phrase) for phrase in keep if phrase and phrase in text), default=0)
    commas = [found.start() for found in _CLAUSE.finditer(text)]
    for cut, comma in enumerate(reversed(commas), start=1):
        if comma < needed:
            break
        shorter = text[:comma].rstrip() + stop
        if fits(aim, shorter):
            return shorter, cut
    return text, 0


def _verify(text: str, short: str, aim: Target, keep: Sequence[str]) -> None:
    count = count_tokens(aim, short)
    if count.tokens > aim.token_limit:
        about = "" if count.exact else "up to "
        what = (
            "the phrases to keep need"
            if any(phrase in text for phrase in keep)
            else "its first sentence needs"
        )
        raise GenerationError(
            f"the prompt does not fit {aim.name}: {what} {about}{count.tokens} tokens, and {aim.title} reads "
            f"{aim.token_limit}; lock less, or ask for less"
        )
    if lost := [phrase for phrase in keep if phrase in text and phrase not in short]:
        raise GenerationError(f"shortening for {aim.name} lost {lost[0]!r}; please report this text")
