"""`Worded` around an engine that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from vidprompter.engines.protocol import Capabilities, Engine, SharesCores
from vidprompter.errors import CapabilityError, GenerationError, InputError, VidPrompterError, WordingLost
from vidprompter.tasks import Answer, Beam, Prompt, Request, Sampling, Task, TokenLogprobs, Wording
from vidprompter.wording.engine import Worded

GOOD = "A cat sits on a roof. The sky is clear. The camera stays still and keeps the cat in view."
CIRCLE = "A cat sits on a roof" + " and on a roof" * 12


class Told:
    """An engine whose n-th answer to an idea is the n-th text given for it (the last one from then on)."""

    model, revision, engine = "told", "1", "told"

    def __init__(self, texts: dict[str, list[object]], *, languages: bool = False) -> None:
        self.texts, self.asked = texts, []
        self.capabilities = Capabilities(True, True, True, True, languages=languages)
        self.spare_cores: Callable[[], int] | None = None
        self.loaded = False
        self.asked: list[list[Request]]

    def load(self) -> str:
        self.loaded = True
        return "told: at once"

    def unload(self) -> None:
        self.loaded = False

    def generate_batch(self, requests: Sequence[Request]) -> Sequence[Prompt | VidPrompterError]:
        self.asked.append(list(requests))
        turn = len(self.asked) - 1
        out: list[Prompt | VidPrompterError] = []
        for request in requests:
            texts = self.texts[str(request.short)]
            said = texts[min(turn, len(texts) - 1)]
            if isinstance(said, VidPrompterError):
                out.append(said)
            else:
                out.append(Prompt(str(said), request.task, "told", "1", "told", request.seed))
        return out

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        return [TokenLogprobs(str(text), (1,), (-0.5,)) for text in texts]

    def stream(self, request: Request) -> Iterator[str]:
        yield from ("a ", "cat")


def ask(wording: Wording = Wording(), short: str = "x", **more: object) -> Request:  # noqa: B008
    return Request(Task.SHORT_TO_PROMPT, short=short, wording=wording, **more)  # type: ignore[arg-type]


def one(texts: list[object], request: Request, **more: bool) -> tuple[Prompt | VidPrompterError, Told]:
    inner = Told({"x": texts}, **more)
    return Worded(inner).generate_batch([request])[0], inner


def test_a_text_without_fault_goes_through_as_it_is() -> None:
    result, inner = one([GOOD], ask())
    assert isinstance(result, Prompt) and result.text == GOOD and result.flags == ()
    assert len(inner.asked) == 1


def test_only_bad_texts_are_asked_for_again_with_other_seeds_and_never_greedily() -> None:
    inner = Told({"x": [CIRCLE, GOOD], "y": [GOOD], "z": ["", "A dog."]})
    cold = Sampling(temperature=0.0, top_p=0.5)
    requests = [ask(short=short, seed=7, sampling=cold) for short in ("x", "y", "z")]
    results = Worded(inner).generate_batch(requests)
    assert [r.text for r in results if isinstance(r, Prompt)] == [GOOD, GOOD, "A dog."]
    assert [[r.short for r in batch] for batch in inner.asked] == [["x", "y", "z"], ["x", "z"]]
    assert {r.sampling for r in inner.asked[1]} == {replace(cold, temperature=0.7)}
    assert inner.asked[1][0].seed != 7 and isinstance(results[0], Prompt) and results[0].seed == 7
    assert results[0].flags == ("retried:loop",) and results[0].finish == "stop"


def test_a_circle_that_stays_is_marked_and_asked_for_three_times() -> None:
    result, inner = one([CIRCLE], ask())
    assert isinstance(result, Prompt) and result.finish == "loop" and len(inner.asked) == 3
    assert len({batch[0].seed for batch in inner.asked}) == 3


def test_the_best_of_three_is_mended() -> None:
    wording = Wording(("a red umbrella",), ("roof",), "tok")
    result, inner = one(
        ["A roof. The roof is red.", "A cat sits there. The cat sleeps.", CIRCLE], ask(wording)
    )
    assert isinstance(result, Prompt) and len(inner.asked) == 3
    assert (
        result.text.startswith("tok, A cat sits there. The cat sleeps. ") and "a red umbrella" in result.text
    )
    assert result.flags == ("retried:avoided", "retried:locked", "added:locked")


def test_errors_pass_and_lost_wording_is_asked_for_again() -> None:
    result, inner = one([GenerationError("no answer")], ask())
    assert isinstance(result, GenerationError) and len(inner.asked) == 1
    result, inner = one([WordingLost("lost"), GOOD], ask(Wording((), ("dog",))))
    assert isinstance(result, Prompt) and len(inner.asked) == 2
    result, inner = one(["Snow falls."], ask(Wording((), ("snow",))))
    assert isinstance(result, WordingLost) and len(inner.asked) == 3
    result, _ = one([""], ask())
    assert isinstance(result, GenerationError) and "nothing" in str(result)


def test_bad_wording_costs_its_request_alone() -> None:
    results = Worded(Told({"x": [GOOD]})).generate_batch([ask(Wording(("a dog",), ("dogs",))), ask()])
    assert isinstance(results[0], InputError) and isinstance(results[1], Prompt)


def test_beams_stay_the_models_own_and_nothing_is_asked_for_again() -> None:
    class Beams(Told):
        def generate_batch(self, requests: Sequence[Request]) -> Sequence[Prompt | VidPrompterError]:
            found = super().generate_batch(requests)
            return [replace(p, beams=(Beam(p.text, -1.0),)) for p in found if isinstance(p, Prompt)]

    inner = Beams({"x": [GOOD]})
    wording = Wording(("a red umbrella",))
    (result,) = Worded(inner).generate_batch([ask(wording, sampling=Sampling(beams=2))])
    assert isinstance(result, Prompt) and "a red umbrella" in result.text
    assert result.beams[0].text == GOOD and len(inner.asked) == 1


def test_language_and_negative_prompt_are_on_the_row() -> None:
    result, _ = one([GOOD], ask(Wording(language="de", target="ltx")))
    assert isinstance(result, Prompt) and "language:en" in result.flags and result.negative
    result, _ = one([GOOD], ask(Wording(language="de")), languages=True)
    assert isinstance(result, Prompt) and result.flags == () and result.negative is None


def test_the_rest_is_the_inner_engines() -> None:
    inner = Told({"x": [GOOD]})
    worded = Worded(inner)
    engine: Engine = worded
    assert (engine.model, engine.revision, engine.engine) == ("told", "1", "told")
    assert engine.capabilities is inner.capabilities and engine.load() == "told: at once" and inner.loaded
    engine.unload()
    assert not inner.loaded
    assert engine.logprobs(ask(), ["a"])[0].total == -0.5 and list(engine.stream(ask())) == ["a ", "cat"]
    assert isinstance(worded, SharesCores)
    worded.spare_cores = lambda: 3
    assert (
        inner.spare_cores is not None and inner.spare_cores() == 3 and worded.spare_cores is inner.spare_cores
    )


def test_an_engine_that_cannot_says_so_through_the_door() -> None:
    class Cannot(Told):
        def stream(self, request: Request) -> Iterator[str]:
            raise CapabilityError("no")

    with pytest.raises(CapabilityError):
        Worded(Cannot({})).stream(ask())


def test_variants_of_a_request_differ() -> None:
    other = GOOD.replace("cat", "dog")
    inner = Told({"x": [GOOD, other]})
    first, second = Worded(inner).generate_batch([ask(), ask(variant=1)])
    assert isinstance(first, Prompt) and isinstance(second, Prompt)
    assert (first.text, second.text) == (GOOD, other)
    assert first.flags == () and second.flags == ("retried:same",)
    assert [len(part) for part in inner.asked] == [2, 1]


def test_variants_that_cannot_differ_say_so() -> None:
    first, second = Worded(Told({"x": [GOOD]})).generate_batch([ask(), ask(variant=1)])
    assert isinstance(first, Prompt) and isinstance(second, Prompt)
    assert first.flags == () and second.flags == ("same:variant",)
    greedy = Sampling(temperature=0)
    twice = Worded(Told({"x": [GOOD]})).generate_batch(
        [ask(sampling=greedy), ask(variant=1, sampling=greedy), ask()]
    )
    assert all(isinstance(one, Prompt) and one.flags == () for one in twice)
