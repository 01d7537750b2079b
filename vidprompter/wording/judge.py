"""How well a candidate keeps its wording before it is mended, for the built-in engine's choice."""

from __future__ import annotations

from collections.abc import Sequence

from vidprompter.facts.check import Problem
from vidprompter.tasks import Wording
from vidprompter.wording.mentions import holds_locked, mentions

_AVOIDED, _LOCKED, _TOO_LONG = 2.0, 1.0, 0.5


def wording_problems(text: str, wording: Wording) -> list[Problem]:
    """What would have to be mended, each with its weight; a text too long for its target by how much it is."""
    found = [Problem("avoided", said, _AVOIDED) for said in mentions(text, wording.avoid)[:3]]
    found += [Problem("locked", p, _LOCKED) for p in wording.locked if not holds_locked(text, p)][:3]
    if wording.target is not None:
        from vidprompter.targets import count_tokens, target

        limit = target(wording.target).token_limit
        over = count_tokens(wording.target, f"{wording.prefix} {text}").tokens / limit - 1
        if over > 0:
            found.append(Problem("target", f"{over:.0%} too long", _TOO_LONG * min(over, 2.0)))
    return found


def wanted(short: str | None, locked: Sequence[str]) -> str | None:
    """The short prompt with the locked phrases it lacks, as a model is told it; None where there is neither."""
    said = (short or "").rstrip(" .,;")
    lacking = [phrase for phrase in locked if not holds_locked(said, phrase)]
    if not lacking:
        return short
    return ", ".join(([said] if said else []) + lacking)
