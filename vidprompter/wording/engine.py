"""Any engine with its wording kept: texts are checked, the bad ones asked for again, the rest mended and verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from vidprompter.engines.decoding import seed_of
from vidprompter.engines.protocol import Capabilities, Engine, SharesCores
from vidprompter.errors import GenerationError, VidPrompterError, WordingLost
from vidprompter.tasks import Answer, Prompt, Request, TokenLogprobs, Wording
from vidprompter.wording.checks import checked
from vidprompter.wording.finish import faults, finish_text
from vidprompter.wording.loops import MAX_RETRIES, RETRY_TEMPERATURE, is_loop

# How bad each fault is; the answer with the least of them is mended.
_WEIGHT = {"empty": 16.0, "loop": 8.0, "avoided": 4.0, "locked": 2.0, "target": 1.0, "same": 0.5}


@dataclass(frozen=True)
class _Try:
    """An answer with what is wrong with it, by kind, before it is mended."""

    prompt: Prompt
    faults: tuple[str, ...]

    @property
    def weight(self) -> float:
        return sum(_WEIGHT[fault] for fault in self.faults)


class Worded:
    """Another engine, whose texts keep the wording of their requests.

    A text that goes in circles, is empty, says what is to be avoided, lacks a locked phrase or is too long for its
    target, or that another variant of the same request has word for word, is asked for again with another seed, up to
    twice, all such texts of a batch together. The best is mended: its flags say how ("retried:loop", "dropped:avoided",
    "added:locked", "same:variant" ...), and a circle that stays has the finish "loop". Beams are left as the model wrote
    them; only the prompt's text is mended, and nothing asked for again.
    """

    def __init__(self, inner: Engine) -> None:
        self.inner = inner

    @property
    def model(self) -> str:
        """The inner engine's."""
        return self.inner.model

    @property
    def revision(self) -> str:
        """The inner engine's."""
        return self.inner.revision

    @property
    def engine(self) -> str:
        """The inner engine's."""
        return self.inner.engine

    @property
    def capabilities(self) -> Capabilities:
        """The inner engine's."""
        return self.inner.capabilities

    @property
    def spare_cores(self) -> Callable[[], int] | None:
        """How many cores may be used (see `SharesCores`); None where the inner engine has no say in it."""
        return self.inner.spare_cores if isinstance(self.inner, SharesCores) else None

    @spare_cores.setter
    def spare_cores(self, ask: Callable[[], int] | None) -> None:
        if isinstance(self.inner, SharesCores):
            self.inner.spare_cores = ask

    def load(self) -> str:
        """Loads the weights now; one line on what was chosen and why."""
        return self.inner.load()

    def unload(self) -> None:
        """Drops the weights; the next request loads them again."""
        self.inner.unload()

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """The inner engine's, for texts as they are given.

        Raises:
            CapabilityError: it cannot tell.
        """
        return self.inner.logprobs(request, texts)

    def stream(self, request: Request) -> Iterator[str]:
        """The inner engine's text as it is written: nothing is checked or mended.

        Raises:
            CapabilityError: it cannot stream.
        """
        return self.inner.stream(request)

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        """One result per request, in order; a request whose wording cannot be kept gives its error.

        What an instruction of its own gets is left as the model wrote it.

        Raises:
            OutOfMemory: as the inner engine.
        """
        results: dict[int, Prompt | VidPrompterError] = {}
        asked: dict[int, Request] = {}
        plain = {i: request for i, request in enumerate(requests) if request.instruction is not None}
        if plain:
            results.update(zip(plain, self.inner.generate_batch(list(plain.values())), strict=True))
        for i, request in enumerate(requests):
            if i in plain:
                continue
            try:
                asked[i] = replace(request, wording=checked(request.wording))
            except VidPrompterError as error:
                results[i] = error
        best: dict[int, _Try] = {}
        first: dict[int, tuple[str, ...]] = {}
        again = asked
        for attempt in range(1 + MAX_RETRIES):
            if not again:
                break
            part = [_as_attempt(request, attempt) for request in again.values()]
            for i, answer in zip(list(again), self.inner.generate_batch(part), strict=True):
                if isinstance(answer, VidPrompterError):
                    results[i] = answer
                    first.setdefault(i, ("wording",))
                    continue
                one = self._judged(answer, asked[i])
                first.setdefault(i, one.faults)
                best[i] = min(best.get(i, one), one, key=lambda t: t.weight)
            for i in _twins(best, asked):
                best[i] = replace(best[i], faults=(*best[i].faults, "same"))
                if attempt == 0:
                    first[i] = best[i].faults
            again = {i: asked[i] for i in again if _worth_asking(best.get(i), results.get(i), asked[i])}
        for i, one in best.items():
            results[i] = self._finished(one, first[i], asked[i])
        return [results[i] for i in range(len(requests))]

    def _wording(self, request: Request) -> Wording:
        """What can be asked of this model: one that writes English alone is held to English."""
        if self.capabilities.languages or request.wording.language is None:
            return request.wording
        return replace(request.wording, language=None)

    def _judged(self, prompt: Prompt, request: Request) -> _Try:
        text = prompt.text.strip()
        if not text:
            return _Try(prompt, ("empty",))
        loop = ["loop"] if prompt.finish == "loop" or is_loop(text) else []
        # The prefix is not the model's to write.
        found = (fault for fault in faults(text, self._wording(request)) if fault != "prefix")
        return _Try(prompt, (*loop, *found))

    def _finished(self, best: _Try, first: Sequence[str], request: Request) -> Prompt | VidPrompterError:
        prompt, wording = best.prompt, self._wording(request)
        if "empty" in best.faults:
            return GenerationError("the model wrote nothing; try another --seed or a longer description")
        rng = Random(seed_of(request.seed, request.variant, prompt.text))
        try:
            done = finish_text(prompt.text.strip(), wording, rng=rng)
        except VidPrompterError as error:
            return error
        retried = [f"retried:{fault}" for fault in first] if best.faults != first else []
        same = ("same:variant",) if "same" in best.faults else ()
        flags = (*prompt.flags, *retried, *done.flags, *same, *row_flags(request.wording, self.capabilities))
        return replace(
            prompt,
            text=done.text,
            seed=request.seed,
            finish="loop" if "loop" in best.faults else prompt.finish,
            flags=tuple(dict.fromkeys(flags)),
            negative=prompt.negative or negative_of(wording),
        )


