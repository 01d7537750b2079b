"""Whether the wording that was asked for can be kept at all, said before anything is loaded."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from vidprompter.errors import InputError
from vidprompter.tasks import Wording
from vidprompter.wording.instructions import language_name
from vidprompter.wording.mentions import FUNCTION_WORDS, find_mentions

MAX_LOCKED, MAX_LOCKED_LETTERS = 20, 200
MAX_AVOID, MAX_AVOID_LETTERS = 200, 60
MAX_PREFIX_LETTERS = 200


def checked(wording: Wording) -> Wording:
    """The same wording with spaces put right and each phrase once.

    Raises:
        InputError: a phrase is empty, too long, holds a line break or other control character, or is both locked (or
            part of the prefix) and avoided; there are too many; the language or target is unknown.
    """
    locked = _phrases("locked", wording.locked, MAX_LOCKED, MAX_LOCKED_LETTERS)
    avoid = _phrases("avoided", wording.avoid, MAX_AVOID, MAX_AVOID_LETTERS)
    prefix = _tidy("prefix", wording.prefix, MAX_PREFIX_LETTERS) if wording.prefix.strip() else ""
    language = wording.language
    if language is not None:
        language_name(language)
        language = language.strip().lower()
    if wording.target is not None:
        from vidprompter.targets import target

        target(wording.target)
    for word in avoid:
        if all(part in FUNCTION_WORDS for part in re.findall(r"\w+", word.casefold())):
            raise InputError(f"avoided {word!r} is a word that no sentence can do without; leave it out")
    _no_conflict(locked, avoid, prefix)
    return replace(wording, locked=locked, avoid=avoid, prefix=prefix, language=language)


def _phrases(kind: str, given: tuple[str, ...], most: int, letters: int) -> tuple[str, ...]:
    tidy = tuple(dict.fromkeys(_tidy(kind, phrase, letters) for phrase in given))
    if len(tidy) > most:
        raise InputError(f"{len(tidy)} {kind} phrases are too many; the limit is {most}, leave some out")
    return tidy


def _tidy(kind: str, phrase: str, letters: int) -> str:
    for char in phrase:
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
            what = (
                "a line break" if char in "\n\r\u2028\u2029" else f"the control character U+{ord(char):04X}"
            )
            raise InputError(f"{kind} {phrase!r} holds {what}; give it on one line, in plain text")
    phrase = " ".join(phrase.split())
    if not phrase:
        raise InputError(f"a {kind} phrase is empty; give at least one word")
    if kind != "prefix" and not any(char.isalnum() for char in phrase):
        raise InputError(f"{kind} {phrase!r} holds no letter or digit; give at least one word")
    if len(phrase) > letters:
        raise InputError(
            f"{kind} {phrase[:40] + '...'!r} has {len(phrase)} characters; the limit is {letters}, shorten it"
        )
    return phrase


def _no_conflict(locked: tuple[str, ...], avoid: tuple[str, ...], prefix: str) -> None:
    kept = [("locked", phrase) for phrase in locked] + [("prefix", prefix)] * bool(prefix)
    for kind, phrase in kept:
        if found := find_mentions(phrase, avoid):
            first = found[0]
            said = "" if first.said == first.avoided else f" ({first.said!r} is a form of it)"
            raise InputError(
                f"{kind} {phrase!r} and avoided {first.avoided!r} cannot both be kept{said}; leave one of them out"
            )
    # The other way round: the locked "red" would be lost with every avoided "red hair", but may stand elsewhere.
