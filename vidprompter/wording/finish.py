"""The last hand on a text: avoided words out, locked phrases in, prefix in front, fitted to its target, verified."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from vidprompter.errors import GenerationError, WordingLost
from vidprompter.tasks import Wording
from vidprompter.wording.mentions import holds_locked, locked_at, mentions
from vidprompter.wording.sentences import ends_as_sentence, split_sentences

# With less than this left, sentences are reworded rather than dropped.
_FEW_SENTENCES, _FEW_WORDS = 3, 40


@dataclass(frozen=True)
class Finished:
    """The text as it goes out, and what was done to it: "added:locked", "dropped:avoided", "reworded:avoided" ..."""

    text: str
    flags: tuple[str, ...] = ()


def finish_text(text: str, wording: Wording, *, rng: Random, protect: Sequence[str] = ()) -> Finished:
    """`text` with its wording kept: verified, or an error.

    Sentences with avoided words are dropped; reworded are the first one, those of `protect`, and all of them where
    little else is left. Locked phrases that are missing get sentences of their own.

    Raises:
        WordingLost: nothing is left without the avoided words, a locked phrase cannot be put in without them, or
            all that must be said does not fit the target.
    """
    if not (wording.locked or wording.avoid or wording.prefix or wording.target):
        return Finished(text)
    # A text that was finished before has its prefix already.
    text = " ".join(text.split()).removeprefix(with_prefix("", wording.prefix))
    parts = split_sentences(text, wording.locked)
    flags: list[str] = []
    parts = _restored(parts, wording.locked, flags)
    parts = _without_avoided(parts, wording, protect, flags)
    parts = _with_locked(parts, wording, rng, flags)
    whole = with_prefix("".join(parts).strip(), wording.prefix)
    if wording.target is not None:
        whole = _fitted(whole, wording, flags)
    verify(whole, wording)
    return Finished(whole, tuple(dict.fromkeys(flags)))


def with_prefix(text: str, prefix: str) -> str:
    """`text` with `prefix` and a comma in front; a blank alone where the prefix ends in a mark of its own."""
    if not prefix:
        return text
    return f"{prefix} {text}" if not (prefix[-1].isalnum() or prefix[-1] in "\"')]>") else f"{prefix}, {text}"


def faults(text: str, wording: Wording) -> list[str]:
    """What in `text` does not keep the wording, by kind: "avoided", "locked", "prefix", "target"; empty is good."""
    body = _body(text, wording.prefix)
    found = ["prefix"] if not text.startswith(with_prefix("", wording.prefix)) else []
    if said(body, wording):
        found.append("avoided")
    if any(not holds_locked(body, phrase) for phrase in wording.locked):
        found.append("locked")
    if wording.target is not None:
        from vidprompter.targets import fits

        whole = with_prefix(body, wording.prefix)
        found += [] if fits(wording.target, whole) else ["target"]
    return found


def verify(text: str, wording: Wording) -> None:
    """Nothing, if `text` keeps its wording.

    Raises:
        WordingLost: it does not; the line names the phrase.
    """
    body = _body(text, wording.prefix)
    if left := said(body, wording):
        raise WordingLost(f"the prompt still says {left[0]!r}, which is to be avoided; try another --seed")
    if missing := [phrase for phrase in wording.locked if not holds_locked(body, phrase)]:
        raise WordingLost(f"the prompt lacks the locked phrase {missing[0]!r}; try another --seed")
    if problem := faults(text, wording):
        raise WordingLost(f"the prompt does not keep its {problem[0]}; try another --seed")


def said(text: str, wording: Wording) -> list[str]:
    """What `text` says of the avoided words, by the rules and, in English, by spaCy's lemmas."""
    if not wording.avoid:
        return []
    found = mentions(text, wording.avoid)
    if not found and wording.language in (None, "en"):
        from vidprompter.wording.lemmas import lemma_mentions

        found = lemma_mentions(text, wording.avoid)
    return found


def _body(text: str, prefix: str) -> str:
    return text.removeprefix(with_prefix("", prefix)) if prefix else text


def _restored(parts: Sequence[str], locked: Sequence[str], flags: list[str]) -> list[str]:
    """Locked phrases that stand there in other capitals, blanks or hyphens, written as they were given."""
    out = list(parts)
    for phrase in locked:
        if any(holds_locked(part, phrase) for part in out):
            continue
        loose = _loosely(phrase)
        for i, part in enumerate(out):
            match = loose.search(part)
            if match is None:
                continue
            changed = part[: match.start()] + phrase + part[match.end() :]
            if match.start() == 0 and phrase[0].islower():
                changed = "Here, " + changed
            others = (one for one in locked if holds_locked(part, one))
            if holds_locked(changed, phrase) and all(holds_locked(changed, one) for one in others):
                out[i] = changed
                flags.append("restored:locked")
                break
    return out