def _twins(best: Mapping[int, _Try], asked: Mapping[int, Request]) -> list[int]:
    """Those whose text another variant of the same request has already: several captions of a clip shall differ."""
    seen: dict[object, tuple[int, int]] = {}
    found = []
    for i, one in sorted(best.items()):
        request = asked[i]
        if "same" in one.faults or not request.sampling.temperature:
            continue
        about = (
            request.task,
            id(request.video) if request.sheet is None else id(request.sheet),
            request.short,
            request.start,
            request.end,
            one.prompt.text,
        )
        if seen.setdefault(about, (request.seed, request.variant)) != (request.seed, request.variant):
            found.append(i)
    return found


def row_flags(wording: Wording, capabilities: Capabilities) -> tuple[str, ...]:
    """What a row's reader must know of its wording: "language:en" where another language cannot be written."""
    foreign = wording.language not in (None, "en") and not capabilities.languages
    return ("language:en",) if foreign else ()


def negative_of(wording: Wording) -> str | None:
    """The negative prompt of the wording's target; None without a target, or where it takes none."""
    if wording.target is None:
        return None
    from vidprompter.targets import target

    return target(wording.target).negative


def _as_attempt(request: Request, attempt: int) -> Request:
    """The request as it is asked the first time, or with another seed and never greedily."""
    if attempt == 0:
        return request
    sampling = request.sampling
    warm = replace(sampling, temperature=max(sampling.temperature, RETRY_TEMPERATURE))
    return replace(request, seed=seed_of(request.seed, "wording", attempt) >> 32, sampling=warm)


def _worth_asking(one: _Try | None, error: VidPrompterError | Prompt | None, request: Request) -> bool:
    """Whether another answer may be better. Engines that draw circles again themselves are not asked once more."""
    if request.sampling.beams > 1:
        return False
    if one is None:
        return isinstance(error, WordingLost)
    drawn_again = "retried:loop" in one.prompt.flags
    return any(not (fault == "loop" and drawn_again) for fault in one.faults)
