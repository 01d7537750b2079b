"""The built-in model itself, on sheets made by hand. Needs its weights."""

from __future__ import annotations

import pytest

from vidprompter import VidPrompter
from vidprompter.errors import CapabilityError, InputError, UnknownModel
from vidprompter.facts.camera_text import camera_claims, camera_contradictions, sentences
from vidprompter.facts.check import words_of
from vidprompter.sheet.types import (
    CameraMotion,
    ColorFact,
    LabelFact,
    LightFact,
    ObjectFact,
    SceneFact,
    SceneSheet,
    Shot,
)
from vidprompter.tasks import Prompt, Request, Sampling, Task
from vidprompter.templates import template

FEW = Sampling(candidates=2, max_new_tokens=160)


def sheet(motion: str, label: str, scene: str) -> SceneSheet:
    camera = CameraMotion(motion, 0.1, 0.9)  # type: ignore[arg-type]
    return SceneSheet(
        path="clip.mp4",
        duration=5.0,
        width=640,
        height=360,
        fps=25.0,
        camera=camera,
        shots=(Shot(0.0, 5.0, camera, "medium shot", 0.8),),
        objects=(ObjectFact(label, 1, 0.9, "brown", 0.8, "center"),),
        scene=SceneFact(scene, 0.8),
        palette=(ColorFact("green", "#00aa00", 0.5), ColorFact("gray", "#808080", 0.3)),
        light=LightFact("bright", 0.8, "neutral", 0.6),
        contrast=LabelFact("medium", 0.7),
    )


@pytest.fixture(scope="module")
def writer() -> VidPrompter:
    return VidPrompter.load("builtin")


def requests() -> list[Request]:
    return [
        Request(Task.VIDEO_TO_PROMPT, sheet=sheet("pan left", "horse", "field"), sampling=FEW),
        Request(
            Task.VIDEO_AND_SHORT_TO_PROMPT,
            sheet=sheet("static", "dog", "beach"),
            short="a dog waits",
            sampling=FEW,
        ),
        Request(Task.SHORT_TO_PROMPT, short="a cat on a roof", sampling=FEW),
    ]


@pytest.mark.weights
def test_prompts_of_all_tasks_say_what_is_known(writer: VidPrompter) -> None:
    results = writer.generate_batch([*requests(), Request(Task.SHORT_TO_PROMPT, short="word " * 200)])
    assert isinstance(results[3], InputError) and "150" in str(results[3])
    example = words_of(template(Task.SHORT_TO_PROMPT).split("Prompt:")[1])
    runs = {tuple(example[i : i + 6]) for i in range(len(example) - 5)}
    for result, subject, motion in zip(
        results, ("horse", "dog", "cat"), ("pan left", "static", None), strict=False
    ):
        assert isinstance(result, Prompt)
        assert len(sentences(result.text)) >= 4
        assert 60 <= len(result.text.split()) <= 220
        assert subject in result.text.lower()
        if motion:
            assert motion in camera_claims(result.text)
            assert not camera_contradictions(result.text, motion)
        said = words_of(result.text)
        assert not runs & {tuple(said[i : i + 6]) for i in range(len(said) - 5)}
        assert result.revision == writer.revision and "+adapter." in result.revision


@pytest.mark.weights
def test_the_same_request_gives_the_same_prompt(writer: VidPrompter) -> None:
    request = Request(Task.SHORT_TO_PROMPT, short="a red bicycle by a wall", sampling=FEW, seed=5)
    one, two = writer.generate_batch([request])[0], writer.generate_batch([request])[0]
    assert isinstance(one, Prompt) and isinstance(two, Prompt)
    assert one.text == two.text
    other = writer.expand("a red bicycle by a wall", seed=6, sampling=FEW)
    assert other.text != one.text


def test_what_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(UnknownModel, match="'gpt-9'"):
        VidPrompter.load("gpt-9")
    with pytest.raises(CapabilityError, match="'vllm'"):
        VidPrompter.load("builtin", engine="vllm")
    assert not VidPrompter.load().capabilities.languages
