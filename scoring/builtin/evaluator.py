"""The evaluator of the default install: what a caption states against what is measured, as one number from 0 to 100.

How the number is made: `scoring.builtin.weigh`. It needs the weights of `builtin` and no CLIP, knows English alone, and
says in `Score.details` why the number is what it is:

    precision, recall, match    0-1, None where there was nothing to compare
    contradictions              kind, said, measured, sentence: of each claim that what was measured speaks against
    facts                       kind, said, measured, support (0-1), verdict, sentence: of each claim
    missed                      sure facts of the sheet that the text does not name
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import ModelError, WeightsMissing
from scoring.builtin.verdict import Verdict
from scoring.builtin.weigh import RULES, Judge, Weighed
from scoring.ensemble import check_lengths
from scoring.names import EvaluatorOptions
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.facts.claims import Statement, statements
from vidprompter.scores import LANGUAGE, TRUNCATED, EvaluatorIdentity, Outcome, Score, Scored, empty_score
from vidprompter.tasks import Request
from vidprompter.video.clip import Clip
from vidprompter.wording.english import looks_english

if TYPE_CHECKING:
    from scoring.builtin.kept import KeptLooks
    from scoring.builtin.look import Look, LookItem
    from scoring.builtin.meaning import Meanings
    from vidprompter.video.workers import WorkerPool

NAME = "builtin"
LOW, HIGH = 0.0, 100.0
NOTHING_TO_CHECK, NO_PICTURES, UNSURE = "nothing to check", "no pictures", "unsure"
"""Flags: the text states nothing that can be compared, so that the match alone counts; only a sheet was given, so that
there is no match; the look has no opinion on any of it."""
MAX_CHARACTERS = 100_000  # some 15,000 words; what follows is not read, and told
MAX_QUOTED = 400  # characters of a sentence in the details
KEPT_LOOKS = 512  # of 30 kB each: rankings ask for a clip again
_ENTRIES = ("ssd-mobilenet-v3", "efficientnet-lite2", "minilm-l6-v2")


class BuiltinEvaluator:
    """See `vidprompter.scores.Evaluator`. Not for use by two threads at once."""

    def __init__(
        self, options: EvaluatorOptions | None = None, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self._options = options or EvaluatorOptions()
        self._say = say
        self._kept: KeptLooks | None = None
        self._meanings: Meanings | None = None
        self._looks: OrderedDict[object, Look] = OrderedDict()
        self._pool: WorkerPool[LookItem, Look] | None = None
        self._pool_size = 0

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        """Its one number; known without loading."""
        from models.registry import registry
        from vidprompter.sheet.measure import PICTURES

        revisions = [registry().get(name).revision for name in _ENTRIES]
        return (
            EvaluatorIdentity(
                NAME,
                LOW,
                HIGH,
                model=NAME,
                revision="+".join([*revisions, f"rules.{RULES}"]),
                settings={"pictures": PICTURES},
            ),
        )

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        """See `vidprompter.scores.Evaluator`. Each clip is measured once, all texts are parsed in one go.

        Raises:
            ModelError: weights are missing (the message holds the command that fetches them) or damaged.
            InputError: as many requests as lists of candidates are wanted.
        """
        check_lengths(requests, candidates)
        if not requests:
            return []
        _check_weights()
        looks = self._look_at(requests)
        read = _read([text for texts in candidates for text in texts])
        meanings = self._learn(read)
        return [
            look if isinstance(look, VidPrompterError) else _score_all(look, texts, read, meanings)
            for look, texts in zip(looks, candidates, strict=True)
        ]

    def close(self) -> None:
        """Lets go of the encoder, of the processes and of what is known of clips."""
        self._close_pool()
        self._meanings = None
        self._looks.clear()

    def _learn(self, read: Mapping[str, Statement]) -> Meanings:
        """The encoder with the vectors of all nouns and sentences, encoded in one go."""
        from scoring.builtin.meaning import Meanings

        if self._meanings is None:
            from models.sentence import load_sentence_encoder

            self._meanings = Meanings(load_sentence_encoder())
        words = [w for one in read.values() for c in one.claims for w in (c.noun, c.phrase, c.basic)]
        self._meanings.learn([*words, *(text for one in read.values() for text in _compared(one))])
        return self._meanings

    def _look_at(self, requests: Sequence[Request]) -> list[Look | VidPrompterError]:
        """What was seen of each request's clip; the same clip is looked at once."""
        keys = [_key(request) for request in requests]
        wanted: dict[object, LookItem] = {}
        failed: dict[object, VidPrompterError] = {}
        here: dict[object, Look] = {}
        for key, request in zip(keys, requests, strict=True):
            if key in here or key in wanted or key in failed:
                continue
            if isinstance(request.video, Clip):
                try:
                    here[key] = _look_at_clip(request)
                except ModelError:
                    raise
                except VidPrompterError as error:
                    failed[key] = error
            elif key in self._looks:
                here[key] = self._looks[key]
                self._looks.move_to_end(key)
            elif request.video is not None:
                wanted[key] = _item(request)
        self._measure(wanted, here, failed)
        return [
            failed[key] if key in failed else _with_sheet(request, here.get(key))
            for key, request in zip(keys, requests, strict=True)
        ]

    def _measure(
        self,
        wanted: Mapping[object, LookItem],
        here: dict[object, Look],
        failed: dict[object, VidPrompterError],
    ) -> None:
        """Adds what workers see of files to `here`, and what went wrong to `failed`."""
        if not wanted:
            return
        kept = self._kept_looks()
        names = {item: _name_on_disk(item) for item in wanted.values()} if kept.is_on else {}
        for key, item in wanted.items():
            if (name := names.get(item)) and (look := kept.get(name)) is not None:
                here[key] = self._looks[key] = look
        key_of = {item: key for key, item in wanted.items() if key not in here}
        if not key_of:
            return
        for outcome in self._workers_for(len(key_of)).map(list(key_of)):
            if isinstance(outcome.error, ModelError):
                raise outcome.error  # not the clip's fault
            key = key_of[outcome.item]
            if outcome.error is not None:
                failed[key] = outcome.error
            elif outcome.value is not None:
                here[key] = self._looks[key] = outcome.value
                # One that was written to in the meantime has no name.
                if (name := names.get(outcome.item)) and name == _name_on_disk(outcome.item):
                    kept.put(name, outcome.value)
        while len(self._looks) > KEPT_LOOKS:
            self._looks.popitem(last=False)

    def _kept_looks(self) -> KeptLooks:
        from scoring.builtin.kept import KeptLooks
        from scoring.features.cache import default_folder

        if self._kept is None:
            folder = self._options.cache or default_folder()
            self._kept = KeptLooks(folder, self._options.cache_bytes, self._say)
        return self._kept

    def _workers_for(self, clips: int) -> WorkerPool[LookItem, Look]:
        """Processes for so many clips; kept for the next call, since each loads its networks first."""
        from scoring.builtin.look import look_at_file
        from vidprompter.video.workers import WorkerPool

        wanted = max(1, min(self._options.workers, clips))
        if self._pool is None or self._pool_size < wanted:
            self._close_pool()
            self._pool_size = wanted
            self._pool = WorkerPool(
                look_at_file,
                workers=wanted,
                timeout_seconds=self._options.timeout_seconds,
                describe=lambda item: str(item.path),
            )
        return self._pool

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def _name_on_disk(item: LookItem) -> str | None:
    """What a look is kept under; None for a file that cannot be read: whoever decodes it says why."""
    from models.registry import registry
    from scoring.builtin.kept import look_key
    from scoring.features.frames import file_digest

    digest = file_digest(item.path)
    if digest is None:
        return None
    seen_by = "+".join(registry().get(name).revision for name in _ENTRIES[:2])
    return look_key(digest, item.start, item.end, seen_by)


