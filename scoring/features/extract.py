"""Features of many texts and clips for several models: from the cache where they are there, else computed and kept.

Some texts are encoded while the first clips decode; from then on decoding runs ahead of encoding, a bounded number of clips.
The other texts come last: they are the smaller pieces of work, so that no core ends long before another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.features.cache import FeatureCache
from scoring.features.frames import FramePool, Job, Look, clip_digest, file_digest, look_at_clip
from scoring.features.model import ClipModel
from scoring.features.shard import Feature
from vidprompter.errors import VidPrompterError
from vidprompter.video.clip import Clip

_FRAMES_AT_ONCE = 32  # at least, of one call of an encoder; a GPU cuts its batches from more
_TEXTS_AT_ONCE = 128
# Calls under way: two, so that no core waits at the end of one, and the frames of as many more.
_LANES, _CALLS_WAITING = 2, 4
_REMEMBERED = 8192  # features, of 2 to 4 KB
_READERS = 4

Place = tuple[int, int]
"""Number of a model, number of a text or clip."""
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """What one feature of a clip is made of: a file, its part from `start` to `end` (seconds), or frames in memory."""

    video: Path | Clip
    start: float | None = None
    end: float | None = None


@dataclass
class Extracted:
    """texts, clips: features by model and number. errors: of clips, by number, in place of their features."""

    texts: dict[Place, Feature] = field(default_factory=dict)
    clips: dict[Place, Feature] = field(default_factory=dict)
    errors: dict[int, VidPrompterError] = field(default_factory=dict)


class Extractor:
    """Owns the models, the processes that decode and the cache."""

    def __init__(
        self, models: Sequence[ClipModel], cache: FeatureCache, frames: FramePool, *, on_gpu: bool
    ) -> None:
        self._models, self._cache, self._frames = models, cache, frames
        self._frames_at_once = _FRAMES_AT_ONCE * (8 if on_gpu else 1)
        self._memory: OrderedDict[bytes, Feature] = OrderedDict()

    def extract(self, texts: Sequence[str], sources: Sequence[Source]) -> Extracted:
        """Features of all `texts` and `sources`, each given once.

        Raises:
            ModelError: a model cannot be used.
        """
        found = Extracted()
        digests = _digests(sources)
        self._recall(texts, sources, digests, found)
        wanted_texts = [
            [n for n in range(len(texts)) if (model, n) not in found.texts]
            for model in range(len(self._models))
        ]
        wanted_clips = {
            n: wanting
            for n in range(len(sources))
            if (wanting := [m for m in range(len(self._models)) if (m, n) not in found.clips])
        }
        if wanted_clips or any(wanted_texts):
            work = _Work(self._models, self._frames, self._frames_at_once, found)
            work.run(texts, wanted_texts, sources, wanted_clips, digests)
            self._keep(texts, wanted_texts, sources, wanted_clips, digests, found)
        return found

    def close(self) -> None:
        """Lets go of weights and processes."""
        self._frames.close()
        self._cache.close()
        for model in self._models:
            model.close()

    def _recall(
        self, texts: Sequence[str], sources: Sequence[Source], digests: Sequence[str | None], found: Extracted
    ) -> None:
        keys: dict[bytes, tuple[dict[Place, Feature], Place]] = {}
        for m, model in enumerate(self._models):
            for n, text in enumerate(texts):
                keys[model.text_key(text)] = found.texts, (m, n)
            for n, (source, digest) in enumerate(zip(sources, digests, strict=True)):
                if digest is not None:
                    keys[model.clip_key(digest, source.start, source.end)] = found.clips, (m, n)
        known = {key: self._memory[key] for key in keys if key in self._memory}
        known.update(self._cache.get(key for key in keys if key not in known))
        for key, feature in known.items():
            shelf, place = keys[key]
            shelf[place] = feature
        self._remember(known)

    def _keep(
        self,
        texts: Sequence[str],
        wanted_texts: Sequence[Sequence[int]],
        sources: Sequence[Source],
        wanted_clips: Mapping[int, Sequence[int]],
        digests: Sequence[str | None],
        found: Extracted,
    ) -> None:
        """Keys are taken again: only a loaded model knows for sure how it computes."""
        new: dict[bytes, Feature] = {}
        for m, rows in enumerate(wanted_texts):
            for n in rows:
                new[self._models[m].text_key(texts[n])] = found.texts[m, n]
        for n, wanting in wanted_clips.items():
            digest, source = digests[n], sources[n]
            for m in wanting:
                if digest is not None and (m, n) in found.clips:
                    new[self._models[m].clip_key(digest, source.start, source.end)] = found.clips[m, n]
        self._cache.put(new)
        self._remember(new)

    def _remember(self, features: Mapping[bytes, Feature]) -> None:
        for key, feature in features.items():
            self._memory[key] = feature
            self._memory.move_to_end(key)
        while len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)


@dataclass
class _Group:
    """Clips that a model encodes together. numbers: in their order; missing: not decoded yet; pixels: of the others."""

    numbers: list[int]
    missing: set[int]
    pixels: dict[int, NDArray[np.uint8]] = field(default_factory=dict)


class _Work:
    """One round of computing what is not there yet."""

    def __init__(
        self, models: Sequence[ClipModel], frames: FramePool, frames_at_once: int, found: Extracted
    ) -> None:
        self._models, self._frames, self._at_once, self._found = models, frames, frames_at_once, found
        self._lanes = ThreadPoolExecutor(_LANES, thread_name_prefix="features")
        self._calls: dict[Future[list[Feature]], tuple[dict[Place, Feature], list[Place]]] = {}
        self._groups: dict[Place, _Group] = {}

    def run(
        self,
        texts: Sequence[str],
        wanted_texts: Sequence[Sequence[int]],
        sources: Sequence[Source],
        wanted_clips: Mapping[int, Sequence[int]],
        digests: list[str | None],
    ) -> None:
        try:
            pieces = [
                (m, some) for m, rows in enumerate(wanted_texts) for some in _pieces(rows, _TEXTS_AT_ONCE)
            ]
            first = 1 if wanted_clips else len(pieces)
            self._read(texts, pieces[:first])
            self._group(wanted_clips)
            self._look(sources, wanted_clips, digests)
            self._read(texts, pieces[first:])
            while self._calls:
                self._collect()
        finally:
            for call in self._calls:
                call.cancel()
            self._lanes.shutdown()

    def _read(self, texts: Sequence[str], pieces: Sequence[tuple[int, Sequence[int]]]) -> None:
        for m, numbers in pieces:
            places = [(m, n) for n in numbers]
            self._call(self._models[m].encode_texts, [texts[n] for n in numbers], self._found.texts, places)

    def _group(self, wanted: Mapping[int, Sequence[int]]) -> None:
        """Says beforehand which clips are encoded together: not who decodes first decides, and so no last digit."""
        for m, model in enumerate(self._models):
            numbers = [n for n, wanting in wanted.items() if m in wanting]
            for some in _pieces(numbers, -(-self._at_once // model.look.frames)):
                group = _Group(list(some), set(some))
                self._groups.update({(m, n): group for n in some})

    def _look(
        self, sources: Sequence[Source], wanted: Mapping[int, Sequence[int]], digests: list[str | None]
    ) -> None:
        jobs: dict[int, Job] = {}
        number_of: dict[int, int] = {}
        for n, wanting in wanted.items():
            source = sources[n]
            if isinstance(source.video, Path):
                jobs[n] = Job(source.video, source.start, source.end, self._looks(wanting))
                number_of[id(jobs[n])] = n
        for outcome in self._frames.map(jobs.values()) if jobs else ():
            n = number_of[id(outcome.item)]
            if outcome.value is None:
                assert outcome.error is not None
                self._found.errors[n] = outcome.error
                self._take(n, wanted[n], {})
                continue
            if digests[n] != outcome.value.digest:
                digests[n] = None  # it was written to in the meantime: what was seen has no name
            self._take(n, wanted[n], dict(zip(jobs[n].looks, outcome.value.pixels, strict=True)))
        for n, wanting in wanted.items():
            video = sources[n].video
            if isinstance(video, Clip):
                looks = self._looks(wanting)
                self._take(n, wanting, dict(zip(looks, look_at_clip(video, looks), strict=True)))

    def _looks(self, wanting: Sequence[int]) -> tuple[Look, ...]:
        return tuple(dict.fromkeys(self._models[m].look for m in wanting))

    def _take(self, n: int, wanting: Sequence[int], seen: Mapping[Look, NDArray[np.uint8]]) -> None:
        """A clip is decoded, or has failed (`seen` is empty): encodes the groups that waited for it alone."""
        for m in wanting:
            group, look = self._groups.pop((m, n)), self._models[m].look
            group.missing.remove(n)
            if look in seen:
                group.pixels[n] = seen[look]
            if not group.missing and group.pixels:
                numbers = [one for one in group.numbers if one in group.pixels]
                clips = [group.pixels[one] for one in numbers]
                places = [(m, one) for one in numbers]
                self._call(self._models[m].encode_clips, clips, self._found.clips, places)

    def _call(
        self,
        encode: Callable[[Sequence[T]], list[Feature]],
        inputs: Sequence[T],
        shelf: dict[Place, Feature],
        places: list[Place],
    ) -> None:
        while len(self._calls) >= _CALLS_WAITING:
            self._collect()
        self._calls[self._lanes.submit(encode, inputs)] = shelf, places

    def _collect(self) -> None:
        for call in wait(self._calls, return_when=FIRST_COMPLETED).done:
            shelf, places = self._calls.pop(call)
            shelf.update(zip(places, call.result(), strict=True))


def _digests(sources: Sequence[Source]) -> list[str | None]:
    """None for what cannot be read: whoever decodes it says why."""

    def digest(source: Source) -> str | None:
        return clip_digest(source.video) if isinstance(source.video, Clip) else file_digest(source.video)

    if len(sources) < 2:
        return [digest(source) for source in sources]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="digests") as readers:
        return list(readers.map(digest, sources))


def _pieces(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]
