"""Mending the best candidate: sentences that contradict what is known go, facts that must be said are added.

Every change is reported as a flag, so that a reader knows which sentences are the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from vidprompter.facts import phrases
from vidprompter.facts.camera_text import (
    camera_claims,
    mentions_camera,
    sentences,
    shot_claims,
    states_camera,
)
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
from vidprompter.facts.lexicon import COLORS, LIGHT_NOUNS, NUMBER_WORDS, STYLE_WORDS
from vidprompter.facts.text_facts import kept_words, parse, place, things
from vidprompter.sheet.lines import ObjectLine, SheetLines, plural

_DROPPED = {"camera", "shot", "light", "color", "count", "gender", "repetition", "unseen", "invented"}
_MIN_DROP_WEIGHT = 0.55
# Below this share of its words kept, an idea is put in front of the prompt as it stands.
_MIN_KEPT = 0.75
_STOCK_WORDS = 5
# So often a sentence is written anew while it says what is refused.
_MAX_PHRASINGS = 8
# A habit of one rewriter behind the training text; a filmed clip is not concept art.
_ART_PREFIX = re.compile(r"^(?:CG|3D)[\w ]* art(?: style)?, ", re.I)
_SHORT_WORDS = 11
# A first sentence this wrong is written anew, though it names the subject.
_MAX_FIRST_WEIGHT = 0.65
_PEOPLE = frozenset({"person", "man", "woman", "child", "boy", "girl"})
# Nouns that take no article.
_MASS = frozenset("grass water snow sand food fruit bread furniture clothing hair greenery".split())


@dataclass(frozen=True)
class Mended:
    """The text after repair and what was done: "dropped:camera", "added:camera", "cut:unfinished" ..."""

    text: str
    flags: tuple[str, ...]


def mend(
    text: str,
    *,
    lines: SheetLines | None,
    short: str | None,
    finished: bool,
    rng: Random,
    keep: Sequence[str] = (),
    refuse: Callable[[str], bool] = lambda sentence: False,
) -> Mended:
    """`text` without what contradicts the facts, and with camera, light and length as they must be.

    finished: False when generation was cut off; the broken last sentence then goes. keep: phrases whose sentences stay,
    whatever they say. refuse: says of a sentence to be added that it may not be said; another is tried then.
    """
    parts, flags = sentences(text), []
    if parts and (not finished or parts[-1][-1] not in ".!?\"')"):
        if len(parts) > 1:
            parts.pop()
            flags.append("cut:unfinished")
        else:
            parts[-1] = parts[-1].rstrip(" ,;:-") + "."
    if lines is not None and parts:
        parts[0] = _ART_PREFIX.sub("", parts[0])
        parts[0] = parts[0][:1].upper() + parts[0][1:]
    parts, dropped = _without_wrong(parts, lines, short, keep)
    flags += dropped
    parts, stock = _without_stock(parts, lines, keep)
    flags += stock
    while len(parts) > 2 and repeated_ngram(" ".join(parts)):
        parts.pop()
        flags.append("dropped:repetition")
    parts, added = _complete(parts, lines, short, rng, refuse, keep)
    return Mended(" ".join(parts), tuple(dict.fromkeys(flags + added)))


def _without_wrong(
    parts: list[str], lines: SheetLines | None, short: str | None, keep: Sequence[str]
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
        may_go = may_go or (lines is not None and weights.get(0, 0.0) >= _MAX_FIRST_WEIGHT)
        may_go = may_go and not any(phrase in part for phrase in keep)
        if may_go and weights.get(index, 0.0) >= _MIN_DROP_WEIGHT:
            flags.append(f"dropped:{kinds[index][0]}")
        else:
            kept.append(part)
    return kept, flags


def _without_stock(
    parts: list[str], lines: SheetLines | None, keep: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Without sentences that would stand in any prompt, such as "The camera is static."

    With a sheet, so are short sentences that name nothing but the subject, and second sentences on the light;
    sentences that put several facts of this clip together take their place.
    """
    kept: list[str] = []
    lit = False
    for index, part in enumerate(parts):
        count, words = len(part.split()), set(words_of(part))
        stock = count <= _STOCK_WORDS and mentions_camera(part)
        if lines is not None and index > 0:
            stock = stock or (
                count <= _SHORT_WORDS and not mentions_camera(part) and not _specific(part, lines)
            )
            if words & LIGHT_NOUNS and not mentions_camera(part):
                stock = stock or lit
                lit = True
        if not stock or any(phrase in part for phrase in keep):
            kept.append(part)
    if not kept:
        return parts, []
    return kept, ["dropped:stock"] * (len(kept) < len(parts))


