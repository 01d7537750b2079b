"""The checks, one for each thing that a factor of the paper (section 4.2) asks of a description."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from scoring.rubric import words as lists
from scoring.rubric.reading import Reading, words_of
from vidprompter.facts.camera_text import camera_claims, shot_claims
from vidprompter.facts.check import MAX_WORDS, MIN_SENTENCES, MIN_WORDS
from vidprompter.facts.lexicon import ABSTRACT, LIGHT_LEVEL, LIGHT_NOUNS, PLACES
from vidprompter.facts.text_facts import noun_kinds
from vidprompter.wording.loops import is_loop
from vidprompter.wording.sentences import ends_as_sentence

_PART_WEIGHTS = {"subject": 0.3, "attributes": 0.2, "actions": 0.2, "position": 0.15, "movement": 0.15}
_BACKGROUND_WEIGHTS = {"objects": 0.3, "place": 0.35, "weather, time or light": 0.35}
_CAMERA_WEIGHTS = {"shot": 0.35, "camera movement": 0.4, "angle": 0.25}
_OPEN = frozenset({"DT", "CC", "PRP$", "IN", "TO"})


@dataclass(frozen=True)
class Check:
    """What one factor came to. part: 0 (fails) to 1 (all there). reason: one line, of what is there or missing."""

    factor: str
    part: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Its fields, `part` in three digits."""
        return asdict(self) | {"part": round(self.part, 3)}


def sentences(text: Reading) -> Check:
    """Factor 1: a detailed description, in more than three sentences; sixty words make it detailed."""
    count = len(text.sentences)
    part = min(1.0, count / MIN_SENTENCES) * (0.5 + 0.5 * min(1.0, text.words / MIN_WORDS))
    return Check("sentences", part, f"{_counted(count, 'sentence')}, {_counted(text.words, 'word')}")


def subject(text: Reading) -> Check:
    """Factor 2: the main subject with attributes, actions, position and movement or rest."""
    told = text.picture or list(text.docs)
    visible = [token for doc in told for token in doc if is_visible(token)]
    described = {
        child.lower_
        for token in visible
        for child in token.children
        if child.dep_ in ("amod", "acl", "compound")
    }
    actions = {token.lemma_.lower() for doc in told for token in doc if _is_action(token)}
    said = " ".join(doc.text for doc in told)
    moves = (
        bool(actions & lists.MOTION) or bool(lists.STILL.search(said)) or bool(lists.SEQUENCE.search(said))
    )
    found = {
        "subject": 1.0 if visible else 0.0,
        "attributes": min(1.0, len(described) / 2),
        "actions": min(1.0, len(actions) / 2),
        "position": float(bool(lists.POSITION.search(said))),
        "movement": float(moves),
    }
    if not visible:  # nobody there to be described
        found = dict.fromkeys(found, 0.0) | {"actions": found["actions"] / 2}
    return _weighed("subject", found, _PART_WEIGHTS)


def background(text: Reading) -> Check:
    """Factor 3: the background with its objects, place, and weather, time or light."""
    said = set(words_of(text.text))
    nouns = list(
        dict.fromkeys(token.lemma_.lower() for doc in text.docs for token in doc if is_visible(token))
    )
    kinds = noun_kinds()
    places = [word for word in said if word in PLACES or word.removesuffix("s") in PLACES]
    places += [noun for noun in nouns if noun in kinds and kinds[noun].kind == "place"]
    conditions = [
        bool(said & lists.WEATHER),
        bool(said & lists.TIME),
        bool(said & (LIGHT_NOUNS | frozenset(LIGHT_LEVEL))),
    ]
    place = 1.0 if places else 0.6 if lists.BACKDROP.search(text.text) else 0.0
    found = {
        "objects": min(1.0, max(0, len(nouns) - 1) / 3),  # the first is the subject
        "place": place,
        "weather, time or light": min(1.0, 0.6 * sum(conditions)),
    }
    return _weighed("background", found, _BACKGROUND_WEIGHTS)


