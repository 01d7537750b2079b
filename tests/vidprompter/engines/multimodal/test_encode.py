"""A shared beginning is read once and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.tiny import tiny_llama
from vidprompter.engines.multimodal import encode
from vidprompter.engines.multimodal.inputs import Context

MODEL = tiny_llama()


def text(ids: list[int]) -> Context:
    tensor = torch.tensor([ids])
    return Context({"input_ids": tensor, "attention_mask": torch.ones_like(tensor)}, 0)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(2, 95), min_size=32, max_size=50),
    st.lists(st.lists(st.integers(2, 95), min_size=1, max_size=20), min_size=2, max_size=4),
)
def test_a_shared_beginning_gives_what_whole_texts_give(beginning: list[int], rests: list[list[int]]) -> None:
    contexts = [text([*beginning, *rest]) for rest in rests]
    with torch.inference_mode():
        shared = encode.encode_contexts(MODEL, contexts, 0)
        for row, context in enumerate(contexts):
            alone = encode._encode_whole(MODEL, [context], 0)
            torch.testing.assert_close(shared.logits[row], alone.logits[0], atol=1e-4, rtol=1e-4)
            assert shared.position[row].item() == alone.position[0].item() == len(context.ids)


def test_the_beginning_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, ...]] = []
    forward = MODEL.forward

    def counted(**inputs: object) -> object:
        ids = inputs["input_ids"]
        assert isinstance(ids, torch.Tensor)
        read.append(tuple(ids.shape))
        return forward(**inputs)

    monkeypatch.setattr(MODEL, "forward", counted)
    with torch.inference_mode():
        encode.encode_contexts(MODEL, [text([*range(2, 60), 70, last]) for last in (80, 81, 82)], 0)
    assert read == [(1, 59), (3, 1)]


@pytest.mark.parametrize(
    ("texts", "shared"),
    [([[1, 2, 3], [1, 2, 4]], 2), ([[1, 2], [1, 2]], 1), ([[1], [1, 2]], 0), ([[5, 6], [7, 6]], 0)],
)
def test_every_text_keeps_a_token_of_its_own(texts: list[list[int]], shared: int) -> None:
    assert encode.shared_beginning(texts) == shared


def test_ideas_in_a_batch_are_what_they_are_alone(qwen: Path) -> None:
    from vidprompter import VidPrompter
    from vidprompter.tasks import Prompt, Request, Sampling, Task

    writer = VidPrompter.load(qwen)
    asked = [
        Request(
            Task.SHORT_TO_PROMPT, short=idea, seed=3, sampling=Sampling(max_new_tokens=8, temperature=1.0)
        )
        for idea in ("a cat", "a dog on a long beach", "rain")
    ]
    together = writer.generate_batch(asked)
    for request, prompt in zip(asked, together, strict=True):
        (alone,) = writer.generate_batch([request])
        assert isinstance(alone, Prompt) and isinstance(prompt, Prompt) and alone.ids == prompt.ids