def _specific(part: str, lines: SheetLines) -> bool:
    """Whether a sentence says of this clip more than its subject: a colour, the setting, another thing, the light."""
    words = set(words_of(part))
    nouns = {w for o in lines.objects[1:] for w in (*o.noun.split(), plural(o.noun))}
    said = {thing.noun for thing in things(parse([part])[0])}
    main = set(lines.objects[0].noun.split()) if lines.objects else set()
    return bool(words & (COLORS | nouns | LIGHT_NOUNS | set((lines.scene or "").split())) or said - main)


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
    parts: list[str],
    lines: SheetLines | None,
    short: str | None,
    rng: Random,
    refuse: Callable[[str], bool],
    keep: Sequence[str],
) -> tuple[list[str], list[str]]:
    """Sentences for what must be said and is not, then for length; with the flags for them."""
    names = _names(parts, lines, short)
    flags: list[str] = []
    parts = list(parts)

    def add(kind: str, write: Callable[[], str], at: int | None = None) -> None:
        for _ in range(_MAX_PHRASINGS):
            sentence = write()
            if not refuse(sentence):
                parts.insert(len(parts) if at is None else at, sentence)
                flags.append(f"added:{kind}")
                return

    text = " ".join(parts)
    if lines is not None:
        unsaid = unsaid_objects(text, lines)[:4]
        if unsaid and unsaid[0] == lines.objects[0] and not is_named(lines.objects[0], text):
            add("subject", lambda: _opening(lines, rng), at=0)
            unsaid = unsaid[1:]
        if not parts and not lines.objects:
            add("subject", lambda: _empty_opening(lines), at=0)
        if unsaid:
            add("objects", lambda: phrases.objects_sentence(rng, [_phrase(o) for o in unsaid]))
        if lines.scene and not scene_said(text, lines.scene) and lines.scene not in {o.noun for o in unsaid}:
            scene = lines.scene
            add("scene", lambda: phrases.setting_sentence(rng, scene, subject=names["subject"]))
    elif short is not None and kept_words(text, short) < _MIN_KEPT:
        # The user's own words open the prompt where the model went its own way.
        idea = short.strip().rstrip(".!?,;: ")
        add("idea", lambda: f"{idea[:1].upper()}{idea[1:]}.", at=0)
    if lines is not None and lines.camera != "unknown" and not states_camera(text, lines.camera):
        told, pace, shot = lines.camera, lines.speed, lines.shot if not shot_claims(text) else None
        add("camera", lambda: phrases.camera_sentence(rng, told, speed=pace, shot=shot, **names))
    elif lines is not None and lines.camera == "unknown" and lines.shot and not shot_claims(text):
        size = lines.shot
        add("shot", lambda: phrases.camera_sentence(rng, "unknown", shot=size, **names))
    elif lines is None and not mentions_camera(text) and not any(camera_claims(phrase) for phrase in keep):
        add("camera", lambda: _any_camera(rng, names))
    for kind, sentence in _fillers(lines, rng, names, refuse):
        text = " ".join(parts)
        words = set(words_of(text))
        needed = len(sentences(text)) < MIN_SENTENCES or len(text.split()) < MIN_WORDS
        unspoken = (kind == "light" and not words & LIGHT_NOUNS) or (
            kind == "style" and lines is None and not words & (STYLE_WORDS | LIGHT_NOUNS)
        )
        if kind == "light" and not unspoken:
            continue
        if needed or unspoken:
            parts.append(sentence)
            flags.append(f"added:{kind}")
    return parts, flags


