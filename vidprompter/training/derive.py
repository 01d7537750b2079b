"""Supervised examples without video-text pairs: facts are read out of a long prompt, then the way back is learnt.

From each (short, long) pair come a sheet -> long example (task 1, or task 2 with the short prompt beside it) and
a short -> long example (task 3). The facts are made to look measured: some are dropped, fine names are blurred
("corgi" -> "dog"), and sentences that none of the kept facts supports mostly go. Text corpora hardly speak of
camera, shot and light, so these are written into both sides from `vidprompter.facts.phrases`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from vidprompter.engines.prompting import context
from vidprompter.facts import phrases
from vidprompter.facts.camera_text import mentions_camera
from vidprompter.facts.camera_text import sentences as split_sentences
from vidprompter.facts.lexicon import COLORS, LIGHT_LEVEL, LIGHT_NOUNS, LIGHT_TEMPERATURE, STYLE_WORDS, UNSEEN
from vidprompter.facts.text_facts import Thing, content_words, noun_kinds, parse, place, things
from vidprompter.sheet.lines import ObjectLine, SheetLines, plural
from vidprompter.sheet.types import SHOT_SIZES
from vidprompter.tasks import Task

# At most so many things in one target, as on a measured sheet; and the share of them that its sheet leaves out.
MAX_THINGS = 6
DROP_RATE = 0.06
_MOTIONS = (
    "static",
    "pan left",
    "pan right",
    "tilt up",
    "tilt down",
    "zoom in",
    "zoom out",
    "roll",
    "handheld",
)
_MOTION_WEIGHTS = (8, 3, 3, 2, 2, 3, 2, 1, 3)
_VEHICLES = frozenset("car truck bus boat ship train bicycle motorcycle airplane van taxi tram".split())
_OBJECT_MOTIONS = (
    "moving left", "moving right", "toward the camera", "away from the camera", "moving", "moving", "still", "still",
)  # fmt: skip
_SHOTS = tuple(s for s in SHOT_SIZES if s != "unknown")
_CAMERA_IDEA = re.compile(
    r"\b(?:pan|pans|tilt|zoom|view|shot|focus|orbits?|aerial|frozen)\b|still frame", re.I
)
_WORD = re.compile(r"[a-z][a-z-]*")
_CAPTION_START = re.compile(
    r"^(?:(?:in|with) (?:a|an) (?:still frame|close-?up(?: shot)?|[\w -]*shot)[^,]*, |"
    r"(?:a|an|the) (?:[\w-]+ ){0,3}(?:video|shot|view|close-?up|footage|scene) (?:of|showing|featuring) )",
    re.I,
)


@dataclass(frozen=True)
class Example:
    """One supervised example: what the model reads, and what it should write."""

    task: Task
    context: str
    target: str


@dataclass(frozen=True)
class _Light:
    level: str | None
    temperature: str | None


def derive(pairs: Sequence[tuple[str, str]], *, seed: int = 0) -> Iterator[tuple[Example, ...]]:
    """For each (short, long) pair its examples: at most one of task 1 or 2, at most one of task 3.

    A pair whose long prompt is too short, or drops most of the short one, gives fewer or none.
    """
    docs = parse(long for _, long in pairs)
    shorts = parse(short for short, _ in pairs)
    for index, ((short, _), doc, short_doc) in enumerate(zip(pairs, docs, shorts, strict=True)):
        rng = Random(f"{seed}/{index}/{short}")
        made = (_sheet_example(doc, short, rng), _idea_example(doc, short_doc, short, rng))
        yield tuple(e for e in made if e is not None)


def _visible_sentences(doc: Any) -> list[str]:
    """Sentences without camera talk and without what no camera sees."""
    kept = []
    for sentence in doc.sents:
        text = _CAPTION_START.sub("", " ".join(sentence.text.split()))
        if not text or text[-1] not in ".!?" or mentions_camera(text):
            continue
        if UNSEEN & set(_WORD.findall(text.lower())):
            continue
        kept.append(text[0].upper() + text[1:])
    return kept


def _blurred(thing: Thing, rng: Random) -> str:
    basic = noun_kinds()[thing.noun].basic
    return basic if basic and rng.random() < 0.5 else thing.noun


def _light(text: str) -> _Light:
    """The light a text states; None where it states none or two that differ."""
    levels, temperatures = set(), set()
    for sentence in re.split(r"(?<=[.!?])\s+", text.lower()):
        words = set(_WORD.findall(sentence))
        if words & LIGHT_NOUNS:
            levels |= {LIGHT_LEVEL[w] for w in words if w in LIGHT_LEVEL}
            temperatures |= {LIGHT_TEMPERATURE[w] for w in words if w in LIGHT_TEMPERATURE}
    return _Light(
        levels.pop() if len(levels) == 1 else None, temperatures.pop() if len(temperatures) == 1 else None
    )


def _object_lines(kept: Sequence[Thing], rng: Random) -> tuple[ObjectLine, ...]:
    lines = []
    for thing in kept:
        count = thing.count or rng.choice((2, 2, 3, 3, 4, 5))
        position = rng.choice(("left", "right", "center", "center")) if rng.random() < 0.5 else None
        color = thing.color if rng.random() < 0.85 else None
        lines.append(ObjectLine(_blurred(thing, rng), count, color, position))
    return tuple(lines)


def _sheet_example(doc: Any, short: str, rng: Random) -> Example | None:
    """Sheet (and sometimes the short prompt) -> long."""
    sentences = _visible_sentences(doc)
    if not sentences:
        return None
    body = _body(sentences, rng)
    text = " ".join(body)
    # The things are read from what is left, so that the sheet names what the target names: a model that is shown
    # targets full of things its sheet does not list learns to invent.
    seen = things(parse([text])[0])
    if not seen or len(seen) > MAX_THINGS:
        return None
    main = next((t for t in seen if t.subject and t.sentence == 0), seen[0])
    kept = [main, *(t for t in seen if t is not main and rng.random() > DROP_RATE)]
    setting = place(doc) if rng.random() < 0.9 else None
    if setting and setting not in text.lower():
        setting = None
    lines, extra = _measured_part(text, kept, setting, rng, wanted=len(body))
    target = _assemble(body, extra, rng)
    if len(split_sentences(target)) < 4 or not 50 <= len(target.split()) <= 190:
        return None
    if rng.random() < 0.35:
        user = context(Task.VIDEO_AND_SHORT_TO_PROMPT, lines=lines.render(), short=short)
        return Example(Task.VIDEO_AND_SHORT_TO_PROMPT, user, target)
    return Example(Task.VIDEO_TO_PROMPT, context(Task.VIDEO_TO_PROMPT, lines=lines.render()), target)


def _body(sentences: list[str], rng: Random) -> list[str]:
    """The first sentence and up to three others, in their order."""
    count = rng.choices((1, 2, 3, 4), (5, 5, 3, 1))[0]
    rest = list(range(1, len(sentences)))
    chosen = sorted(rng.sample(rest, min(len(rest), count - 1)))
    return [sentences[0], *(sentences[i] for i in chosen)]


def _measured_part(
    text: str, kept: Sequence[Thing], setting: str | None, rng: Random, *, wanted: int
) -> tuple[SheetLines, list[str]]:
    """Facts a corpus hardly states, drawn, with the sentences that state them; more where the body is short.

    wanted: sentences of the body.
    """
    often = {1: 0.8, 2: 0.5}.get(wanted, 0.3)
    objects = _object_lines(kept, rng)
    light = _light(text)
    motion = rng.choices(_MOTIONS, _MOTION_WEIGHTS)[0] if rng.random() < 0.88 else "unknown"
    shot = rng.choice(_SHOTS) if rng.random() < 0.75 or motion == "unknown" else None
    speed = rng.choice(("slow", "slow", "steady", "fast"))
    contrast = rng.choice(("low", "medium", "high")) if rng.random() < 0.6 else None
    named = dict.fromkeys(w for w in _WORD.findall(text.lower()) if w in COLORS)
    colors = tuple(list(named)[:4])
    extra = []
    moving = objects[0].motion
    if kept[0].kind in ("animal", "person") and rng.random() < 0.35:
        moving = rng.choice(
            ("moving left", "moving right", "toward the camera", "away from the camera", "moving")
        )
        objects = (ObjectLine(objects[0].noun, objects[0].count, objects[0].color, objects[0].position, moving),
                   *objects[1:])  # fmt: skip
    gray = not colors and rng.random() < 0.25
    lines = SheetLines(
        objects, setting, motion, speed, shot, light.level, light.temperature, contrast, colors, gray
    )
    names = {"subject": _subject(kept[0]), "place": lines.place}
    if moving:
        extra.append(phrases.motion_sentence(rng, moving, **names))
    if light.level is None:
        level = rng.choice(("dark", "dim", "soft", "soft", "bright", "bright"))
        temperature = light.temperature or rng.choice(("warm", "cool", "neutral", "neutral"))
        if rng.random() < 0.85:
            lines = _with_light(lines, level, temperature)
            extra.append(phrases.light_sentence(rng, level, temperature, contrast, **names))
    extra.append(phrases.camera_sentence(rng, motion, speed=speed, shot=shot, **names))
    if objects[0].position and not moving and rng.random() < often:
        extra.append(phrases.position_sentence(rng, objects[0].position, **names))
    if gray or (colors and rng.random() < often):
        extra.append(phrases.palette_sentence(rng, colors, monochrome=gray, **names))
    elif colors and rng.random() < 0.4:
        # A measured palette names more colours than a text would; not every one has to be said.
        more = rng.sample(("gray", "brown", "black", "white", "beige", "blue", "green"), rng.randint(1, 2))
        lines = replace(lines, colors=tuple(dict.fromkeys((*colors, *more)))[:4])
    if rng.random() < often and not STYLE_WORDS & set(_WORD.findall(text.lower())):
        extra.append(phrases.style_sentence(rng, rng.choice(phrases.STYLES), **names))
    return lines, extra


def _subject(thing: Thing) -> str:
    return f"the {thing.noun if thing.count == 1 else plural(thing.noun)}"


def _with_light(lines: SheetLines, level: str, temperature: str) -> SheetLines:
    return replace(lines, light=level, temperature=temperature)


def _assemble(body: list[str], extra: list[str], rng: Random) -> str:
    """Body first; drawn sentences after it, the camera sometimes in the middle. Order within each part stays."""
    body = list(body)
    rest = []
    for sentence in extra:
        if rng.random() < 0.2 and len(body) > 1:
            body.insert(rng.randint(1, len(body)), sentence)
        else:
            rest.append(sentence)
    rng.shuffle(rest)
    return " ".join(body + rest)


def _idea_example(doc: Any, short_doc: Any, short: str, rng: Random) -> Example | None:
    """Short -> long, with camera, light and style always said."""
    sentences = _visible_sentences(doc)
    wanted = set(content_words(short_doc))
    text = " ".join(sentences)
    told = {t.lemma_.lower() for t in doc}
    if len(sentences) < 2 or not wanted or len(wanted & told) < 0.6 * len(wanted):
        return None
    # Camera words of the idea itself ("zoom in on ...") stay true: then the long prompt's own sentences are kept.
    if mentions_camera(short) or _CAMERA_IDEA.search(short):
        sentences = [
            " ".join(s.text.split()) for s in doc.sents if not UNSEEN & set(_WORD.findall(s.text.lower()))
        ]
        text = " ".join(sentences)
        if not mentions_camera(text):
            return None
        extra = []
    else:
        extra = _imagined_camera(short_doc, doc, rng)
    words = set(_WORD.findall(text.lower()))
    names = _names(short_doc, doc)
    if not words & LIGHT_NOUNS:
        extra.append(phrases.light_sentence(
            rng, rng.choice(("soft", "soft", "bright", "dim")), rng.choice(("warm", "cool", "neutral")),
            rng.choice((None, "low", "medium", "high")), **names))  # fmt: skip
    if not words & STYLE_WORDS:
        extra.append(phrases.style_sentence(rng, rng.choice(phrases.STYLES), **names))
    target = _assemble(sentences[:6], extra, rng)
    if len(split_sentences(target)) < 4 or not 50 <= len(target.split()) <= 190:
        return None
    return Example(Task.SHORT_TO_PROMPT, context(Task.SHORT_TO_PROMPT, short=short), target)


def _names(short_doc: Any, doc: Any) -> dict[str, str]:
    found = things(short_doc)
    first = [t for t in found if t.subject][:1] or found[:1]
    setting = place(doc)
    return {"subject": _subject(first[0]) if first else "the subject", "place": f"the {setting or 'scene'}"}


def _imagined_camera(short_doc: Any, doc: Any, rng: Random) -> list[str]:
    motion = rng.choices(_MOTIONS, _MOTION_WEIGHTS)[0]
    shot = rng.choice(_SHOTS[1:]) if rng.random() < 0.6 else None
    speed = rng.choice(("slow", "slow", "steady"))
    return [phrases.camera_sentence(rng, motion, speed=speed, shot=shot, **_names(short_doc, doc))]
