"""Does a prompt agree with what is known? Problems are named and weighed; the best of several candidates wins.

What is known is a `SheetLines` (tasks 1, 2), a short prompt (tasks 2, 3), or both. A prompt may say more than is
known, since it has to paint a whole picture, but not what contradicts it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from vidprompter.facts.camera_text import (
    camera_claims,
    camera_contradictions,
    mentions_camera,
    sentences,
    shot_claims,
    states_camera,
)
from vidprompter.facts.lexicon import (
    COLORS,
    GENDERED,
    LIGHT_LEVEL,
    LIGHT_NOUNS,
    LIGHT_TEMPERATURE,
    PARTS,
    PLACES,
    SETTING_HOLDS,
    SHOT_WORDS,
    STYLE_WORDS,
    UNSEEN,
)
from vidprompter.facts.text_facts import content_words, kept_words, noun_kinds, parse, things
from vidprompter.sheet.lines import ObjectLine, SheetLines, plural

MIN_WORDS, MAX_WORDS, MIN_SENTENCES = 60, 220, 4
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
# Light levels that cannot both be true of one clip.
_OPPOSED_LIGHT = {"dark": {"bright"}, "dim": {"bright"}, "bright": {"dark", "dim"}, "soft": {"dark"}}
_VEHICLES = frozenset("car truck bus boat ship train bicycle motorcycle airplane van taxi vehicle".split())
_SAME_COLOR = {"grey": "gray", "golden": "yellow", "gold": "yellow", "silver": "gray", "crimson": "red",
               "scarlet": "red", "navy": "blue", "azure": "blue", "emerald": "green", "tan": "brown",
               "cream": "beige", "violet": "purple", "amber": "orange", "turquoise": "teal"}  # fmt: skip
_VIVID = frozenset("red green blue yellow orange pink purple golden vibrant colorful".split())
_PLURAL_PEOPLE = frozenset("people men women children".split())
_PEOPLE = frozenset("person people man men woman women boy girl child children".split())


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a prompt. weight: how bad, 1 is a wrong fact. sentence: index, None for the whole."""

    kind: str
    detail: str
    weight: float
    sentence: int | None = None


def words_of(text: str) -> list[str]:
    """Lower-case words of `text`, punctuation dropped."""
    return _WORD.findall(text.lower())


def gender_known(lines: SheetLines | None, short: str | None) -> bool:
    """Whether what is known says man or woman (or there is no sheet, so that nothing is measured)."""
    if lines is None:
        return True
    told = words_of(" ".join(o.noun for o in lines.objects) + " " + (short or ""))
    return bool(GENDERED & set(told))


def check(text: str, *, lines: SheetLines | None, short: str | None) -> list[Problem]:
    """Everything wrong with `text`, given what is known; an empty list is a clean prompt."""
    found = _form(text)
    if lines is not None:
        found += _camera(text, lines) + _light(text, lines) + _objects(text, lines, short)
        if not gender_known(lines, short):
            found += _gender(text)
    if short is not None:
        found += _short(text, short, whole=lines is None)
    if lines is None:
        found += _idea_form(text)
    return found


def weight(problems: list[Problem]) -> float:
    """How bad a prompt is in all; lower is better."""
    return sum(p.weight for p in problems)


def repeated_ngrams(text: str, *, n: int = 4, times: int = 2) -> list[tuple[str, ...]]:
    """The n-grams (case and punctuation folded) that occur `times` times or more, in order."""
    words = words_of(text)
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return [gram for gram, count in counts.items() if count >= times]


def repeated_ngram(text: str, *, n: int = 4, times: int = 3) -> tuple[str, ...] | None:
    """An n-gram (case and punctuation folded) that occurs `times` times or more, or None."""
    return next(iter(repeated_ngrams(text, n=n, times=times)), None)


def _form(text: str) -> list[Problem]:
    found = []
    parts, count = sentences(text), len(text.split())
    if len(parts) < MIN_SENTENCES:
        found.append(Problem("short", f"{len(parts)} sentences", 1.0))
    if count < MIN_WORDS:
        found.append(Problem("short", f"{count} words", 1.0))
    if count > MAX_WORDS:
        found.append(Problem("long", f"{count} words", 1.0))
    if gram := repeated_ngram(text):
        found.append(Problem("repetition", " ".join(gram), 4.0))
    seen: set[str] = set()
    for i, part in enumerate(parts):
        folded = " ".join(words_of(part))
        if folded in seen:
            found.append(Problem("repetition", part, 1.5, i))
        seen.add(folded)
        if UNSEEN & set(words_of(part)):
            found.append(Problem("unseen", part, 0.3, i))
    if twice := repeated_ngrams(text):
        found.append(Problem("echo", " / ".join(" ".join(g) for g in twice[:3]), 0.25 * min(len(twice), 4)))
    words = [w for w in words_of(text) if len(w) > 3]
    if words and len(set(words)) / len(words) < 0.6:
        found.append(Problem("repetition", f"{len(set(words))} different words of {len(words)}", 1.0))
    return found


