"""The last hand on a text: avoided words out, locked phrases in, prefix in front, fitted to its target, verified."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from vidprompter.errors import GenerationError, WordingLost
from vidprompter.tasks import Wording
from vidprompter.wording.mentions import holds_locked, mentions
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
    little else is left. Locked phrases that stand in no sentence get one of their own. A target's limit costs
    sentences, those of `protect` last.

    Raises:
        WordingLost: nothing is left without the avoided words, a locked phrase cannot be put in without them, or
            all that must be said does not fit the target.
    """
    if not (wording.locked or wording.avoid or wording.prefix or wording.target):
        return Finished(text.strip())
    # A text that was finished before has its prefix already.
    text = " ".join(text.split()).removeprefix(with_prefix("", wording.prefix))
    parts = split_sentences(text, wording.locked)
    flags: list[str] = []
    parts = _restored(parts, wording.locked, flags)
    parts = _without_avoided(parts, wording, protect, flags)
    parts = _with_locked(parts, wording, rng, flags)
    whole = with_prefix("".join(parts).strip(), wording.prefix)
    if wording.target is not None:
        whole = _fitted(whole, wording, protect, flags)
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
    english = wording.language in (None, "en")
    parts = _in_sentences(parts, wording, flags) if english and wording.locked else list(parts)
    missing = [phrase for phrase in wording.locked if not _well_held(parts, phrase, english)]
    if not missing:
        return parts
    from vidprompter.wording.kinds import Phrase, kind_of
    from vidprompter.wording.phrasings import sentences_for

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


def _well_held(parts: Sequence[str], phrase: str, english: bool) -> bool:
    """Whether a sentence holds the phrase; in English, one that is a sentence indeed."""
    holding = [part for part in parts if holds_locked(part, phrase)]
    if not english or not holding:
        return bool(holding)
    from vidprompter.wording.grammar import is_said
    from vidprompter.wording.kinds import kind_of
    from vidprompter.wording.phrasings import is_own

    # What was written here is a sentence, whatever the parse makes of it.
    return any(is_said(one) or is_own(one, phrase, kind_of(phrase)) for one in map(str.strip, holding))


def _in_sentences(parts: Sequence[str], wording: Wording, flags: list[str]) -> list[str]:
    """The parts, those made sentences that hold a locked phrase in a fragment, such as "A boat floating by."."""
    from vidprompter.wording.grammar import framed

    out = list(parts)
    for phrase in wording.locked:
        if _well_held(out, phrase, True):
            continue
        for i, part in enumerate(out):
            if not holds_locked(part, phrase):
                continue
            stripped = part.rstrip()
            whole = framed(stripped, lambda sentence: bool(said(sentence, wording)))
            if whole is not None and holds_locked(whole, phrase):
                out[i] = whole + part[len(stripped) :]
                flags.append("framed:locked")
                break
    return out


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


def _fitted(text: str, wording: Wording, protect: Sequence[str], flags: list[str]) -> str:
    """`text` short enough for its target; locked phrases in their sentences and the prefix stay.

    So do the sentences of `protect`, where there is room for them.
    """
    from vidprompter.targets import fit_text, fits

    assert wording.target is not None
    english = wording.language in (None, "en")
    parts = [part.strip() for part in split_sentences(text, wording.locked)]
    holders = [_holder(parts, phrase, english) for phrase in wording.locked]
    prefix = [wording.prefix] if wording.prefix else []
    guarded = [part for part in parts if part in protect]
    for keep in ([*prefix, *holders, *guarded], [*prefix, *holders], [*prefix, *wording.locked]):
        try:
            short, done = fit_text(text, wording.target, keep=keep)
        except GenerationError as error:
            why = str(error)
            continue
        flags += done
        return short
    # The first sentence may go as well, where what must be said fits without it.
    least = with_prefix(_body(" ".join(dict.fromkeys(holders)), wording.prefix), wording.prefix)
    if not holders or not fits(wording.target, least):
        raise WordingLost(why)
    flags.append(f"shortened:{len(parts) - len(set(holders))}")
    return least


def _holder(parts: Sequence[str], phrase: str, english: bool) -> str:
    """The sentence that holds the phrase, the first that is one indeed; the phrase itself where none does."""
    holding = [part for part in parts if holds_locked(part, phrase)]
    sound = [part for part in holding if _well_held([part], phrase, english)]
    return next(iter(sound or holding), phrase)
