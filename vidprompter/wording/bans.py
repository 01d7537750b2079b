"""The written forms of avoided words, for engines that can keep tokens from being drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

from vidprompter.wording.inflections import inflections

# Of phrases of several words; more than this comes of long ones alone, whose texts are checked afterwards anyhow.
_MAX_FORMS = 120


def written_forms(avoid: Sequence[str], keep: Sequence[str] = ()) -> list[str]:
    """Texts that must not be written, in lower case and capitalised, without those that a phrase of `keep` needs.

    The forms of words in a row; other orders ("hair of red") are for the check afterwards.
    """
    needed = {word.casefold() for phrase in keep for word in re.findall(r"\w+", phrase)}
    forms: dict[str, None] = {}
    for phrase in avoid:
        words = re.findall(r"[^\W_]+(?:'[^\W_]+)*", phrase)
        slots = [_forms(word) for word in words]
        for count, chosen in enumerate(product(*slots)):
            if count >= _MAX_FORMS:
                break
            for glue in (" ", "-") if len(chosen) > 1 else ("",):
                text = glue.join(chosen)
                if not (len(chosen) == 1 and text in needed):
                    forms |= {text: None, text.capitalize(): None}
        forms |= {phrase: None}
    return list(forms)


def _forms(word: str) -> list[str]:
    """The forms of a word, itself first."""
    return list(dict.fromkeys([word.casefold(), *sorted(inflections(word))]))
