"""Wording on the built-in model itself. Needs its weights; benchmarks/wording.py counts over many outputs."""

from __future__ import annotations

import pytest

from tests.vidprompter.engines.test_builtin import sheet
from vidprompter import VidPrompter
from vidprompter.errors import InputError
from vidprompter.facts.camera_text import camera_contradictions
from vidprompter.targets import fits
from vidprompter.tasks import Prompt, Request, Sampling, Task, Wording
from vidprompter.wording import holds_locked, mentions
from vidprompter.wording.grammar import is_said
from vidprompter.wording.sentences import split_sentences

FEW = Sampling(candidates=2, max_new_tokens=120)


def idea(short: str, wording: Wording) -> Request:
    return Request(Task.SHORT_TO_PROMPT, short=short, wording=wording, sampling=FEW)


@pytest.mark.weights
def test_wording_is_kept_in_all_tasks() -> None:
    horse = sheet("static", "horse", "field")
    requests = [
        idea("a cat on a roof", Wording(("a red umbrella", "walking slowly"), ("light", "camera shake"), "tok")),
        idea("a woman with red hair in a park", Wording(("in the rain",), ("red hair", "tree"), target="ltx")),
        Request(Task.VIDEO_TO_PROMPT, sheet=horse, sampling=FEW,
                wording=Wording(("the camera pans left",), ("horse", "green"), target="ltx")),
        Request(Task.VIDEO_AND_SHORT_TO_PROMPT, sheet=horse, short="a horse waits", sampling=FEW,
                wording=Wording(("cinematic lighting",), ("brown",), language="de")),
        idea("snow", Wording((), ("snow",))),
        idea("a dog", Wording(("a dog",), ("dogs",))),
    ]  # fmt: skip
    results = VidPrompter.load("builtin").generate_batch(requests)
    assert isinstance(results[5], InputError)
    for request, result in zip(requests[:5], results, strict=False):
        assert isinstance(result, Prompt), result
        wording = request.wording
        body = result.text.removeprefix("tok, ")
        assert result.text.startswith(wording.prefix)
        assert mentions(body, wording.avoid) == []
        for phrase in wording.locked:
            holding = [p for p in split_sentences(body, wording.locked) if holds_locked(p, phrase)]
            assert any(is_said(part.strip()) for part in holding), (phrase, result.text)
        if wording.target:
            assert fits(wording.target, result.text) and result.negative
    texts = [result.text for result in results if isinstance(result, Prompt)]
    assert "avoided:short" in results[1].flags  # type: ignore[union-attr]
    assert camera_contradictions(texts[2], "pan left") == set()
    assert "language:en" in results[3].flags  # type: ignore[union-attr]
