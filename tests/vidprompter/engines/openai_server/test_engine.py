"""What the engine does with a real server: frames, streaming, capabilities, what it says when it starts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.vidprompter.engines.openai_server.conftest import Served
from tests.vidprompter.engines.openai_server.fault_proxy import Fault, FaultProxy
from tests.vidprompter.engines.openai_server.helpers import KEY, clip, engine_at, idea, watch
from tests.vidprompter.video.make import numbered, write_video
from vidprompter.engines.openai_server import OpenAIEngine
from vidprompter.errors import CapabilityError, GenerationError, InputError, ModelError, VideoNotFound
from vidprompter.tasks import Prompt, Request, Sampling, Task, Wording
from vidprompter.wording.loops import MAX_RETRIES

NOWHERE = "http://127.0.0.1:9/v1"  # the discard port: nothing listens there


def one(engine: OpenAIEngine, request: Request) -> Prompt:
    [result] = engine.generate_batch([request])
    assert isinstance(result, Prompt), result
    return result


def said(text: str) -> Fault:
    """An answer of our own."""
    answer = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    return Fault(200, body=json.dumps(answer))


def parts_of(call: Any) -> list[dict[str, Any]]:
    content = call.body["messages"][0]["content"]
    assert isinstance(content, list)
    return content


def test_frames_arrive_and_each_takes_tokens(served: Served) -> None:
    tokens = [one(engine_at(served, frames=count), watch()).tokens_in for count in (2, 4, 8)]
    # 64 x 48 pixels are 2 x 2 patches of 28 pixels at most, between two marks; the text grows by times.
    assert tokens[1] - tokens[0] >= 2 * (1 + 2)
    assert tokens[2] - tokens[1] >= 4 * (1 + 2)


def test_a_request_says_what_the_pictures_are(served: Served) -> None:
    with FaultProxy(served.url) as proxy:
        prompt = one(engine_at(served, proxy.url, frames=4), watch())
    parts = parts_of(proxy.calls[0])
    assert [part["type"] for part in parts] == ["image_url"] * 4 + ["text"]
    assert all(part["image_url"]["url"].startswith("data:image/jpeg;base64,") for part in parts[:4])
    assert parts[-1]["text"].startswith(
        "Above: 4 frames, in order, at 0.8, 1.8, 2.8, 3.8 s of a 4.0 s clip.\n"
    )
    assert "text-to-video" in parts[-1]["text"]
    assert (prompt.settings["frames"], prompt.settings["send"]) == (4, "frames")
    assert prompt.engine == "openai"
    assert prompt.finish == "length"
    assert prompt.tokens_out == 8
    assert str(prompt.settings["served_model"]).startswith(served.model)


def test_a_file_is_decoded_here_and_its_part_alone(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [numbered(n) for n in range(40)], times=[n / 10 for n in range(40)])
    whole = Request(Task.VIDEO_TO_PROMPT, video=path, sampling=Sampling(max_new_tokens=4))
    with FaultProxy(served.url) as proxy:
        engine = engine_at(served, proxy.url, frames=4)
        one(engine, whole)
        one(engine, replace(whole, start=1.0, end=3.0, task=Task.VIDEO_AND_SHORT_TO_PROMPT, short="a wall"))
    assert parts_of(proxy.calls[0])[-1]["text"].startswith(
        "Above: 4 frames, in order, at 0.5, 1.5, 2.5, 3.5 s of a 4.0 s"
    )
    text = parts_of(proxy.calls[1])[-1]["text"]
    assert text.startswith("Above: 4 frames, in order, at 0.2, 0.7, 1.2, 1.7 s of a 2.0 s clip.")
    assert "a wall" in text


def test_a_still_picture_is_one_frame(served: Served, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "still.png"
    Image.fromarray(numbered(5)).save(path)
    with FaultProxy(served.url) as proxy:
        engine = engine_at(served, proxy.url, send="file")
        one(engine, Request(Task.VIDEO_TO_PROMPT, video=path, sampling=Sampling(max_new_tokens=4)))
    parts = parts_of(proxy.calls[0])
    assert [part["type"] for part in parts] == ["image_url", "text"]
    assert parts[1]["text"].startswith("The picture above is a still picture.")


def test_a_file_is_sent_whole_where_that_is_asked(served: Served, tmp_path: Path) -> None:
    """`transformers serve` takes no video as data URL, so that its part ends at the proxy."""
    path = tmp_path / "clip.mp4"
    write_video(path, [numbered(n) for n in range(10)], times=[n / 10 for n in range(10)])
    request = Request(Task.VIDEO_TO_PROMPT, video=path)
    with FaultProxy(served.url, lambda number: Fault(400, body='{"error": "no videos here"}')) as proxy:
        engine = engine_at(served, proxy.url, send="file")
        [refused] = engine.generate_batch([request])
        cut = engine.generate_batch([replace(request, end=0.5), watch()])
        [large] = engine_at(served, proxy.url, send="file", max_file_bytes=99).generate_batch([request])
    assert isinstance(refused, GenerationError)
    assert "no videos here" in str(refused)
    video, text = parts_of(proxy.calls[0])
    assert video["video_url"]["url"].startswith("data:video/mp4;base64,")
    assert text["type"] == "text"
    assert [type(error) for error in cut] == [InputError, InputError]
    assert "send frames" in str(cut[0])
    assert isinstance(large, InputError)
    assert "max_file_bytes" in str(large)
    assert len(proxy.calls) == 1


def test_bad_clips_cost_their_row_and_no_call(served: Served, tmp_path: Path) -> None:
    lone = Request(Task.VIDEO_TO_PROMPT, video=tmp_path / "missing.mp4")
    with FaultProxy(served.url) as proxy:
        results = engine_at(served, proxy.url).generate_batch([lone, idea(0)])
    assert isinstance(results[0], VideoNotFound)
    assert isinstance(results[1], Prompt)
    assert len(proxy.calls) == 1


def test_streaming_gives_the_same_text(served: Served) -> None:
    engine = engine_at(served)
    for request in (watch(), idea(3, tokens=12, temperature=0)):
        whole = one(engine, request).text
        pieces = list(engine.stream(request))
        assert len(pieces) > 1
        # A character that the token limit cuts in two is never streamed.
        assert " ".join("".join(pieces).split()) == whole.rstrip("\ufffd").strip()
    spent = engine.spending()
    assert (spent.answers, spent.untold, spent.tokens_out) == (4, 0, 2 * (8 + 12))


def test_streaming_asks_again_until_the_answer_begins(served: Served) -> None:
    with FaultProxy(served.url, lambda number: Fault(503) if number == 0 else None) as proxy:
        assert "".join(engine_at(served, proxy.url).stream(idea(0)))
        assert len(proxy.calls) == 1  # answers in pieces are not noted
        proxy.plan = lambda number: Fault(401)
        with pytest.raises(ModelError, match="401"):
            list(engine_at(served, proxy.url).stream(idea(0)))
        broken = 'data: {"choices": [{"delta": {"content": "A cat"}}]}\n\n'
        proxy.plan = lambda number: Fault(200, body=broken)
        pieces = engine_at(served, proxy.url).stream(idea(0))
        assert next(pieces) == "A cat"
        with pytest.raises(GenerationError, match="before its end"):
            next(pieces)


def test_the_same_request_gives_the_same_text(served: Served) -> None:
    engine = engine_at(served, concurrency=1)
    first, again, other = (
        one(engine, request).text for request in (idea(1), idea(1), replace(idea(1), variant=1))
    )
    assert first == again
    assert first != other


def test_sampling_is_sent(served: Served) -> None:
    request = replace(
        idea(0), sampling=Sampling(max_new_tokens=5, temperature=0.5, top_p=0.8, stop=("Idea:",))
    )
    # `transformers serve` 5.23 answers 500 wherever `stop` is sent.
    with FaultProxy(served.url, lambda number: said("A cat.") if number < 2 else None) as proxy:
        one(engine_at(served, proxy.url), request)
        renamed = engine_at(
            served,
            proxy.url,
            token_field="max_completion_tokens",
            leave_out=["seed"],
            extra={"logit_bias": {}},
        )
        prompt = one(renamed, request)
        one(
            engine_at(served, proxy.url), replace(request, sampling=Sampling(max_new_tokens=5, temperature=0))
        )
    first, second, greedy = (call.body for call in proxy.calls)
    assert (first["max_tokens"], first["temperature"], first["top_p"], first["stop"]) == (
        5,
        0.5,
        0.8,
        ["Idea:"],
    )
    assert 0 <= first["seed"] < 2**31
    assert second["max_completion_tokens"] == 5
    assert not {"max_tokens", "seed"} & set(second)
    assert second["logit_bias"] == {}
    assert prompt.settings["leave_out"] == ["seed"]
    assert (greedy["temperature"], "top_p" in greedy) == (0, False)


def test_the_wording_is_told(served: Served) -> None:
    wording = Wording(avoid=("umbrella",), locked=("red kite",))
    with FaultProxy(served.url) as proxy:
        engine = engine_at(served, proxy.url)
        one(engine, replace(idea(0), wording=wording))
        one(engine, replace(watch(), wording=wording))
    text = proxy.calls[0].body["messages"][0]["content"]
    assert "umbrella" in text
    assert "red kite" in text
    assert text.endswith("Prompt:")  # the answer goes on from there
    assert "umbrella" in parts_of(proxy.calls[1])[-1]["text"]


def test_what_it_cannot_do_is_refused_before_any_call() -> None:
    engine = OpenAIEngine("m", base_url=NOWHERE)
    beams = replace(idea(0), sampling=Sampling(beams=5))
    with pytest.raises(CapabilityError, match="beams"):
        engine.generate_batch([idea(0), beams])
    with pytest.raises(CapabilityError, match="beams"):
        next(engine.stream(beams))
    with pytest.raises(CapabilityError, match="log-probabilities"):
        engine.logprobs(idea(0), ["a"])
    assert not engine.capabilities.beams
    assert not engine.capabilities.logprobs


def test_identity_needs_no_network() -> None:
    engine = OpenAIEngine("m", base_url=NOWHERE + "/")
    assert engine.revision == OpenAIEngine("m", base_url=NOWHERE).revision
    assert engine.revision.startswith("server.")
    assert engine.revision != OpenAIEngine("n", base_url=NOWHERE).revision
    assert OpenAIEngine.named(f"openai:m@{NOWHERE}").revision == engine.revision


def test_start_says_what_was_found(served: Served) -> None:
    line = engine_at(served).load()
    assert served.url in line
    assert "the server answers" in line


def test_nobody_there_is_one_line() -> None:
    engine = OpenAIEngine("m", base_url=NOWHERE, attempts=2, first_wait_seconds=0.01)
    with pytest.raises(ModelError, match="is the server started") as caught:
        engine.load()
    assert "\n" not in str(caught.value)


def test_a_key_over_plain_http_is_warned_of(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    monkeypatch.setenv("OTHER_KEY", KEY)
    line = engine_at(served, key_variable="OTHER_KEY").load()
    assert "warning" not in line  # this machine
    engine = OpenAIEngine("m", base_url="http://cluster.example/v1", key_variable="OTHER_KEY")
    assert "unencrypted" in engine._warning()
    assert KEY not in engine._warning() + repr(engine) + repr(engine._transport.door)


def test_loopback_never_goes_through_a_proxy(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert isinstance(engine_at(served, attempts=1).generate_batch([idea(0)])[0], Prompt)
    far = OpenAIEngine("m", base_url="http://cluster.example/v1", attempts=1)
    with pytest.raises(ModelError, match="no connection"):
        far.load()  # the proxy of the environment is asked, and is not there


def test_it_works_inside_an_event_loop(served: Served) -> None:
    async def notebook() -> Any:
        return engine_at(served).generate_batch([idea(0)])

    assert isinstance(asyncio.run(notebook())[0], Prompt)


def test_a_text_that_goes_in_circles_is_drawn_again(served: Served) -> None:
    circles = said("a red kite flies over the hill and " * 12)
    with FaultProxy(served.url, lambda number: circles if number == 0 else said("A red kite.")) as proxy:
        prompt = one(engine_at(served, proxy.url), idea(0, temperature=0))
        assert (prompt.text, prompt.finish) == ("A red kite.", "stop")
        assert prompt.flags == ("retried:loop", "unknown:tokens")
        assert proxy.calls[1].body["temperature"] > 0
        assert proxy.calls[0].body["seed"] != proxy.calls[1].body["seed"]
        proxy.plan = lambda number: circles
        assert one(engine_at(served, proxy.url), idea(0)).finish == "loop"
        assert len(proxy.calls) == 2 + 1 + MAX_RETRIES


@pytest.mark.parametrize(
    "options",
    [
        {"frames": 0},
        {"concurrency": 0},
        {"attempts": 0},
        {"timeout_seconds": 0},
        {"send": "pigeon"},
        {"token_field": "tokens"},
        {"max_side": 1},
        {"leave_out": ["messages"]},
        {"first_wait_seconds": -1},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        OpenAIEngine("m", base_url=NOWHERE, **options)


def test_a_sheet_alone_is_not_enough(served: Served) -> None:
    from vidprompter.sheet.types import SceneSheet

    sheet: Any = object.__new__(SceneSheet)
    [result] = engine_at(served).generate_batch([Request(Task.VIDEO_TO_PROMPT, sheet=sheet)])
    assert isinstance(result, InputError)
    assert "scene sheet alone" in str(result)


def test_more_frames_than_wanted_are_thinned(served: Served) -> None:
    request = replace(watch(), video=clip(frames=100, seconds=10.0))
    with FaultProxy(served.url) as proxy:
        assert one(engine_at(served, proxy.url, frames=2), request).settings["frames"] == 2
    assert "at 2.5, 7.5 s of a 10.0 s" in parts_of(proxy.calls[0])[-1]["text"]


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, vidprompter.engines.openai_server as one; one.OpenAIEngine('m', base_url='http://localhost/v1'); "
        "print([m for m in ('torch', 'httpx', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
