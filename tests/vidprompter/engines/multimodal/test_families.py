"""Every family, through the front door: the three tasks, beams, log-probabilities, batch equals single."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vidprompter import VidPrompter
from vidprompter.engines.multimodal.engine import TransformersEngine
from vidprompter.engines.multimodal.load import VideoModel
from vidprompter.tasks import Prompt, Request, Sampling, Task
from vidprompter.video.clip import Clip, VideoInfo

FEW = Sampling(max_new_tokens=10)


def clip(seed: int, frames: int = 4, height: int = 40, width: int = 60) -> Clip:
    pixels = np.random.default_rng(seed).integers(0, 255, (frames, height, width, 3), dtype=np.uint8)
    info = VideoInfo("x.mp4", width, height, 8.0, 5.0, 40, 0, "h264", "pyav")
    return Clip(pixels, np.arange(frames) * 1.25 + 0.6, info)


def requests(sampling: Sampling = FEW) -> list[Request]:
    return [
        Request(Task.VIDEO_TO_PROMPT, video=clip(0), seed=1, sampling=sampling),
        Request(Task.VIDEO_AND_SHORT_TO_PROMPT, video=clip(1, 3, 50, 40), short="a cat", seed=2, sampling=sampling),
        Request(Task.SHORT_TO_PROMPT, short="a cat on a roof", seed=3, sampling=sampling),
        Request(Task.VIDEO_TO_PROMPT, video=clip(5, 4, 64, 64), seed=4, sampling=sampling),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def writer(family: Path) -> VidPrompter:
    """A model with few threads: the networks are tiny."""
    torch.set_num_threads(1)
    return VidPrompter.load(family)


def loaded(writer: VidPrompter) -> tuple[TransformersEngine, VideoModel]:
    engine = writer.inner
    assert isinstance(engine, TransformersEngine)
    return engine, engine._loaded


def prompts(writer: VidPrompter, asked: list[Request]) -> list[Prompt]:
    found = writer.generate_batch(asked)
    assert all(isinstance(one, Prompt) for one in found), found
    return [one for one in found if isinstance(one, Prompt)]


def teacher_forced(writer: VidPrompter, request: Request, ids: tuple[int, ...]) -> list[float]:
    """log p of each token, from one plain forward pass over context and answer, without a cache."""
    engine, model = loaded(writer)
    from vidprompter.engines.multimodal.engine import _Seen

    tensors = dict(engine._prepare(request, _Seen()).context.tensors)
    answer = torch.tensor([ids])
    length = tensors["input_ids"].shape[1]
    for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
        if name in tensors:
            more = {"input_ids": answer, "attention_mask": torch.ones_like(answer)}
            tensors[name] = torch.cat([tensors[name], more.get(name, torch.zeros_like(answer))], dim=1)
    with torch.no_grad():
        logits = model.model(**tensors, use_cache=False).logits[0, length - 1 : -1].float()
    return logits.log_softmax(-1).gather(-1, answer[0][:, None]).squeeze(-1).tolist()


def test_the_three_tasks_are_answered_and_told(writer: VidPrompter, family: Path) -> None:
    assert "float32 on cpu (as stored)" in writer.prepare()
    for request, prompt in zip(requests(), prompts(writer, requests()), strict=True):
        assert prompt.text and prompt.task is request.task and prompt.engine == "transformers"
        assert prompt.model == family.name and prompt.revision.startswith("local+")
        assert (prompt.tokens_visual > 0) == (request.video is not None)
        assert prompt.tokens_visual < prompt.tokens_in
        assert prompt.settings["dtype"] == "float32" and prompt.settings["frames"] == 8


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_gives_the_same_text_as_one_by_one(writer: VidPrompter, temperature: float) -> None:
    asked = requests(Sampling(max_new_tokens=10, temperature=temperature, candidates=2))
    together = prompts(writer, asked)
    for request, prompt in zip(asked, together, strict=True):
        (alone,) = prompts(writer, [request])
        assert alone.ids == prompt.ids and alone.text == prompt.text


def test_logprobs_are_those_of_a_plain_forward_pass(writer: VidPrompter) -> None:
    for request, prompt in zip(requests(), prompts(writer, requests()), strict=True):
        assert prompt.logprob is not None
        told, text = writer.logprobs(request, [prompt, "A cat on a roof."])
        assert told.logprobs == pytest.approx(teacher_forced(writer, request, told.ids), abs=1e-4)
        assert text.logprobs == pytest.approx(teacher_forced(writer, request, text.ids), abs=1e-4)
        assert told.total == pytest.approx(prompt.logprob, abs=1e-4)
        assert told.ids == prompt.ids and all(one <= 0 for one in told.logprobs)


def test_five_beams_come_back_and_their_sums_hold(writer: VidPrompter) -> None:
    for request, prompt in zip(
        requests(Sampling(max_new_tokens=8, beams=5)),
        prompts(writer, requests(Sampling(max_new_tokens=8, beams=5))),
        strict=True,
    ):
        assert len(prompt.beams) == 5 and len({beam.ids for beam in prompt.beams}) == 5
        assert prompt.text == prompt.beams[0].text and prompt.logprob == prompt.beams[0].logprob
        worth = [beam.logprob / len(beam.ids) for beam in prompt.beams]
        assert worth == sorted(worth, reverse=True)
        for beam, told in zip(prompt.beams, writer.logprobs(request, prompt.beams), strict=True):
            assert told.total == pytest.approx(beam.logprob, abs=1e-4)


@pytest.mark.parametrize("beams", [1, 5])
def test_greedy_and_beams_are_those_of_transformers(writer: VidPrompter, beams: int) -> None:
    engine, model = loaded(writer)
    from vidprompter.engines.multimodal.engine import _Seen

    request = requests(Sampling(max_new_tokens=8, temperature=0, beams=beams))[0]
    (prompt,) = prompts(writer, [request])
    tensors: dict[str, Any] = engine._prepare(request, _Seen()).context.tensors
    theirs = model.model.generate(
        **tensors,
        max_new_tokens=8,
        do_sample=False,
        num_beams=beams,
        num_return_sequences=beams,
        eos_token_id=list(engine._stop),
        pad_token_id=engine._pad,
        suppress_tokens=list(engine._reader.placeholders) or None,
    )[:, tensors["input_ids"].shape[1] :].tolist()
    ours = [beam.ids for beam in prompt.beams] if beams > 1 else [prompt.ids]
    for mine, row in zip(ours, theirs, strict=True):
        assert list(mine) == row[: len(mine)]


def test_captions_of_one_clip_differ_by_their_variant_alone(writer: VidPrompter) -> None:
    one = requests(Sampling(max_new_tokens=10, temperature=1.0))[0]
    first, second, again = prompts(writer, [one, replace(one, variant=1), one])
    assert first.text == again.text != second.text


def test_streamed_text_is_the_text(writer: VidPrompter) -> None:
    request = requests(Sampling(max_new_tokens=10, temperature=0))[0]
    (prompt,) = prompts(writer, [request])
    assert " ".join("".join(writer.stream(request)).split()) == prompt.text


def test_without_chat_template_padding_and_end(family: Path, tmp_path: Path) -> None:
    """A bare folder still works: a plain form of conversation, and answers as long as they may be."""
    if family.name == "vila":
        pytest.skip("VILA brings its own conversation")
    bare = Path(shutil.copytree(family, tmp_path / "bare"))
    for name in ("chat_template.jinja", "chat_template.json", "generation_config.json"):
        (bare / name).unlink(missing_ok=True)
    settings = bare / "tokenizer_config.json"
    told = json.loads(settings.read_text())
    settings.write_text(json.dumps({k: v for k, v in told.items() if k not in ("pad_token", "eos_token")}))
    config = json.loads((bare / "config.json").read_text())
    for part in (config, config["text_config"]):
        part.update(eos_token_id=None, pad_token_id=None, bos_token_id=None)
    (bare / "config.json").write_text(json.dumps(config))
    writer = VidPrompter.load(bare)
    assert "no chat template" in writer.prepare()
    for request, prompt in zip(requests(), prompts(writer, requests()), strict=True):
        assert prompt.finish == "length" and (prompt.tokens_visual > 0) == (request.video is not None)
        (told,) = writer.logprobs(request, [prompt])
        assert told.total == pytest.approx(prompt.logprob or 0.0, abs=1e-4)
    assert len(writer.logprobs(requests()[2], ["A cat."])[0].ids) == len(
        writer.inner._reader.tokenizer("A cat.", add_special_tokens=False)["input_ids"]  # type: ignore[attr-defined]
    )


def test_a_missing_placeholder_raises(writer: VidPrompter) -> None:
    """A context from which a visual token was lost on its way never reaches the answer."""
    engine, model = loaded(writer)
    from vidprompter.engines.multimodal.encode import encode_contexts
    from vidprompter.engines.multimodal.engine import _Seen
    from vidprompter.errors import VisualTokenMismatch

    context = engine._prepare(requests()[0], _Seen()).context
    ids = context.tensors["input_ids"].clone()
    place = next(i for i, token in enumerate(ids[0].tolist()) if token in engine._reader.placeholders)
    ids[0, place] = 5
    broken = replace(context, tensors=context.tensors | {"input_ids": ids})
    with pytest.raises(VisualTokenMismatch, match="tokens"):
        encode_contexts(model.model, [broken], engine._pad)