def _any_camera(rng: Random, names: dict[str, str]) -> str:
    """A camera for an idea that has none."""
    motion = rng.choice(("static", "zoom in", "handheld", "pan right"))
    shot = rng.choice(("wide shot", "medium shot"))
    return phrases.camera_sentence(rng, motion, shot=shot, **names)


def _phrase(thing: ObjectLine) -> str:
    """The thing as a noun phrase with its number and colour: "three blue bottles", "a person in black"."""
    return _dressed(thing, definite=False)


def _opening(lines: SheetLines, rng: Random) -> str:
    """A first sentence that names the main thing where the model did not."""
    where = ""
    if lines.scene and lines.scene != lines.objects[0].noun:
        where = rng.choice((" in the {s}", " with the {s} as its setting", " against the {s}")).format(
            s=lines.scene
        )
    return phrases.opening_sentence(rng, _phrase(lines.objects[0]), where=where)


def _dressed(thing: ObjectLine, *, definite: bool) -> str:
    """ "the white cat", "the people in black": a person is not black, but dressed in black."""
    many = thing.count > 1
    noun = plural(thing.noun) if many else thing.noun
    if thing.color and thing.noun in _PEOPLE:
        noun = f"{noun} in {thing.color}"
    elif thing.color:
        noun = f"{thing.color} {noun}"
    if definite:
        return f"the {noun}"
    if many:
        return f"{NUMBER_WORDS.get(thing.count, 'several')} {noun}"
    return noun if thing.noun in _MASS or phrases.is_plural(thing.noun) else phrases.article(noun)


def _empty_opening(lines: SheetLines) -> str:
    """A first sentence for a clip in which nothing was recognised."""
    colors = " and ".join(lines.colors[:2]) or "plain"
    if lines.scene:
        what = f"the {lines.scene}" if phrases.is_plural(lines.scene) else phrases.article(lines.scene)
        return f"The clip shows {what} in {colors} tones."
    return f"Broad areas of {colors} fill the frame, and no single object stands out."


def _fillers(
    lines: SheetLines | None, rng: Random, names: dict[str, str], refuse: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Sentences that may be added, the most telling first; all true of what is known, and none refused."""
    for _ in range(_MAX_PHRASINGS):
        fillers = _all_fillers(lines, rng, names)
        allowed = [(kind, sentence) for kind, sentence in fillers if not refuse(sentence)]
        if len(allowed) == len(fillers):
            break
    return allowed


def _all_fillers(lines: SheetLines | None, rng: Random, names: dict[str, str]) -> list[tuple[str, str]]:
    if lines is None:
        return [
            ("light", phrases.light_sentence(rng, "soft", "neutral", "medium", **names)),
            ("style", phrases.style_sentence(rng, rng.choice(phrases.STYLES), **names)),
        ]
    fillers = []
    if lines.objects:
        main, beside = lines.objects[0], _phrase(lines.objects[1]) if len(lines.objects) > 1 else None
        sentence = phrases.subject_sentence(
            rng, _dressed(main, definite=True), position=main.position, motion=main.motion,
            place=f"the {lines.scene}" if lines.scene and lines.scene != main.noun else None, beside=beside,
        )  # fmt: skip
        fillers.append(("subject", sentence))
    if lines.light:
        fillers.append(
            ("light", phrases.light_sentence(rng, lines.light, lines.temperature, lines.contrast, **names))
        )
    style = rng.choice(("naturalistic", "realistic", "documentary", "photographic"))
    look = phrases.look_sentence(rng, style, lines.colors, lines.contrast, monochrome=lines.monochrome)
    fillers.append(("look", look))
    fillers.append(("focus", phrases.focus_sentence(rng, **names)))
    if lines.scene:
        fillers.append(("scene", phrases.setting_sentence(rng, lines.scene, subject=names["subject"])))
    return fillers
