"""Requests with an instruction of their own: asked as it stands, answered raw; refused by what only writes prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.scoring.judge.scripted import ScriptedJudge
from tests.vidprompter.engines.multimodal.families import FAMILIES
from vidprompter import VidPrompter
from vidprompter.engines.asking import answer_text, asked_text
from vidprompter.engines.options import EngineOptions
from vidprompter.errors import CapabilityError, InputError, NoAnswer
from vidprompter.tasks import Prompt, Request, Sampling, Task, Wording

FEW = Sampling(max_new_tokens=8, temperature=0)
ASKED = "===== BEGIN OF DESCRIPTION 0 =====\n{short} {}\n===== END OF DESCRIPTION 0 ====="
PLAIN = Request(Task.SHORT_TO_PROMPT, instruction=ASKED, sampling=FEW)
IDEA = Request(Task.SHORT_TO_PROMPT, short="a cat", sampling=FEW)


def test_it_stands_in_place_of_the_tasks_own() -> None:
    assert asked_text(PLAIN, "no_such_template.txt") == ASKED
    assert asked_text(replace(IDEA, instruction="Say hello."), None) == "Say hello."
    assert "a cat" in asked_text(IDEA)
    assert answer_text(PLAIN, " one\n\n  two ") == "one\n\n  two"
    assert answer_text(IDEA, " one\n\n  two ") == "one two"


def test_what_makes_no_sense_with_it_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Request(Task.SHORT_TO_PROMPT, instruction=" ")
    with pytest.raises(InputError, match="wording"):
        Request(Task.SHORT_TO_PROMPT, instruction="Say hello.", wording=Wording(avoid=("hello",)))
    with pytest.raises(InputError, match="needs a short prompt"):
        Request(Task.SHORT_TO_PROMPT)


def test_a_server_is_asked_it_as_it_stands_and_its_answer_is_left_alone() -> None:
    loop = "Factor: fine.\n" * 9 + "Score: 8"  # what would be drawn again if it were a prompt
    with ScriptedJudge(lambda text, body: loop) as server:
        raw = VidPrompter.load(server.name).generate_batch([PLAIN])[0]
        asked = server.calls[0]["messages"][0]["content"]
        assert len(server.calls) == 1
    assert asked == ASKED
    assert isinstance(raw, Prompt)
    assert raw.text == loop


def test_an_empty_answer_of_a_server_is_told_from_a_lost_one() -> None:
    with ScriptedJudge(lambda text, body: "") as server:
        found = VidPrompter.load(server.name).generate_batch([PLAIN])[0]
    assert isinstance(found, NoAnswer)


def test_a_model_here_is_asked_it_too(tmp_path: Path) -> None:
    folder = FAMILIES["llava_onevision"](tmp_path / "model")
    writer = VidPrompter.load(folder, options=EngineOptions(device="cpu"))
    first, second, idea = writer.generate_batch([PLAIN, replace(PLAIN, instruction="Other."), IDEA])
    assert isinstance(first, Prompt) and isinstance(second, Prompt) and isinstance(idea, Prompt)
    assert first.tokens_in > second.tokens_in
    assert idea.tokens_in > first.tokens_in


@pytest.mark.weights
def test_the_builtin_model_refuses_it() -> None:
    [found] = VidPrompter.load("builtin").generate_batch([PLAIN])
    assert isinstance(found, CapabilityError)
    assert "follows no instruction" in str(found)
