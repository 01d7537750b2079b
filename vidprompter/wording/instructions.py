"""What is asked of the wording, in words for a model that follows instructions."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files

from vidprompter.errors import InputError
from vidprompter.tasks import Wording

_MIN_WORDS = 15


@cache
def _languages() -> dict[str, str]:
    text = files("vidprompter").joinpath("data/languages.tsv").read_text(encoding="utf-8")
    rows = (line.partition("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {code: name for code, _, name in rows}


def language_name(code: str) -> str:
    """The English name of a language by its ISO 639-1 code: "de" gives "German".

    Raises:
        InputError: no such code.
    """
    languages = _languages()
    name = languages.get(code.strip().lower())
    if name is None:
        by_name = {name.lower(): code for code, name in languages.items()}
        near = difflib.get_close_matches(code.strip().lower(), by_name, n=1, cutoff=0.8)
        hint = f"; {by_name[near[0]]!r} is {near[0].capitalize()}" if near else ""
        raise InputError(
            f"language {code!r} is unknown; give a two-letter ISO 639-1 code, such as 'en', 'de' or 'zh'{hint}"
        )
    return name


def word_limit(wording: Wording) -> int | None:
    """About how many words of text fit the target's token limit beside the prefix; None without a limit.

    Raises:
        InputError: no such target.
    """
    if wording.target is None:
        return None
    from vidprompter.targets import target

    return max(_MIN_WORDS, target(wording.target).max_words - 2 * len(wording.prefix.split()))


def instructions(wording: Wording, *, short: str | None = None) -> str:
    """Text to put after the instruction of a big model, one line for each thing asked; "" where nothing is.

    short: the request's short prompt; where it holds avoided words itself, the model is told that they go too.

    Raises:
        InputError: no such language or target.
    """
    lines = []
    if wording.locked:
        lines.append(
            "Use each of these phrases once, letter for letter, inside your sentences: "
            + _quoted(wording.locked)
        )
    if wording.avoid:
        also = " This holds for words of the short prompt as well." if short else ""
        lines.append(
            f"Do not mention any of these, in no form and no synonym: {_quoted(wording.avoid)}{also}"
        )
    if (limit := word_limit(wording)) is not None:
        lines.append(f"Write about {limit} words at most.{_phrasing(wording.target)}")
    if wording.language is not None:
        lines.append(f"Write in {language_name(wording.language)}.")
    return "\n".join(lines)


def _phrasing(name: str | None) -> str:
    """How the target likes to be told, where its profile says so."""
    from vidprompter.targets import target

    phrasing = target(name).phrasing if name is not None else ""
    return f" {phrasing}" if phrasing else ""


def _quoted(phrases: tuple[str, ...]) -> str:
    return "; ".join(f'"{phrase}"' for phrase in phrases) + "."