def _loosely(phrase: str) -> re.Pattern[str]:
    words = [re.escape(word) for word in re.split(r"[\s-]+", phrase) if word]
    return re.compile(r"(?<!\w)" + r"[\s-]+".join(words) + r"(?!\w)", re.I)


def _without_avoided(
    parts: Sequence[str], wording: Wording, protect: Sequence[str], flags: list[str]
) -> list[str]:
    """The sentences that may stay."""
    if not wording.avoid:
        return list(parts)
    clean = [not said(part, wording) for part in parts]
    left = [part for part, good in zip(parts, clean, strict=True) if good]
    few = len(left) < _FEW_SENTENCES or len(" ".join(left).split()) < _FEW_WORDS
    out: list[str] = []
    for i, (part, good) in enumerate(zip(parts, clean, strict=True)):
        if good:
            out.append(part)
            continue
        worth = few or i == 0 or part.strip() in protect
        other = _reworded(part, wording) if worth and wording.language in (None, "en") else None
        if other is not None:
            out.append(other)
        flags.append("dropped:avoided" if other is None else "reworded:avoided")
    if not "".join(out).strip():
        raise WordingLost(
            f"nothing is left of the text without {', '.join(map(repr, wording.avoid[:3]))}; try another --seed, or "
            "avoid less"
        )
    return out


def _reworded(part: str, wording: Wording) -> str | None:
    from vidprompter.wording.reword import without_avoided

    stripped = part.rstrip()
    other = without_avoided(stripped, wording.avoid, keep=wording.locked)
    return None if other is None or said(other, wording) else other + part[len(stripped) :]


def _with_locked(parts: Sequence[str], wording: Wording, rng: Random, flags: list[str]) -> list[str]:
    """The sentences, with others at the end for the locked phrases that none of them holds."""
    missing = [phrase for phrase in wording.locked if not any(holds_locked(part, phrase) for part in parts)]
    if not missing:
        return list(parts)
    from vidprompter.wording.kinds import Phrase, kind_of
    from vidprompter.wording.phrasings import sentences_for

    english = wording.language in (None, "en")
    # Of phrases that hold one another, the longest brings the others along.
    needed = [p for p in missing if not any(p != other and holds_locked(other, p) for other in missing)]
    made = sentences_for(
        [Phrase(phrase, kind_of(phrase) if english else "other") for phrase in needed],
        rng=rng,
        subject=subject_of("".join(parts), wording) if english else "",
        refused=lambda sentence: bool(said(sentence, wording)),
        language=wording.language,
    )
    if made is None:
        raise WordingLost(
            f"no sentence with {needed[0]!r} does without {', '.join(map(repr, wording.avoid[:3]))}; avoid less"
        )
    flags.append("added:locked")
    out = list(parts)
    if out:
        end = "" if ends_as_sentence(out[-1]) else "."
        out[-1] = out[-1].rstrip().rstrip(",;:" if end else "") + end + " "
    return [*out, " ".join(made)]


def subject_of(text: str, wording: Wording) -> str:
    """A singular noun phrase for what `text` is about: "the woman", or "the main subject"."""
    from vidprompter.facts.text_facts import parse, things

    doc = parse([text])[0]
    for thing in things(doc):
        if thing.subject and thing.count == 1 and thing.kind in ("animal", "person"):
            phrase = f"the {thing.noun}"
            if not said(phrase, wording) and thing.noun != "animal":
                return phrase
    options = ("the main subject", "the central figure", "the one in focus", "someone")
    return next((one for one in options if not mentions(one, wording.avoid)), options[0])


def _fitted(text: str, wording: Wording, flags: list[str]) -> str:
    """`text` short enough for its target; locked phrases and prefix stay."""
    from vidprompter.targets import fit_text, fits

    name = wording.target
    assert name is not None
    keep = [phrase for phrase in (wording.prefix, *wording.locked) if phrase]
    # Where "art" is locked, the first "art" may be that of "start": then its whole sentence is kept.
    parts = split_sentences(text, wording.locked)
    for i, phrase in enumerate(keep):
        at = locked_at(text, phrase)
        if at is not None and text.find(phrase) != at:
            keep[i] = next((part.strip() for part in parts if holds_locked(part, phrase)), phrase)
    try:
        short, done = fit_text(text, name, keep=keep)
    except GenerationError as error:
        # The first sentence may go as well, where what must be said fits without it.
        only = [part for part in parts if any(holds_locked(part, phrase) for phrase in wording.locked)]
        least = with_prefix(_body("".join(only).strip(), wording.prefix), wording.prefix)
        if not only or not fits(name, least):
            raise WordingLost(str(error)) from error
        short, done = least, (f"shortened:{len(parts) - len(only)}",)
    flags += done
    return short
