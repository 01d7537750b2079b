"""Words that the built-in model must not draw: what the measured camera rules out, unmeasured gender, avoided words."""

from __future__ import annotations

from collections.abc import Iterator

from vidprompter.facts.check import gender_known, words_of
from vidprompter.facts.lexicon import GENDERED
from vidprompter.sheet.lines import UNTRAINED, SheetLines
from vidprompter.tasks import Wording
from vidprompter.wording.bans import written_forms

# Words a measured camera rules out; their tokens are never drawn, so that the model says the rest differently.
_CAMERA_WORDS = {
    "static": "pan pans panning tilt tilts tilting zoom zooms zooming handheld tracking",
    "pan left": "zoom zooms zooming tilt tilts tilting handheld static",
    "pan right": "zoom zooms zooming tilt tilts tilting handheld static",
    "tilt up": "zoom zooms zooming pan pans panning handheld static",
    "tilt down": "zoom zooms zooming pan pans panning handheld static",
    "zoom in": "pan pans panning tilt tilts tilting handheld static",
    "zoom out": "pan pans panning tilt tilts tilting handheld static",
    "roll": "pan pans panning zoom zooms zooming handheld static",
    "handheld": "pan pans panning tilt tilts tilting zoom zooms zooming static",
    "unknown": "pan pans panning tilt tilts tilting zoom zooms zooming handheld static tracking",
}


def banned_forms(lines: SheetLines | None, short: str | None, wording: Wording) -> Iterator[str]:
    """The words in all forms in which they could be written; words of locked phrases are not among them."""
    words: set[str] = set()
    if lines is not None:
        told = "unknown" if lines.camera in UNTRAINED else lines.camera
        words = set(_CAMERA_WORDS[told].split())
        if told == "unknown":
            words |= {"camera", "lens"}
        if not gender_known(lines, short):
            words |= GENDERED
    words -= set(words_of(" ".join(wording.locked)))
    for word in sorted(words):
        yield from (word, word.capitalize())
    yield from written_forms(wording.avoid, wording.locked)
