"""CLIP, Long-CLIP and VideoCLIP-XL: how like a clip a text is, 100 x the cosine of their features.

A clip is decoded once for all models, and encoded once by each, however many texts are asked about. Features are kept on
disk (scoring/features/cache.py), so that a second run loads neither torch nor weights. Scores do not depend on what else is
asked in the same call, but for rounding: less than 1e-4 in the features' cosine where batches differ, and nothing at all
where they do not. From one request to the next the memory that is needed does not grow.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scoring.ensemble import check_lengths
from scoring.features.cache import FeatureCache
from scoring.features.extract import Extracted, Extractor, Source
from scoring.features.frames import FramePool
from scoring.features.model import ClipModel, expects_gpu
from scoring.features.shard import Feature
from scoring.names import EvaluatorOptions, Named
from vidprompter.errors import InputError
from vidprompter.scores import LANGUAGE, TRUNCATED, EvaluatorIdentity, Outcome, Score, Scored, empty_score
from vidprompter.tasks import Request
from vidprompter.video.clip import Clip
from vidprompter.wording.english import looks_english

WINDOW = 64
"""Requests that are under way at once; of a call with more, those before are done and forgotten."""


class Similarity:
    """An `Evaluator` for those of CLIP, Long-CLIP and VideoCLIP-XL that are named.

    A text's last tokens are not read where it has more than the model takes: `Score.truncated` says how many, and the
    score has the flag "truncated". One that is not English, on which these models were trained, has a score and the flag
    "language". A text without words has no score. A request without a video is an InputError in its
    place, one whose video cannot be read a VideoError. For frames in memory (`Clip`) `start` and `end` mean nothing: what
    is there is looked at.

    Raises:
        InputError: an option that makes no sense.
        UnknownModel, WeightsMissing, WeightsCorrupt, ModelError: a checkpoint cannot be used; nothing is loaded yet.
    """

    def __init__(
        self,
        named: Sequence[Named],
        options: EvaluatorOptions | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        options = options or EvaluatorOptions()
        _check(options)
        self._models = tuple(ClipModel(one, options, say) for one in named)
        self._extractor = Extractor(
            self._models,
            FeatureCache(options.cache, options.cache_bytes, say),
            FramePool(options.workers, options.timeout_seconds),
            on_gpu=expects_gpu(options),
        )

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        """One for each model."""
        return tuple(model.identity for model in self._models)

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        """See `vidprompter.scores.Evaluator`."""
        check_lengths(requests, candidates)
        outcomes: list[Outcome] = []
        for first in range(0, len(requests), WINDOW):
            some = slice(first, first + WINDOW)
            outcomes += self._window(requests[some], candidates[some])
        return outcomes

    def close(self) -> None:
        """See `vidprompter.scores.Evaluator`."""
        self._extractor.close()

    def _window(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        sources: dict[object, tuple[int, Source]] = {}
        numbers: list[int | None] = []
        for request in requests:
            source = _source_of(request)
            known = sources.setdefault(_same(source), (len(sources), source)) if source else None
            numbers.append(known[0] if known else None)
        asked = [texts for texts, number in zip(candidates, numbers, strict=True) if number is not None]
        texts = {
            text: n for n, text in enumerate(dict.fromkeys(t for some in asked for t in some if has_words(t)))
        }
        found = self._extractor.extract(list(texts), [source for _, source in sources.values()])
        return [
            self._outcome(number, some, texts, found)
            for number, some in zip(numbers, candidates, strict=True)
        ]

    def _outcome(
        self, number: int | None, candidates: Sequence[str], texts: dict[str, int], found: Extracted
    ) -> Outcome:
        names = " and ".join(model.name for model in self._models)
        if number is None:
            return InputError(
                f"{names} compares texts with a video, and this request has none; give a video, or use the evaluators "
                "'rubric' and 'judge'"
            )
        if number in found.errors:
            return found.errors[number]
        return [
            Scored(text, tuple(self._score(m, number, text, texts, found) for m in range(len(self._models))))
            for text in candidates
        ]

    def _score(self, m: int, clip: int, text: str, texts: dict[str, int], found: Extracted) -> Score:
        model = self._models[m]
        if text not in texts:
            return empty_score(model.name)
        feature = found.texts[m, texts[text]]
        cut = max(0, feature.count - model.card.max_tokens)
        flags = (*([TRUNCATED] if cut else []), *([] if looks_english(text) else [LANGUAGE]))
        return Score(model.name, _likeness(found.clips[m, clip], feature), feature.count, cut, flags)


def has_words(text: str) -> bool:
    """Whether a text has a letter, a digit or a symbol such as an emoji, of any script."""
    return any(unicodedata.category(letter)[0] in "LNS" for letter in text)


def _likeness(clip: Feature, text: Feature) -> float:
    # In float64, one pair at a time: the same pair has the same score in whatever company.
    return float(100.0 * np.dot(clip.vector.astype(np.float64), text.vector.astype(np.float64)))


def _source_of(request: Request) -> Source | None:
    if request.video is None:
        return None
    if isinstance(request.video, Clip):
        return Source(request.video)
    return Source(Path(request.video), request.start, request.end)


def _same(source: Source) -> object:
    """Equal for sources that are one."""
    if isinstance(source.video, Clip):
        return id(source.video)
    return source.video.absolute(), source.start, source.end


def _check(options: EvaluatorOptions) -> None:
    if options.frames < 1:
        raise InputError(f"frames is {options.frames}; it must be at least 1")
    if options.workers < 1:
        raise InputError(f"workers is {options.workers}; it must be at least 1")
    if options.cache_bytes < 0:
        raise InputError(f"cache_bytes is {options.cache_bytes}; it must be 0 (no cache) or more")
    if options.batch is not None and options.batch < 1:
        raise InputError(f"batch is {options.batch}; it must be at least 1, or None")
