"""Sentences around a locked phrase that leave its letters as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from random import Random

from vidprompter.wording.grammar import is_sentence
from vidprompter.wording.inflections import fold
from vidprompter.wording.kinds import Kind, Phrase

# {p}: the phrase; {a}: it with its article; {S}, {s}: the main subject ("The woman", "the woman").
_SENTENCES: dict[Kind, tuple[str, ...]] = {
    "quoted": ("The words {p} can be read in the frame.", "In one place, the words {p} can be made out.",
               "A viewer can read the words {p}."),
    "sentence": ("{p}.",),
    "clause": ("Throughout, {p}.", "All the while, {p}.", "As the clip goes on, {p}.", "It is clear to see that {p}.",
               "One thing is plain to see: {p}."),
    "things": ("The clip also shows {p}.", "The eye is also drawn to {p}.", "The frame also holds {p}.",
               "Viewers also see {p}."),
    "a_thing": ("The clip also shows {a}.", "The frame also holds {a}.", "There is also {a} to be seen.",
                "Viewers also see {a}."),
    "the_thing": ("The clip also shows the {p}.", "The eye is also drawn to the {p}.", "Viewers also see the {p}.",
                  "The frame also takes in the {p}."),
    "none": ("The clip shows {p}.", "There are {p} to be seen anywhere.", "The frame holds {p}."),
    "style": ("The clip makes use of {p}.", "The look is shaped by {p}.", "Much of the effect comes from {p}.",
              "The picture is marked by {p}."),
    "a_style": ("The clip has {a}.", "The look is shaped by {a}.", "The picture is marked by {a}.",
                "The clip makes use of {a}."),
    "hour": ("The clip is filmed at {p}.", "All of it happens at {p}.", "Everything takes place at {p}."),
    "name": ("A name that goes with the clip is {p}.", "One name to keep in mind here is {p}.",
             "The name behind it is {p}."),
    "trigger": ("The main subject is {p}.", "At the center of it all is {p}.", "The clip is about {p}."),
    "doing": ("{S} is seen {p}.", "{S} is shown {p}.", "Viewers see {s} {p}."),
    "camera_doing": ("The camera is {p}.", "The camera keeps {p}.", "Throughout, the camera is {p}."),
    "clip_doing": ("This is a clip {p}.", "It is a clip {p}.", "It could be a clip {p}."),
    "is_filmed": ("The clip is {p}.", "All of it is {p}.", "Everything here is {p}."),
    "format": ("The clip is filmed in {p}.", "Everything is filmed in {p}.", "All of it is recorded in {p}."),
    "gear": ("The clip is filmed with {p}.", "Everything is filmed with {p}.", "All of it is recorded with {p}."),
    "bare_gear": ("The clip is filmed with {a}.", "Everything is filmed with {a}.", "All of it is recorded with {a}."),
    "genre": ("The whole clip comes across as {p}.", "The result is {p}.", "All of it feels like {p}."),
    "bare_genre": ("The whole clip comes across as {a}.", "The result is {a}.", "All of it feels like {a}."),
    "done": ("{S} appears {p}.", "{S} is seen {p}.", "Viewers see {s} {p}."),
    "filmed": ("The clip is filmed {p}.", "Everything is filmed {p}.", "All of it is recorded {p}."),
    "does": ("{S} {p}.", "In the clip, {s} {p}.", "As time goes on, {s} {p}."),
    "camera_does": ("The camera {p}.", "The camera then {p}.", "It is here that the camera {p}."),
    "do": ("{S} is about to {p}.", "{S} is meant to {p}.", "Viewers see {s} {p}."),
    "camera_do": ("The camera is meant to {p}.", "The camera starts to {p}.", "The viewpoint starts to {p}."),
    "place": ("All of it happens {p}.", "The action takes place {p}.", "Everything unfolds {p}."),
    "with": ("{S} appears {p}.", "{S} is seen {p}.", "Viewers see {s} {p}."),
    "quality": ("The look is {p}.", "The overall impression is {p}.", "Everything about the clip feels {p}."),
    "manner": ("Everything moves {p}.", "It all happens {p}.", "The action unfolds {p}."),
    "tags": ("A few words describe the look: {p}.", "The look comes down to a few words: {p}.",
             "A few words say it all: {p}."),
    "line": ("One line describes it: {p}", "A single line says it all: {p}", "The mood is that of one line: {p}"),
    "other": ('A fitting description of the clip is "{p}".', 'The clip can be described as "{p}".',
              'One phrase sums it up: "{p}".'),
}  # fmt: skip
# For kinds that can be put together with "and".
_JOINED = frozenset({"things", "a_thing"})


def sentences_for(
    locked: Sequence[Phrase],
    *,
    rng: Random,
    subject: str,
    refused: Callable[[str], bool],
    language: str | None = None,
) -> list[str] | None:
    """Sentences that hold all of `locked`, none of which is `refused`; None where no phrasing will do.

    subject: a singular noun phrase for the main subject, "the woman". refused: says of a sentence that it may not be
    said. language: ISO 639-1 code; English by default.
    """
    if language not in (None, "en"):
        template = _abroad().get(language or "", '"{p}".')
        made = [template.format(p=phrase.text) for phrase in locked]
        return None if any(map(refused, made)) else made
    out: list[str] = []
    together = [phrase for phrase in locked if phrase.kind in _JOINED]
    alone = [phrase for phrase in locked if phrase.kind not in _JOINED]
    for i in range(0, len(together), 3):
        out += _joined(together[i : i + 3], out, rng, refused) or [""] * (len(together) + 1)
    for phrase in alone:
        out.append(_single(phrase, out, rng, subject, refused) or "")
    return out if all(out) else None


@cache
def _abroad() -> dict[str, str]:
    """For each language one sentence that takes any words (`vidprompter/data/describing.tsv`)."""
    text = files("vidprompter").joinpath("data/describing.tsv").read_text(encoding="utf-8")
    rows = (line.partition("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {code: sentence for code, _, sentence in rows}


def with_article(noun: str) -> str:
    """`noun` with "a" or "an" before it, by its sound as far as letters tell."""
    word = noun.split()[0].split("-")[0]
    if re.match(r"(?:hour|honest|honou?r|heir)|8|1[18](?!\d)", word, re.I):
        return f"an {noun}"
    if re.match(r"(?:uni(?!n|m)|us[aeiu]|eu|one\b|once|ubi|uk|ura|uto)", word, re.I):
        return f"a {noun}"
    if word.isupper() and (len(word) == 1 or not re.search(r"[AEIOU]", word)):
        return f"{'an' if word[0] in 'AEFHILMNORSX' else 'a'} {noun}"
    return f"{'an' if fold(word)[:1] in 'aeiou' else 'a'} {noun}"


def is_own(sentence: str, phrase: str, kind: Kind) -> bool:
    """Whether a sentence is one that is written here around the phrase alone."""
    kinds: tuple[Kind, ...] = (kind, "line", "other")
    return any(
        _matcher(template, phrase).fullmatch(sentence) for one in kinds for template in _SENTENCES[one]
    )


def _matcher(template: str, phrase: str) -> re.Pattern[str]:
    marked = template.format(p="\0", a="\1", s="\2", S="\2")
    ends = phrase[-1] in ".!?\u2026" and marked.endswith("\0.")
    pattern = re.escape(marked[:-1] if ends else marked)
    filled = {"\0": re.escape(phrase), "\1": "an? " + re.escape(phrase), "\2": "[\\w ]{3,40}"}
    for mark, what in filled.items():
        pattern = pattern.replace(re.escape(mark), what)
    return re.compile(pattern)


def _joined(
    group: Sequence[Phrase], used: Sequence[str], rng: Random, refused: Callable[[str], bool]
) -> list[str] | None:
    """One sentence for several noun phrases, or one for each where together they would say what is refused."""
    said = [with_article(p.text) if p.kind == "a_thing" else p.text for p in group]
    if len(said) > 1 and not any(" and " in text for text in said):
        both = Phrase(", ".join(said[:-1]) + " and " + said[-1], "things")
        if (one := _single(both, used, rng, "", refused)) is not None:
            return [one]
    made: list[str] = []
    for phrase in group:
        one = _single(phrase, [*used, *made], rng, "", refused)
        if one is None:
            return None
        made.append(one)
    return made


def _single(
    phrase: Phrase, used: Sequence[str], rng: Random, subject: str, refused: Callable[[str], bool]
) -> str | None:
    """A sentence around one phrase, in words not used yet where that can be."""
    templates = list(_SENTENCES[phrase.kind])
    rng.shuffle(templates)
    openings = {" ".join(sentence.split()[:3]) for sentence in used}
    made = [_fill(template, phrase, subject) for template in templates]
    # Words that spaCy, too, reads as a sentence, and that no other sentence begins with.
    made.sort(key=lambda sentence: (not is_sentence(sentence), " ".join(sentence.split()[:3]) in openings))
    if phrase.kind != "other":
        rest = list(_SENTENCES["line" if phrase.text[-1] in ".!?\u2026" else "other"])
        rng.shuffle(rest)
        made += [_fill(template, phrase, subject) for template in rest]
    return next((sentence for sentence in made if not refused(sentence)), None)


def _fill(template: str, phrase: Phrase, subject: str) -> str:
    text = phrase.text
    if '"{p}"' in template and '"' in text:
        template = template.replace('"{p}"', "{p}")
    if template.endswith("{p}.") and text[-1] in ".!?\u2026":
        template = template[:-1]
    article = with_article(text) if "{a}" in template else ""
    return template.format(p=text, a=article, s=subject, S=subject[:1].upper() + subject[1:])