def _camera(text: str, lines: SheetLines) -> list[Problem]:
    found = []
    for i, part in enumerate(sentences(text)):
        for claim in sorted(camera_contradictions(part, lines.camera)):
            found.append(Problem("camera", f"says {claim!r}, measured {lines.camera!r}", 2.0, i))
        wrong = shot_claims(part) - _close_shots(lines.shot)
        if wrong:
            found.append(Problem("shot", f"says {min(wrong)!r}, measured {lines.shot!r}", 1.0, i))
    if lines.camera != "unknown" and not states_camera(text, lines.camera):
        found.append(Problem("camera_missing", lines.camera, 1.5))
    elif lines.camera == "unknown" and lines.shot and not shot_claims(text):
        found.append(Problem("shot_missing", lines.shot, 0.7))
    return found


def _close_shots(shot: str | None) -> set[str]:
    order = ["extreme wide shot", "wide shot", "full shot", "medium shot", "medium close-up", "close-up"]
    if shot is None:
        return set(order)
    at = order.index(shot)
    return set(order[max(0, at - 1) : at + 2])


def _light(text: str, lines: SheetLines) -> list[Problem]:
    found = []
    for i, part in enumerate(sentences(text)):
        words = set(words_of(part))
        if not words & LIGHT_NOUNS:
            continue
        levels = {LIGHT_LEVEL[w] for w in words if w in LIGHT_LEVEL}
        if lines.light and (wrong := levels & _OPPOSED_LIGHT[lines.light]):
            found.append(Problem("light", f"says {min(wrong)!r}, measured {lines.light!r}", 0.8, i))
        tones = {LIGHT_TEMPERATURE[w] for w in words if w in LIGHT_TEMPERATURE}
        if lines.temperature and tones and lines.temperature != "neutral" and lines.temperature not in tones:
            found.append(Problem("light", f"says {min(tones)!r}, measured {lines.temperature!r}", 0.6, i))
    if lines.light and not LIGHT_NOUNS & set(words_of(text)):
        found.append(Problem("light_missing", lines.light, 0.4))
    return found


def _objects(text: str, lines: SheetLines, short: str | None) -> list[Problem]:
    found: list[Problem] = []
    words = " ".join(words_of(text))
    for rank, thing in enumerate(lines.objects):
        if not _named(thing, words):
            found.append(Problem("object_missing", thing.noun, 2.0 if rank == 0 else 0.7))
        elif thing.count > 1 and not _plural_said(thing, words):
            found.append(Problem("count_missing", f"{thing.count} {thing.noun}", 0.5))
    if lines.scene and not scene_said(text, lines.scene):
        found.append(Problem("scene_missing", lines.scene, 0.7))
    found += _things_said(text, lines, short)
    found += _colors(text, lines)
    if lines.monochrome:
        for i, part in enumerate(sentences(text)):
            if wrong := _VIVID & set(words_of(part)):
                found.append(Problem("color", f"says {min(wrong)!r}, measured black and white", 0.7, i))
    return found


def _things_said(text: str, lines: SheetLines, short: str | None) -> list[Problem]:
    """Wrong numbers of measured things, and things that nothing measured."""
    found = []
    by_noun = {o.noun: o for o in lines.objects}
    known = _known_nouns(lines, short)
    kinds = noun_kinds()
    for i, doc in enumerate(parse(sentences(text))):
        places = {t.lemma_.lower() for t in doc if t.pos_ == "NOUN"} & PLACES
        found += [Problem("invented", name, 0.35, i) for name in sorted(places - known - PARTS)]
        for said in things(doc):
            if (measured := by_noun.get(said.noun)) is not None:
                if said.count > 1 and said.count != measured.count:
                    detail = f"{said.count} {said.noun}, measured {measured.count}"
                    found.append(Problem("count", detail, 1.0, i))
                elif said.count == 0 and measured.count == 1:
                    detail = f"several {said.noun}, measured one"
                    found.append(Problem("count", detail, 0.8 if said.kind == "person" else 0.4, i))
                continue
            if said.noun in ("pan", "tilt", "zoom", "roll") and mentions_camera(str(doc)):
                continue
            basic = kinds[said.noun].basic if said.noun in kinds else None
            crowd = said.kind == "person" and said.count != 1 and "one person" in known
            if said.noun in PARTS or (
                ({said.noun, basic} & known or f"any {said.kind}" in known) and not crowd
            ):
                continue
            if said.noun in PLACES:
                continue
            living = said.kind in ("animal", "person") or said.noun in _VEHICLES
            found.append(Problem("invented", said.noun, 0.8 if living else 0.2, i))
    return found