def camera(text: Reading) -> Check:
    """Factor 4: the shot, the camera's movement (or rest) and its angle."""
    sizes, moves = shot_claims(text.text), camera_claims(text.text)
    bare = lists.SHOT.search(text.text) or lists.CAMERA.search(text.text)
    found = {
        "shot": 1.0 if sizes else 0.7 if bare else 0.0,
        "camera movement": float(bool(moves)),
        "angle": float(bool(lists.ANGLE.search(text.text))),
    }
    return _weighed("camera", found, _CAMERA_WEIGHTS)


def style(text: Reading) -> Check:
    """Factor 5: visual, photographic and artistic style; one kind is 0.6, two 0.85."""
    kinds = {"visual": lists.STYLE_VISUAL, "photographic": lists.STYLE_PHOTO, "artistic": lists.STYLE_ART}
    there = {
        name: match.group(0).lower()
        for name, pattern in kinds.items()
        if (match := pattern.search(text.text))
    }
    told = ", ".join(f"{name} ({word!r})" for name, word in there.items())
    return Check("style", (0.0, 0.6, 0.85, 1.0)[len(there)], told or "no word of style")


def natural(text: Reading) -> Check:
    """Factor 6, as far as grammar tells: whole sentences, no loop, no markup, nobody who talks as an assistant."""
    if match := lists.REFUSAL.search(text.text):
        return Check("natural", 0.0, f"is no description: {_cut(match)!r}")
    if is_loop(text.text):
        return Check("natural", 0.0, "goes round in circles")
    part, reasons = 1.0, []
    if match := lists.ASSISTANT.search(text.text):
        part -= 0.6
        reasons.append(f"talks to the user: {_cut(match)!r}")
    if match := lists.MARKUP.search(text.text):
        part -= 0.5
        reasons.append(f"markup: {_cut(match)!r}")
    lists_only = sum(_has_verb(doc) for doc in text.docs) < len(text.docs) / 2
    if lists_only and text.words >= 3:
        part -= 0.4
        reasons.append("words without sentences")
    open_ends = [doc for doc in text.docs if _is_open(doc)]
    if open_ends:
        part -= max(0.25, 0.6 * len(open_ends) / len(text.docs))
        reasons.append(f"broken off: {_tail(open_ends[0])!r}")
    elif not ends_as_sentence(text.text):
        part -= 0.15
        reasons.append("no mark at its end")
    if strange := [c for c in text.text if c == "\ufffd" or (not c.isprintable() and c not in "\n\r\t")]:
        part -= 0.3
        reasons.append(f"strange characters: U+{ord(strange[0]):04X}")
    return Check("natural", max(0.0, part), "; ".join(reasons) or "whole sentences")


def frame_by_frame(text: Reading) -> Check:
    """Factor 7: does not tell each frame on its own; one such place halves it, two fail."""
    found = [match.group(0) for match in lists.FRAME_BY_FRAME.finditer(text.text)]
    if not found:
        return Check("frame_by_frame", 1.0, "no frames are counted")
    said = " ".join(found[0].split())
    return Check("frame_by_frame", 0.5 if len(found) == 1 else 0.0, f"tells frames one by one: {said!r}")


