"""Mending the best candidate: sentences that contradict what is known go, facts that must be said are added.

Every change is reported as a flag, so that a reader knows which sentences are the model's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from vidprompter.facts import phrases
from vidprompter.facts.camera_text import mentions_camera, sentences, shot_claims, states_camera
from vidprompter.facts.check import (
    MIN_SENTENCES,
    MIN_WORDS,
    check,
    is_named,
    repeated_ngram,
    scene_said,
    unsaid_objects,
    words_of,
)
from vidprompter.facts.lexicon import LIGHT_NOUNS, NUMBER_WORDS, STYLE_WORDS
from vidprompter.facts.text_facts import kept_words, parse, place, things
from vidprompter.sheet.lines import ObjectLine, SheetLines, plural

_DROPPED = {"camera", "shot", "light", "color", "count", "gender", "repetition", "unseen", "invented"}
_MIN_DROP_WEIGHT = 0.55
# Below this share of its words kept, an idea is put in front of the prompt as it stands.
_MIN_KEPT = 0.75
_STOCK_WORDS = 5
# Nouns that take no article.
_MASS = frozenset("grass water snow sand food fruit bread furniture clothing hair greenery".split())


@dataclass(frozen=True)
class Mended:
    """The text after repair and what was done: "dropped:camera", "added:camera", "cut:unfinished" ..."""

    text: str
    flags: tuple[str, ...]


def mend(text: str, *, lines: SheetLines | None, short: str | None, finished: bool, rng: Random) -> Mended:
    """`text` without what contradicts the facts, and with camera, light and length as they must be.

    finished: False when generation was cut off; the broken last sentence then goes.
    """
    parts, flags = sentences(text), []
    if parts and (not finished or parts[-1][-1] not in ".!?\"')"):
        if len(parts) > 1:
            parts.pop()
            flags.append("cut:unfinished")
        else:
            parts[-1] = parts[-1].rstrip(" ,;:-") + "."
    parts, dropped = _without_wrong(parts, lines, short)
    flags += dropped
    # "The camera is static." stands in any prompt; a sentence on this clip takes its place below.
    stock = [p for p in parts if len(p.split()) <= _STOCK_WORDS and mentions_camera(p)]
    if stock and len(parts) > len(stock):
        parts = [p for p in parts if p not in stock]
        flags.append("dropped:stock")
    while len(parts) > 2 and repeated_ngram(" ".join(parts)):
        parts.pop()
        flags.append("dropped:repetition")
    parts, added = _complete(parts, lines, short, rng)
    return Mended(" ".join(parts), tuple(dict.fromkeys(flags + added)))


def _without_wrong(
    parts: list[str], lines: SheetLines | None, short: str | None
) -> tuple[list[str], list[str]]:
    """The sentences that may stay, and a flag for each that went."""
    # Problems hold indices into the text they were found in, so all are read before any sentence goes.
    weights: dict[int, float] = {}
    kinds: dict[int, list[str]] = {}
    for problem in check(" ".join(parts), lines=lines, short=short):
        if problem.sentence is None or problem.kind not in _DROPPED:
            continue
        # One wrong fact is enough; of things nobody measured it takes a person, an animal, or several things.
        if problem.kind == "invented" or problem.weight >= _MIN_DROP_WEIGHT:
            weights[problem.sentence] = weights.get(problem.sentence, 0.0) + problem.weight
            kinds.setdefault(problem.sentence, []).append(problem.kind)
    kept, flags = [], []
    for index, part in enumerate(parts):
        named = lines is not None and any(is_named(thing, part) for thing in lines.objects[:1])
        # The first sentence names the subject: it goes only for a false camera, or if it names another subject.
        may_go = index > 0 or "camera" in kinds.get(0, ()) or not named
        if may_go and weights.get(index, 0.0) >= _MIN_DROP_WEIGHT:
            flags.append(f"dropped:{kinds[index][0]}")
        else:
            kept.append(part)
    return kept, flags


def _names(parts: list[str], lines: SheetLines | None, short: str | None) -> dict[str, str]:
    if lines is not None:
        return {"subject": lines.subject, "place": lines.place}
    doc = parse([short or " ".join(parts)])[0]
    seen = things(doc)
    first = [t for t in seen if t.subject][:1] or seen[:1]
    subject = "the subject"
    if first:
        subject = f"the {first[0].noun if first[0].count == 1 else plural(first[0].noun)}"
    return {"subject": subject, "place": f"the {place(doc) or 'scene'}"}


def _complete(
    parts: list[str], lines: SheetLines | None, short: str | None, rng: Random
) -> tuple[list[str], list[str]]:
    """Sentences for what must be said and is not, then for length; with the flags for them."""
    names = _names(parts, lines, short)
    flags: list[str] = []
    parts = list(parts)

    def add(kind: str, sentence: str) -> None:
        parts.append(sentence)
        flags.append(f"added:{kind}")

    text = " ".join(parts)
    if lines is not None:
        unsaid = unsaid_objects(text, lines)[:4]
        if unsaid and unsaid[0] == lines.objects[0] and not is_named(lines.objects[0], text):
            parts.insert(0, _opening(lines))
            flags.append("added:subject")
            unsaid = unsaid[1:]
        if not parts and not lines.objects:
            parts.insert(0, _empty_opening(lines))
            flags.append("added:subject")
        if unsaid:
            add("objects", phrases.objects_sentence(rng, [_phrase(o) for o in unsaid]))
        if lines.scene and not scene_said(text, lines.scene) and lines.scene not in {o.noun for o in unsaid}:
            add("scene", phrases.setting_sentence(rng, lines.scene, subject=names["subject"]))
    elif short is not None and kept_words(text, short) < _MIN_KEPT:
        # The user's own words open the prompt where the model went its own way.
        idea = short.strip().rstrip(".!?,;: ")
        parts.insert(0, f"{idea[:1].upper()}{idea[1:]}.")
        flags.append("added:idea")
    if lines is not None and lines.camera != "unknown" and not states_camera(text, lines.camera):
        shot = lines.shot if not shot_claims(text) else None
        add("camera", phrases.camera_sentence(rng, lines.camera, speed=lines.speed, shot=shot, **names))
    elif lines is not None and lines.camera == "unknown" and lines.shot and not shot_claims(text):
        add("shot", phrases.camera_sentence(rng, "unknown", shot=lines.shot, **names))
    elif lines is None and not mentions_camera(text):
        motion, shot = (
            rng.choice(("static", "zoom in", "handheld", "pan right")),
            rng.choice(("wide shot", "medium shot")),
        )
        add("camera", phrases.camera_sentence(rng, motion, shot=shot, **names))
    for kind, sentence in _fillers(lines, rng, names):
        text = " ".join(parts)
        words = set(words_of(text))
        needed = len(sentences(text)) < MIN_SENTENCES or len(text.split()) < MIN_WORDS
        unspoken = (kind == "light" and not words & LIGHT_NOUNS) or (
            kind == "style" and lines is None and not words & (STYLE_WORDS | LIGHT_NOUNS)
        )
        if needed or unspoken:
            add(kind, sentence)
    return parts, flags


def _phrase(thing: ObjectLine) -> str:
    """The thing as a noun phrase with its number and colour: "three blue bottles", "a bow tie"."""
    color = f"{thing.color} " if thing.color else ""
    if thing.count > 1:
        return f"{NUMBER_WORDS.get(thing.count, 'several')} {color}{plural(thing.noun)}"
    if thing.noun in _MASS or phrases.is_plural(thing.noun):
        return f"{color}{thing.noun}"
    return phrases.article(f"{color}{thing.noun}")


def _opening(lines: SheetLines) -> str:
    """A first sentence that names the main thing where the model did not."""
    lead = _phrase(lines.objects[0])
    where = f" in the {lines.scene}" if lines.scene and lines.scene != lines.objects[0].noun else ""
    verb = "are" if phrases.is_plural(lead) else "is"
    return f"{lead[:1].upper()}{lead[1:]}{where} {verb} the focus of the clip."


def _empty_opening(lines: SheetLines) -> str:
    """A first sentence for a clip in which nothing was recognised."""
    colors = " and ".join(lines.colors[:2]) or "plain"
    if lines.scene:
        what = f"the {lines.scene}" if phrases.is_plural(lines.scene) else phrases.article(lines.scene)
        return f"The clip shows {what} in {colors} tones."
    return f"Broad areas of {colors} fill the frame, and no single object stands out."


def _fillers(lines: SheetLines | None, rng: Random, names: dict[str, str]) -> list[tuple[str, str]]:
    """Sentences that may be added, the most telling first; all true of what is known."""
    if lines is None:
        return [
            ("light", phrases.light_sentence(rng, "soft", "neutral", "medium", **names)),
            ("style", phrases.style_sentence(rng, rng.choice(phrases.STYLES), **names)),
        ]
    fillers = []
    if lines.light:
        fillers.append(
            ("light", phrases.light_sentence(rng, lines.light, lines.temperature, lines.contrast, **names))
        )
    if lines.objects and lines.objects[0].motion:
        fillers.append(("motion", phrases.motion_sentence(rng, lines.objects[0].motion, **names)))
    elif lines.objects and lines.objects[0].position:
        position = phrases.position_sentence(rng, lines.objects[0].position, **names)
        fillers.append(("position", position))
    if lines.colors or lines.monochrome:
        palette = phrases.palette_sentence(rng, lines.colors, monochrome=lines.monochrome, **names)
        fillers.append(("palette", palette))
    fillers.append(
        ("style", phrases.style_sentence(rng, rng.choice(("naturalistic", "documentary")), **names))
    )
    return fillers