def _known_nouns(lines: SheetLines, short: str | None) -> set[str]:
    """Nouns that the sheet, its setting or the short prompt account for; "any person" where people are measured."""
    kinds = noun_kinds()
    known: set[str] = set()
    for thing in lines.objects:
        known |= {thing.noun, *thing.noun.split()}
        if thing.noun.split()[-1] in _PEOPLE:
            known.add("any person")
            if thing.count == 1:
                known.add("one person")
    if lines.scene:
        known |= set(lines.scene.split()) | set(SETTING_HOLDS.get(lines.scene, "").split())
        known |= {word.removesuffix("s") for word in lines.scene.split()}
    if short:
        known |= set(content_words(parse([short])[0])) | set(words_of(short))
    # A kind word says less than what was measured: "the animal" of a horse.
    known |= {kinds[noun].kind for noun in known if noun in kinds}
    if known & _VEHICLES:
        known.add("vehicle")
    return known | {kinds[noun].basic or noun for noun in known if noun in kinds}


def _colors(text: str, lines: SheetLines) -> list[Problem]:
    """Colours put right before a thing (at most one word between) that are not the measured ones."""
    found = []
    for thing in lines.objects:
        if thing.color is None:
            continue
        noun = re.escape(thing.noun.split()[-1])
        pattern = re.compile(rf"\b({'|'.join(sorted(COLORS))})(?: and \w+)?,? (?:\w+ )?{noun}s?\b", re.I)
        for i, part in enumerate(sentences(text)):
            for said in pattern.findall(part):
                if not {said.lower(), _SAME_COLOR.get(said.lower())} & set(thing.color.split(" and ")):
                    found.append(Problem("color", f"{said} {thing.noun}, measured {thing.color}", 1.0, i))
    return found


def scene_said(text: str, scene: str) -> bool:
    """Whether `text` names the setting, in the singular or plural."""
    stem = scene.split()[-1].rstrip("s")
    return bool(re.search(rf"\b{re.escape(stem)}", " ".join(words_of(text))))


def unsaid_objects(text: str, lines: SheetLines) -> list[ObjectLine]:
    """Things of the sheet that `text` does not name, or names as one where several were counted."""
    words = " ".join(words_of(text))
    return [
        thing
        for thing in lines.objects
        if not _named(thing, words) or (thing.count > 1 and not _plural_said(thing, words))
    ]


def _plural_said(thing: ObjectLine, words: str) -> bool:
    said = set(words.split())
    return plural(thing.noun.split()[-1]) in said or (thing.noun == "person" and bool(_PLURAL_PEOPLE & said))


def is_named(thing: ObjectLine, text: str) -> bool:
    """Whether `text` names the thing, in whatever number."""
    return _named(thing, " ".join(words_of(text)))


def _named(thing: ObjectLine, words: str) -> bool:
    """Whether the text names the thing; a man or a woman is a person."""
    last = thing.noun.split()[-1]
    if re.search(rf"\b(?:{re.escape(last)}|{re.escape(plural(last))})\b", words):
        return True
    return thing.noun in ("person", "people") and bool(_PEOPLE & set(words.split()))


def _gender(text: str) -> list[Problem]:
    found = []
    for i, part in enumerate(sentences(text)):
        if said := GENDERED & set(words_of(part)):
            found.append(Problem("gender", f"says {min(said)!r}, which nothing measured", 0.6, i))
    return found


def _short(text: str, short: str, *, whole: bool) -> list[Problem]:
    """Words of the short prompt that the text dropped. whole: the short prompt is all that is known (task 3)."""
    short_doc, doc = parse([short, text])
    wanted = list(dict.fromkeys(content_words(short_doc)))
    if not wanted:
        wanted = words_of(short)
    told = {t.lemma_.lower() for t in doc} | set(words_of(text))
    missing = [w for w in wanted if w not in told]
    if whole and not missing and (kept := kept_words(text, short)) < 1:
        # All is there in other forms; between two such candidates the one nearer to the user's words wins.
        return [Problem("short_reworded", f"{kept:.0%} of the words as they were", 0.5 * (1 - kept))]
    if not missing:
        return []
    share = len(missing) / len(wanted)
    bad = (3.0 if share > 0.4 else 1.5) if whole else 1.0
    found = [
        Problem("short_missing", ", ".join(missing), bad * share + (1.0 if whole and share > 0.4 else 0.0))
    ]
    return found


def _idea_form(text: str) -> list[Problem]:
    words = set(words_of(text))
    found = []
    if not words & SHOT_WORDS and not mentions_camera(text):
        found.append(Problem("camera_missing", "no word of camera or shot", 1.0))
    if not words & (STYLE_WORDS | LIGHT_NOUNS):
        found.append(Problem("style_missing", "no word of style or light", 1.0))
    claims = camera_claims(text) - {"other", "pan", "tilt", "zoom"}
    if len(claims) > 1:
        found.append(Problem("camera", "states " + " and ".join(sorted(claims)), 0.7))
    if len(shots := shot_claims(text)) > 1:
        found.append(Problem("shot", "states " + " and ".join(sorted(shots)), 0.5))
    return found
