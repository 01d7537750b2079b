"""The vLLM engine against a stand-in for vLLM: what is asked of it, and what is made of its answers.

NOTE: vLLM needs a GPU and is not run here. The stand-in has the shapes of its documents and sources; the processor and
its tokens are real.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.locate import Located
from tests.vidprompter.engines.openai_server.checkpoint import write_checkpoint
from tests.vidprompter.engines.openai_server.helpers import clip
from vidprompter.engines.options import EngineOptions
from vidprompter.engines.vllm_engine import VllmEngine
from vidprompter.errors import (
    CapabilityError,
    GenerationError,
    InputError,
    ModelError,
    VideoNotFound,
    VisualTokenMismatch,
)
from vidprompter.tasks import Beam, Prompt, Request, Sampling, Task

WATCH = Request(Task.VIDEO_TO_PROMPT, video=clip(20), sampling=Sampling(max_new_tokens=5))
IDEA = Request(Task.SHORT_TO_PROMPT, short="a cat", sampling=Sampling(max_new_tokens=5, temperature=0))


@dataclass
class StandIn:
    """Records what `vllm.LLM` is asked. widen: how many tokens the frames take; refuse: prompts longer than this."""

    tokenizer: Any
    video_id: int
    widen: int = 6
    refuse: int = 10**9
    settings: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, list[Any], Any]] = field(default_factory=list)

    def read(self, prompt: dict[str, Any]) -> list[int]:
        """The context as vLLM reads it: the placeholder widened."""
        ids: list[int] = prompt["prompt_token_ids"]
        if len(ids) > self.refuse:
            raise ValueError("The decoder prompt is longer than the maximum model length")
        frames = self.widen if "multi_modal_data" in prompt else 1
        return [one for token in ids for one in [token] * (frames if token == self.video_id else 1)]

    def generate(self, prompts: list[Any], params: Any, *, use_tqdm: bool) -> list[Any]:
        self.calls.append(("generate", prompts, params))
        each = params if isinstance(params, list) else [params] * len(prompts)
        return [self.output(prompt, one) for prompt, one in zip(prompts, each, strict=True)]

    def output(self, prompt: Any, params: Any) -> Any:
        read = self.read(prompt)
        ids = [*self.tokenizer("A cat.\nOn a roof.")["input_ids"], self.tokenizer.eos_token_id]
        texts = [
            SimpleNamespace(
                text=self.tokenizer.decode(ids[:-1]),
                token_ids=ids if n else ids[:-1],
                finish_reason="stop" if n else "length",
                cumulative_logprob=-2.0 - n,
            )
            for n in range(params.n)
        ]
        scores = [None] + [{token: SimpleNamespace(logprob=-token / 100)} for token in read[1:]]
        asked = scores if params.prompt_logprobs is not None else None
        return SimpleNamespace(prompt_token_ids=read, outputs=texts, prompt_logprobs=asked)

    def beam_search(self, prompts: list[Any], params: Any) -> list[Any]:
        self.calls.append(("beam_search", prompts, params))
        found = []
        for prompt in prompts:
            read = self.read(prompt)
            ids = [*self.tokenizer("a roof")["input_ids"], self.tokenizer.eos_token_id]
            beams = [
                SimpleNamespace(tokens=[*read, *part], logprobs=[{}] * len(part), cum_logprob=-1.0 - n)
                for n, part in enumerate([ids, ids[:-1]])
            ]
            found.append(SimpleNamespace(sequences=beams[: params.beam_width]))
        return found


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> Located:
    folder = tmp_path_factory.mktemp("vllm") / "tiny"
    write_checkpoint(folder)
    return Located(folder, "tiny", "local+0123456789ab", "transformers", "folder")


@pytest.fixture
def stand_in(located: Located, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    from transformers import AutoProcessor

    tokenizer = AutoProcessor.from_pretrained(located.folder).tokenizer
    found = StandIn(tokenizer, tokenizer.convert_tokens_to_ids("<|video_pad|>"))

    def llm(**settings: Any) -> StandIn:
        found.settings = settings
        return found

    def params(**given: Any) -> SimpleNamespace:
        return SimpleNamespace(**({"n": 1, "prompt_logprobs": None} | given))

    module, below = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    module.LLM, module.SamplingParams, module.__version__ = llm, params, "0"  # type: ignore[attr-defined]
    below.BeamSearchParams = params  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", below)
    return found


def test_without_vllm_it_says_what_to_install(located: Located, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"pip install 'vidprompter\[vllm\]'"):
        VllmEngine(located).load()


def test_all_requests_go_in_one_call(located: Located, stand_in: StandIn, tmp_path: Path) -> None:
    lost = replace(WATCH, video=tmp_path / "lost.mp4")
    engine = VllmEngine(located)
    results = engine.generate_batch([WATCH, lost, IDEA])
    [(kind, prompts, params)] = stand_in.calls
    assert (kind, len(prompts), len(params)) == ("generate", 2, 2)
    assert isinstance(results[1], VideoNotFound)
    watched, told = results[0], results[2]
    assert isinstance(watched, Prompt) and isinstance(told, Prompt)
    assert (watched.text, watched.engine, watched.model) == ("A cat. On a roof.", "vllm", "tiny")
    assert (watched.tokens_visual, watched.settings["frames"], told.tokens_visual) == (6, 8, 0)
    assert watched.tokens_in == len(prompts[0]["prompt_token_ids"]) - 1 + 6
    [(frames, metadata)] = prompts[0]["multi_modal_data"]["video"]
    assert frames.shape == (8, 48, 64, 3) and frames.dtype == np.uint8
    assert len(metadata["frames_indices"]) == 8
    assert metadata["do_sample_frames"] is False
    assert "multi_modal_data" not in prompts[1]
    context = stand_in.tokenizer.decode(prompts[0]["prompt_token_ids"])
    assert context.count("<|video_pad|>") == 1
    assert context.endswith("<|im_start|>assistant\n")


def test_sampling_is_passed_on_with_a_seed_for_each(located: Located, stand_in: StandIn) -> None:
    sampling = Sampling(max_new_tokens=9, temperature=0.5, top_p=0.8, candidates=3, stop=("END",))
    drawn = replace(WATCH, sampling=sampling)
    results = VllmEngine(located).generate_batch(
        [drawn, replace(drawn, seed=1), replace(drawn, variant=1), IDEA]
    )
    first, *others, greedy = stand_in.calls[0][2]
    assert (first.n, first.temperature, first.top_p, first.max_tokens, first.stop) == (
        3,
        0.5,
        0.8,
        9,
        ["END"],
    )
    assert len({first.seed, *(one.seed for one in others)}) == 3
    assert (greedy.n, greedy.temperature) == (1, 0)
    # Of three candidates one that ended, the likeliest by the token.
    assert isinstance(results[0], Prompt)
    assert (results[0].finish, results[0].logprob) == ("stop", -3.0)
    assert results[0].tokens_out == len(results[0].ids) - 1
    assert isinstance(results[3], Prompt)
    assert results[3].finish == "length"


def test_one_that_is_refused_does_not_cost_the_others(located: Located, stand_in: StandIn) -> None:
    stand_in.refuse = 400
    results = VllmEngine(located).generate_batch([IDEA, replace(IDEA, short="a cat " * 100), IDEA])
    assert [type(one) for one in results] == [Prompt, GenerationError, Prompt]
    assert "longer than the maximum" in str(results[1])


def test_beams(located: Located, stand_in: StandIn) -> None:
    wide = replace(WATCH, sampling=Sampling(max_new_tokens=5, beams=2))
    results = VllmEngine(located).generate_batch([IDEA, wide, wide])
    assert [kind for kind, _, _ in stand_in.calls] == ["generate", "beam_search"]
    assert stand_in.calls[1][2].beam_width == 2
    prompt = results[1]
    assert isinstance(prompt, Prompt)
    assert [beam.text.strip() for beam in prompt.beams] == ["a roof", "a roof"]
    assert [beam.finish for beam in prompt.beams] == ["stop", "length"]
    assert prompt.beams[0].ids[:-1] == prompt.beams[1].ids
    assert (prompt.logprob, prompt.tokens_visual) == (-1.0, 6)
    with pytest.raises(CapabilityError, match="stop texts"):
        VllmEngine(located).generate_batch([replace(WATCH, sampling=Sampling(beams=2, stop=(".",)))])


def test_logprobs_are_those_of_the_text(located: Located, stand_in: StandIn) -> None:
    engine = VllmEngine(located)
    written = Beam("x", 0.0, ids=(300, 301))
    text, own = engine.logprobs(WATCH, ["a roof", written])
    assert text.ids == (*stand_in.tokenizer("a roof")["input_ids"], stand_in.tokenizer.eos_token_id)
    assert text.logprobs == tuple(-one / 100 for one in text.ids)
    assert (own.ids, own.logprobs) == ((300, 301), (-3.0, -3.01))
    assert len(stand_in.calls) == 1
    assert engine.logprobs(WATCH, []) == []
    with pytest.raises(InputError):
        engine.logprobs(WATCH, [" "])


def test_frames_that_do_not_arrive_are_noticed(located: Located, stand_in: StandIn) -> None:
    stand_in.widen = 0
    [result] = VllmEngine(located).generate_batch([WATCH])
    assert isinstance(result, VisualTokenMismatch)


def test_what_it_cannot_do(located: Located) -> None:
    for options in ({"device": "cpu"}, {"device": "cuda:1"}, {"quantize": "8bit"}, {"attention": "eager"}):
        with pytest.raises(CapabilityError):
            VllmEngine(located, EngineOptions(**options))  # type: ignore[arg-type]
    with pytest.raises(CapabilityError, match="vila"):
        VllmEngine(replace(located, kind="vila"))
    with pytest.raises(CapabilityError, match="vllm serve"):
        next(VllmEngine(located).stream(IDEA))


def test_how_it_is_loaded(located: Located, stand_in: StandIn) -> None:
    engine = VllmEngine(located, EngineOptions(dtype="bfloat16", quantize="4bit"))
    assert engine.load() == "tiny: vLLM 0 on 1 GPU, bfloat16 weights"
    assert stand_in.settings["model"] == str(located.folder)
    assert stand_in.settings["quantization"] == "bitsandbytes"
    assert stand_in.settings["enable_prefix_caching"] is True
    engine.unload()
    stand_in.settings = {}
    engine.load()
    assert stand_in.settings


def test_an_instruction_is_asked_as_it_stands_and_its_answer_comes_raw(
    located: Located, stand_in: StandIn
) -> None:
    plain = Request(
        Task.SHORT_TO_PROMPT, instruction="How many {words}?\nSay a number.", sampling=IDEA.sampling
    )
    [answer] = VllmEngine(located).generate_batch([plain])
    [(_, prompts, _)] = stand_in.calls
    context = stand_in.tokenizer.decode(prompts[0]["prompt_token_ids"])
    assert "\nHow many {words}?\nSay a number.<|im_end|>" in context
    assert isinstance(answer, Prompt)
    assert answer.text == "A cat.\nOn a roof."
