"""How well a candidate keeps its wording before it is mended, for the built-in engine's choice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from vidprompter.facts.camera_text import camera_contradictions, sentences
from vidprompter.facts.check import Problem
from vidprompter.facts.text_facts import noun_kinds
from vidprompter.tasks import Wording
from vidprompter.wording.inflections import inflections
from vidprompter.wording.known import locked_camera
from vidprompter.wording.mentions import holds_locked, mentions

_AVOIDED, _LOCKED, _TOO_LONG = 2.0, 1.0, 0.5


def wording_problems(text: str, wording: Wording) -> list[Problem]:
    """What would have to be mended, each with its weight; a text too long for its target by how much it is."""
    found = [Problem("avoided", said, _AVOIDED) for said in mentions(text, wording.avoid)[:3]]
    found += [Problem("locked", p, _LOCKED) for p in wording.locked if not holds_locked(text, p)][:3]
    found += [Problem("misspelt", word, _AVOIDED) for word in near_misses(text, wording.avoid)[:2]]
    if (camera := locked_camera(wording.locked)) is not None:
        found += [Problem("camera", word, _LOCKED) for word in sorted(camera_contradictions(text, camera))]
    if wording.target is not None:
        from vidprompter.targets import count_tokens, target

        limit = target(wording.target).token_limit
        over = count_tokens(wording.target, f"{wording.prefix} {text}").tokens / limit - 1
        if over > 0:
            found.append(Problem("target", f"{over:.0%} too long", _TOO_LONG * min(over, 2.0)))
    return found


def without_false_camera(text: str, locked: Sequence[str]) -> str:
    """`text` without sentences that state another camera movement than a locked phrase does."""
    camera = locked_camera(locked)
    if camera is None or not camera_contradictions(text, camera):
        return text
    parts = sentences(text)
    return " ".join(
        part
        for i, part in enumerate(parts)
        if i == 0 or not camera_contradictions(part, camera) or any(holds_locked(part, p) for p in locked)
    )


def near_misses(text: str, avoid: Sequence[str]) -> list[str]:
    """Words that look like an avoided one misspelt, as a small model writes that may not draw it: "zoots"."""
    forms = {form for word in avoid if re.fullmatch(r"[A-Za-z]{4,}", word) for form in inflections(word)}
    found = []
    for word in dict.fromkeys(re.findall(r"[a-z]{4,}", text.lower())):
        starts = {form for form in forms if form[:3] == word[:3] and abs(len(form) - len(word)) <= 2}
        if starts - {word} and word not in forms and word not in _spelt_words():
            found += [word] if difflib.get_close_matches(word, starts, n=1, cutoff=0.7) else []
    return found


@cache
def _spelt_words() -> frozenset[str]:
    """Words known to be spelt right: of usual prompts, and things that can be seen."""
    text = files("vidprompter").joinpath("data/token_counts.tsv").read_text(encoding="utf-8")
    usual = (line.split("\t")[0].lower() for line in text.splitlines() if not line.startswith("#"))
    return frozenset(usual) | frozenset(noun_kinds())


def wanted(short: str | None, locked: Sequence[str]) -> str | None:
    """The short prompt with the locked phrases it lacks, as a model is told it; None where there is neither."""
    said = (short or "").rstrip(" .,;")
    lacking = [phrase for phrase in locked if not holds_locked(said, phrase)]
    if not lacking:
        return short
    return ", ".join(([said] if said else []) + lacking)