def _check_weights() -> None:
    from models.fetching.find import find

    for name in _ENTRIES:
        try:
            find(name)
        except WeightsMissing as error:
            raise WeightsMissing(
                f"the evaluator 'builtin' needs {name!r}, which is not on this machine; run `vidprompter models pull {NAME}`"
            ) from error


def _item(request: Request) -> LookItem:
    from scoring.builtin.look import LookItem

    return LookItem(Path(str(request.video)), request.start, request.end)


def _key(request: Request) -> object:
    """What tells one clip from another; a file that was changed is another clip."""
    if request.video is None:
        return None
    if isinstance(request.video, Clip):
        return ("clip", id(request.video))
    path = Path(request.video)
    try:
        state = path.stat()
    except OSError:  # the worker says what is wrong with it
        return (str(path), request.start, request.end)
    return (str(path.absolute()), state.st_size, state.st_mtime_ns, request.start, request.end)


def _look_at_clip(request: Request) -> Look:
    from scoring.builtin.look import look_at_clips

    assert isinstance(request.video, Clip)
    return look_at_clips(request.video, request.video, start=request.start, end=request.end)


def _with_sheet(request: Request, look: Look | None) -> Look | VidPrompterError:
    """The look with the request's own sheet, if it has one; from that sheet alone where there are no pictures."""
    from scoring.builtin.look import look_of_sheet

    if look is not None:
        return look if request.sheet is None else replace(look, sheet=request.sheet)
    if request.sheet is not None:
        return look_of_sheet(request.sheet)
    return InputError(
        "'builtin' compares a text with a video, and this request has none; give a video, a sheet, or use 'rubric'"
    )


