"""The transformers engine: any video model of transformers, or a VILA-1.5 folder, behind the three tasks."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprompter.engines.asking import answer_text, asked_text
from vidprompter.engines.decoding import Drawing, Drawn, OnToken, Row, draw_from, seed_of
from vidprompter.engines.memory import free_bytes, halving, rows_that_fit
from vidprompter.engines.multimodal.inputs import Context, Reader, VilaReader, spread_frames
from vidprompter.engines.options import EngineOptions
from vidprompter.engines.protocol import Capabilities
from vidprompter.engines.stops import cut_at_stop, stop_check
from vidprompter.errors import GenerationError, InputError, VidPrompterError
from vidprompter.heap import trim_heap
from vidprompter.tasks import Answer, Beam, Finish, Prompt, Request, Sampling, Task, TokenLogprobs

if TYPE_CHECKING:
    from models.locate import Located
    from vidprompter.engines.multimodal.load import VideoModel
    from vidprompter.video.clip import Clip

CAPABILITIES = Capabilities(
    video=True, beams=True, logprobs=True, streaming=True, frames=True, languages=True
)


@dataclass(frozen=True)
class _Job:
    """A request with its context."""

    request: Request
    context: Context

    @property
    def sampling(self) -> Sampling:
        return self.request.sampling

    @property
    def rows(self) -> int:
        """How many rows it takes while it is written."""
        return max(self.sampling.beams, self._candidates)

    @property
    def _candidates(self) -> int:
        return (self.sampling.candidates or 1) if self.sampling.temperature else 1

    @property
    def seeds(self) -> tuple[int, ...]:
        """One for each candidate."""
        request = self.request
        return tuple(
            seed_of(request.seed, request.variant, candidate, self.context.ids)
            for candidate in range(self._candidates)
        )


@dataclass
class _Seen:
    """Clips and contexts of one call, by what they were made from: each is read once."""

    clips: dict[Hashable, Clip] = field(default_factory=dict)
    contexts: dict[tuple[Hashable, str], Context] = field(default_factory=dict)


class TransformersEngine:
    """A large video model, whole in this process. Loads nothing until it first writes."""

    engine = "transformers"
    capabilities = CAPABILITIES

    def __init__(self, located: Located, options: EngineOptions | None = None) -> None:
        self._located = located
        self.options = options or EngineOptions()
        self.model, self.revision = located.name, located.revision
        self._at_once: int | None = None  # requests, once memory was short

    @cached_property
    def _loaded(self) -> VideoModel:
        from vidprompter.engines.multimodal.load import load_video_model

        return load_video_model(self._located, self.options)

    @cached_property
    def _reader(self) -> Reader | VilaReader:
        loaded = self._loaded
        if self._located.kind == "vila":
            return VilaReader(loaded.processor)
        return Reader(loaded.processor, loaded.model.config)

    def load(self) -> str:
        """Load the weights now; returns one line on what was chosen and why."""
        why = self._loaded.why
        return (
            why
            if self._reader.has_template
            else f"{why}; no chat template: a plain USER/ASSISTANT form is used"
        )

    def unload(self) -> None:
        """Drop the weights and give their memory back; the next request loads them again."""
        for part in ("_loaded", "_reader", "_stop"):
            self.__dict__.pop(part, None)
        from vidprompter.engines.memory import give_back

        give_back()
        trim_heap()

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        """One result per request, in order; a request that cannot be answered gives its error.

        What does not fit into the memory at once is written in halves.

        Raises:
            OutOfMemory: not even one request fits.
        """
        self.load()
        results: list[Prompt | VidPrompterError | None] = [None] * len(requests)
        jobs: dict[int, _Job] = {}
        seen = _Seen()
        for number, request in enumerate(requests):
            try:
                jobs[number] = self._prepare(request, seen)
            except VidPrompterError as error:
                results[number] = error
        for part in self._parts(jobs):
            written, self._at_once = halving(self._write, [jobs[n] for n in part], self._at_once)
            for number, prompt in zip(part, written, strict=True):
                results[number] = prompt
        return [one for one in results if one is not None]

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """For each text its tokens' log-probabilities as the answer to `request`, which is encoded once.

        A string is tokenized and its end added; of a `Prompt` or `Beam` of this model its own tokens are taken.
        """
        from vidprompter.engines.multimodal.encode import encode_contexts
        from vidprompter.engines.score import score_texts

        context = self._prepare(request, _Seen()).context
        answers = [self._tokens(text) for text in texts]
        model = self._loaded.model
        found = score_texts(model, lambda: encode_contexts(model, [context], self._pad), answers)
        return [
            TokenLogprobs(text if isinstance(text, str) else text.text, ids, logprobs)
            for text, ids, logprobs in zip(texts, answers, found, strict=True)
        ]

    def stream(self, request: Request) -> Iterator[str]:
        """The model's text as it is written, in pieces; one candidate, without beams."""
        from vidprompter.engines.streaming import stream_text

        sampling = replace(request.sampling, beams=1, candidates=1)
        job = self._prepare(replace(request, sampling=sampling), _Seen())
        yield from stream_text(lambda on_token: self._draw([job], on_token), self._decode)

    # ---- from requests to contexts

    def _prepare(self, request: Request, seen: _Seen) -> _Job:
        source = None if request.task is Task.SHORT_TO_PROMPT else self._source(request)
        text = asked_text(request, self.options.template)
        context = seen.contexts.get((source, text))
        if context is None:
            clip = None if source is None else self._clip(request, source, seen)
            context = seen.contexts[source, text] = self._reader.read(text, clip)
        self._check_length(request, context)
        return _Job(replace(request, sampling=request.sampling.resolved(1)), context)

    def _source(self, request: Request) -> Hashable:
        """What the frames come from, to tell one clip from another."""
        from vidprompter.video.clip import Clip

        if request.video is None:
            raise InputError(
                f"{self.model} looks at frames, and the request has a scene sheet alone; give video="
            )
        if isinstance(request.video, Clip):
            return id(request.video)
        return Path(request.video), request.start, request.end

    def _clip(self, request: Request, source: Hashable, seen: _Seen) -> Clip:
        from vidprompter.video.clip import Clip
        from vidprompter.video.sampling import Uniform
        from vidprompter.video.source import VideoSource

        assert request.video is not None
        if isinstance(request.video, Clip):
            return spread_frames(request.video, self.options.frames)
        if source not in seen.clips:
            file = VideoSource(request.video, start=request.start, end=request.end)
            (seen.clips[source],) = file.sample(Uniform(self.options.frames, max_side=self.options.max_side))
        return seen.clips[source]

    def _check_length(self, request: Request, context: Context) -> None:
        limit = getattr(self._loaded.model.config.get_text_config(), "max_position_embeddings", None)
        needed = len(context.ids) + request.sampling.max_new_tokens
        if limit is not None and needed > limit:
            raise GenerationError(
                f"the context has {len(context.ids)} tokens ({context.visual} of frames) and the answer may have "
                f"{request.sampling.max_new_tokens}; {self.model} takes {limit} in all (try fewer --frames)"
            )

    # ---- from contexts to prompts

    def _parts(self, jobs: dict[int, _Job]) -> list[list[int]]:
        """Requests that are written together: of one form and sampling, of similar length, as many as fit."""
        groups: dict[Any, list[int]] = {}
        for number, job in jobs.items():
            sampling = job.sampling
            alike = (
                job.context.form(),
                sampling.max_new_tokens,
                sampling.temperature,
                sampling.top_p,
                sampling.beams,
                sampling.stop,
            )
            groups.setdefault(alike, []).append(number)
        return [part for members in groups.values() for part in self._cut(members, jobs)]

    def _cut(self, members: list[int], jobs: dict[int, _Job]) -> list[list[int]]:
        order = sorted(members, key=lambda n: (len(jobs[n].context.ids), n))
        parts: list[list[int]] = []
        filled = 0
        for number in reversed(order):  # the longest first: if memory is short, it is short at once
            job = jobs[number]
            if not parts or filled + job.rows > self._room(len(jobs[parts[-1][0]].context.ids), job.sampling):
                parts.append([])
                filled = 0
            parts[-1].append(number)
            filled += job.rows
        return parts

    def _room(self, tokens: int, sampling: Sampling) -> int:
        """Rows of contexts of `tokens` tokens that the memory holds."""
        return rows_that_fit(
            self._loaded.model.config.get_text_config(),
            itemsize=self._loaded.model.dtype.itemsize,
            new_tokens=sampling.max_new_tokens,
            free=free_bytes(self._loaded.device),
            context=tokens,
        )

    def _write(self, jobs: Sequence[_Job]) -> list[Prompt | VidPrompterError]:
        if jobs[0].sampling.beams > 1:
            return self._search(jobs)
        return [self._best(job, candidates) for job, candidates in zip(jobs, self._draw(jobs), strict=True)]

    def _draw(self, jobs: Sequence[_Job], on_token: OnToken | None = None) -> list[list[Drawn]]:
        from vidprompter.engines.multimodal.encode import encode_contexts

        model, sampling = self._loaded.model, jobs[0].sampling
        contexts, owners = _once_each(jobs)
        banned = tuple((token,) for token in self._reader.placeholders)
        rows = [Row((), tuple(seed for job in own for seed in job.seeds), banned) for own in owners]
        drawing = Drawing(
            sampling.max_new_tokens,
            sampling.temperature,
            sampling.top_p,
            frozenset(self._stop),
            stop_check(self._decode, sampling.stop),
            logprobs=True,
        )
        drawn = draw_from(
            model, lambda: encode_contexts(model, contexts, self._pad), rows, drawing, on_token=on_token
        )
        by_job: dict[int, list[Drawn]] = {}
        for own, candidates in zip(owners, drawn, strict=True):
            taken = iter(candidates)
            for job in own:
                by_job[id(job)] = [next(taken) for _ in job.seeds]
        return [by_job[id(job)] for job in jobs]

    def _search(self, jobs: Sequence[_Job]) -> list[Prompt | VidPrompterError]:
        from vidprompter.engines.beams import beam_search
        from vidprompter.engines.multimodal.encode import encode_contexts

        model, sampling = self._loaded.model, jobs[0].sampling
        found = beam_search(
            model,
            lambda: encode_contexts(model, [job.context for job in jobs], self._pad),
            width=sampling.beams,
            max_new_tokens=sampling.max_new_tokens,
            stop=self._stop,
            ends=stop_check(self._decode, sampling.stop),
            banned=self._reader.placeholders,
        )
        results: list[Prompt | VidPrompterError] = []
        for job, beams in zip(jobs, found, strict=True):
            told = tuple(
                Beam(
                    self._text(job.request, beam.ids),
                    beam.logprob,
                    beam.ids,
                    "stop" if beam.stopped else "length",
                )
                for beam in beams
            )
            first = told[0]
            results.append(self._prompt(job, first.text, first.finish, first.ids, first.logprob, beams=told))
        return results

    def _best(self, job: _Job, candidates: Sequence[Drawn]) -> Prompt | VidPrompterError:
        """A finished text before a cut one, then the likeliest by the token."""

        def rank(one: Drawn) -> tuple[bool, float]:
            return not one.stopped, -(one.logprob or 0.0) / (len(one.ids) + 1)

        chosen = min(candidates, key=rank)
        ids = chosen.ids if chosen.end is None else (*chosen.ids, chosen.end)
        finish: Finish = "stop" if chosen.stopped else "length"
        return self._prompt(job, self._text(job.request, ids), finish, ids, chosen.logprob)

    def _prompt(
        self,
        job: _Job,
        text: str,
        finish: Finish,
        ids: tuple[int, ...],
        logprob: float | None,
        *,
        beams: tuple[Beam, ...] = (),
    ) -> Prompt:
        """text: may be empty; whoever keeps the wording (`vidprompter.wording.engine`) asks again then."""
        request = job.request
        return Prompt(
            text=text,
            task=request.task,
            model=self.model,
            revision=self.revision,
            engine=self.engine,
            seed=request.seed,
            variant=request.variant,
            finish=finish,
            tokens_in=len(job.context.ids),
            tokens_out=len(ids) - (1 if ids and ids[-1] in self._stop else 0),
            settings=request.sampling.fields()
            | {"dtype": self._loaded.dtype, "device": self._loaded.device, "frames": self.options.frames},
            logprob=logprob,
            beams=beams,
            tokens_visual=job.context.visual,
            ids=ids,
        )

    # ---- tokens and text

    @cached_property
    def _stop(self) -> tuple[int, ...]:
        """The tokens that end an answer, the usual one first."""
        loaded, tokenizer = self._loaded, self._reader.tokenizer
        given = loaded.model.generation_config.eos_token_id
        ends = list(given) if isinstance(given, list | tuple) else [given]
        return tuple(dict.fromkeys(int(one) for one in [*ends, tokenizer.eos_token_id] if one is not None))

    @property
    def _pad(self) -> int:
        pad = self._reader.tokenizer.pad_token_id
        return int(pad) if pad is not None else next(iter(self._stop), 0)

    def _tokens(self, text: Answer) -> tuple[int, ...]:
        if not isinstance(text, str):
            if not text.ids:
                raise InputError(
                    "this prompt holds no tokens of its model; give its text, or one of this model's own"
                )
            return text.ids
        if not text.strip():
            raise InputError("an answer is empty; give the texts whose probability is asked for")
        ids = self._reader.tokenizer(text, add_special_tokens=False)["input_ids"]
        end = self._reader.end if self._reader.end is not None else next(iter(self._stop), None)
        return tuple(ids) if end is None else (*ids, end)

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._reader.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def _text(self, request: Request, ids: Sequence[int]) -> str:
        """The answer, up to where a stop text begins."""
        return answer_text(request, cut_at_stop(self._decode(ids), request.sampling.stop))


def _once_each(jobs: Sequence[_Job]) -> tuple[list[Context], list[list[_Job]]]:
    """Each context once, with the jobs that have it: captions of one clip differ in their seeds alone."""
    contexts: list[Context] = []
    owners: list[list[_Job]] = []
    seen: dict[int, int] = {}
    for job in jobs:
        key = id(job.context)
        if key not in seen:
            seen[key] = len(contexts)
            contexts.append(job.context)
            owners.append([])
        owners[seen[key]].append(job)
    return contexts, owners