def repetition(text: Reading) -> Check:
    """Factor 7: no repetition: stretches of five words, whole sentences, or words said twice in a row."""
    if is_loop(text.text):
        return Check("repetition", 0.0, "goes round in circles")
    tokens = words_of(text.text)
    grams = Counter(tuple(tokens[i : i + 5]) for i in range(len(tokens) - 4))
    twice = [gram for gram, count in grams.items() if count > 1]
    bags = [frozenset(words_of(one)) for one in text.sentences]
    alike = sum(
        len(one & two) >= 0.75 * len(one | two)
        for i, one in enumerate(bags)
        for two in bags[:i]
        if len(one) >= 4
    )
    doubled = re.search(r"\b(\w{2,})\s+\1\b", text.text, re.I)
    if doubled and doubled.group(1).lower() in ("very", "had", "that", "so", "more"):
        doubled = None
    part = 1.0 - 0.1 * min(len(twice), 5) - 0.4 * alike - 0.2 * bool(doubled)
    if alike:
        reason = f"{_counted(alike, 'pair')} of sentences say the same"
    elif doubled:
        reason = f"{doubled.group(0)!r}"
    else:
        reason = f"twice: {' '.join(twice[0])!r}" if twice else "nothing is said twice"
    return Check("repetition", max(0.0, part), reason)


def length(text: Reading) -> Check:
    """Factor 7: not too long: whole up to 220 words, nothing at 440 and more."""
    part = min(1.0, max(0.0, 2 - text.words / MAX_WORDS))
    return Check("length", part, f"{_counted(text.words, 'word')}; {MAX_WORDS} at most are wanted")


CONTENT: dict[str, tuple[float, Callable[[Reading], Check]]] = {
    "sentences": (0.15, sentences),
    "subject": (0.30, subject),
    "background": (0.20, background),
    "camera": (0.20, camera),
    "style": (0.15, style),
}
"""Factors 1 to 5: what a description should hold, with their shares of the mean."""

SOUNDNESS: dict[str, tuple[float, Callable[[Reading], Check]]] = {
    "natural": (0.8, natural),
    "frame_by_frame": (0.5, frame_by_frame),
    "repetition": (0.6, repetition),
    "length": (0.5, length),
}
"""Factors 6 and 7: what spoils it, with the share of the mark that it can take away."""


def is_visible(token: Any) -> bool:
    """Whether a parsed word names something that can be seen: a thing, a place, or a name."""
    if token.pos_ == "PROPN":
        return bool(token.is_alpha) and token.lower_ not in lists.NO_DOERS
    noun = token.lemma_.lower()
    known = noun in noun_kinds() or token.lower_ in noun_kinds() or token.lower_ in ("people", "men", "women")
    return bool(token.pos_ == "NOUN" and known and noun not in ABSTRACT and token.dep_ != "compound")


def _is_action(token: Any) -> bool:
    if token.pos_ != "VERB" or token.lemma_.lower() in lists.NO_ACTIONS:
        return False
    doers = [child for child in token.children if child.dep_ in ("nsubj", "nsubjpass")]
    if token.dep_ in ("acl", "relcl", "advcl", "conj", "xcomp") and not doers:
        return token.head.lower_ not in lists.NO_DOERS
    return any(child.lower_ not in lists.NO_DOERS or child.lower_ == "it" for child in doers)


def _has_verb(doc: Any) -> bool:
    # No more is asked: "stands" is taken for a noun now and then, and a shot may well be named by a noun with a participle.
    return any(token.pos_ in ("VERB", "AUX") for token in doc)


def _is_open(doc: Any) -> bool:
    """Whether a sentence ends in a word that something must follow ("of the", "and a")."""
    last = next((token for token in reversed(doc) if not token.is_punct and not token.is_space), None)
    if last is None or last.tag_ not in _OPEN:
        return False
    # "the floor he stands on." ends as it should; without an end mark it was cut.
    return last.tag_ in ("DT", "CC", "PRP$") or not ends_as_sentence(doc.text)


def _weighed(factor: str, found: dict[str, float], weights: dict[str, float]) -> Check:
    missing = [name for name, part in found.items() if part < 0.5]
    part = sum(weights[name] * value for name, value in found.items())
    return Check(factor, part, f"missing: {', '.join(missing)}" if missing else "all of it is there")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cut(match: re.Match[str] | None) -> str:
    return " ".join(match.group(0).split())[:60] if match else ""


def _tail(doc: Any) -> str:
    return "... " + " ".join(str(doc.text).split()[-4:])
