"""What is known of a clip, or asked in a short prompt, without what must not be said: models say what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vidprompter.facts.camera_text import camera_claims
from vidprompter.sheet.lines import ObjectLine, SheetLines
from vidprompter.wording.mentions import mentions

_MOVEMENTS = frozenset(
    {"static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "roll", "handheld"}
)
# "the {noun}": words that may be avoided themselves, tried in this order for a thing that must not be named.
_UNNAMED = ("subject", "figure", "thing")


def allowed_lines(lines: SheetLines, avoid: Sequence[str]) -> SheetLines:
    """`lines` without facts that mention `avoid`; the main thing keeps its place under a more general name."""
    if not mentions(lines.render(), avoid):
        return lines

    def may(text: str | None) -> str | None:
        return None if text is None or mentions(text, avoid) else text

    objects = [_allowed(thing, avoid, main=i == 0) for i, thing in enumerate(lines.objects)]
    return replace(
        lines,
        objects=tuple(thing for thing in objects if thing is not None),
        scene=may(lines.scene),
        shot=may(lines.shot),
        light=may(lines.light),
        temperature=may(lines.temperature),
        contrast=may(lines.contrast),
        colors=tuple(color for color in lines.colors if may(color)),
        monochrome=lines.monochrome and not mentions("black and white", avoid),
    )


def _allowed(thing: ObjectLine, avoid: Sequence[str], *, main: bool) -> ObjectLine | None:
    noun = thing.noun
    if mentions(noun, avoid):
        from vidprompter.wording.reword import general_noun

        general = general_noun(noun, avoid)
        if general is None and main:
            general = next((word for word in _UNNAMED if not mentions(word, avoid)), None)
        if general is None or (not main and general == "object"):
            return None
        noun = general
    color, position, motion = (
        None if text is None or mentions(text, avoid) else text
        for text in (thing.color, thing.position, thing.motion)
    )
    if color is not None and mentions(f"{color} {noun}", avoid):
        color = None
    return replace(thing, noun=noun, color=color, position=position, motion=motion)


def locked_camera(locked: Sequence[str]) -> str | None:
    """The one camera movement, in the sheet's words, that locked phrases state; None for none or several."""
    stated = set().union(*(camera_claims(phrase) for phrase in locked)) & _MOVEMENTS
    return stated.pop() if len(stated) == 1 else None


def allowed_short(short: str | None, avoid: Sequence[str]) -> str | None:
    """`short` without what it mentions of `avoid`, the rest as it was; None where nothing is left to say."""
    if short is None or not mentions(short, avoid):
        return short
    from vidprompter.wording.reword import idea_without

    return idea_without(short, avoid)