def _read(texts: Sequence[str]) -> dict[str, Statement]:
    """Text -> what it states, for all that can be read; parsed in one go."""
    wanted = sorted({text for text in texts if _has_words(text) and looks_english(text)})
    return dict(zip(wanted, statements([text[:MAX_CHARACTERS] for text in wanted]), strict=True))


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _compared(statement: Statement) -> list[str]:
    """What of a text is compared in meaning: the things of its sentences, or the sentences where they name none."""
    return [text for text in statement.contents if text] or list(statement.sentences)


def _score_all(
    look: Look, texts: Sequence[str], read: Mapping[str, Statement], meanings: Meanings
) -> list[Scored]:
    from scoring.builtin.meaning import mix

    judge = Judge(look, meanings, mix(look, meanings) if len(look.classes) else None)
    known: dict[str, Score] = {}
    for text in texts:
        if text not in known:
            known[text] = _score(text, read.get(text), judge, pictures=bool(len(look.classes)))
    return [Scored(text, (known[text],), known[text].value) for text in texts]


def _score(text: str, statement: Statement | None, judge: Judge, *, pictures: bool) -> Score:
    if not _has_words(text):
        return empty_score(NAME)
    if statement is None:
        return Score(NAME, None, flags=(LANGUAGE,))
    weighed = judge.weigh(statement)
    flags = []
    dropped = len(text[MAX_CHARACTERS:].split())
    if dropped:
        flags.append(TRUNCATED)
    if not weighed.verdicts:
        flags.append(NOTHING_TO_CHECK)
    elif all(verdict.support == 0.5 for verdict in weighed.verdicts):
        flags.append(UNSURE)
    if not pictures:
        flags.append(NO_PICTURES)
    # Vectors differ by a millionth with what they are encoded together with.
    value = None if weighed.value is None else round(float(np.clip(weighed.value, LOW, HIGH)), 3)
    return Score(NAME, value, None, dropped, tuple(flags), _details(weighed, statement))


def _details(weighed: Weighed, statement: Statement) -> dict[str, Any]:
    facts = [_fact(verdict, statement) for verdict in weighed.verdicts]
    wrong = [fact for fact in facts if fact["verdict"] == "contradicted"]
    return {
        "precision": _rounded(weighed.precision),
        "recall": _rounded(weighed.recall),
        "match": _rounded(weighed.match),
        "contradictions": [{k: f[k] for k in ("kind", "said", "measured", "sentence")} for f in wrong],
        "facts": facts,
        "missed": list(weighed.missed),
    }


def _fact(verdict: Verdict, statement: Statement) -> dict[str, Any]:
    claim = verdict.claim
    noun = claim.phrase or claim.noun
    return {
        "kind": claim.kind,
        "said": f"{claim.said} {noun}" if claim.kind in ("color", "count") and noun else noun or claim.said,
        "measured": verdict.measured,
        "support": round(verdict.support, 4),
        "verdict": verdict.word,
        "sentence": statement.sentences[claim.sentence][:MAX_QUOTED],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
