"""The parts that need no server: addresses, waits, messages of servers, answers, money."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.engines.openai_server.address import checked_address, parse_name, read_key, without_secrets
from vidprompter.engines.openai_server.answers import ThoughtFilter, answer_of, events, without_thinking
from vidprompter.engines.openai_server.failures import (
    Weight,
    failure_of_exception,
    failure_of_status,
    message_of,
    one_line,
)
from vidprompter.engines.openai_server.patience import Patience, retry_after
from vidprompter.engines.openai_server.pictures import PictureOptions, jpeg_url
from vidprompter.engines.openai_server.served import greeting, near
from vidprompter.engines.openai_server.spending import Prices, Till, prices_of_environment, usage_of
from vidprompter.errors import GenerationError, InputError, UnknownModel

URL = "http://localhost:8000/v1"


# ---- names and addresses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (f"openai:Qwen/Qwen2.5-VL-7B-Instruct@{URL}", "Qwen/Qwen2.5-VL-7B-Instruct"),
        (f"Qwen/Qwen2.5-VL-7B-Instruct@{URL}/", "Qwen/Qwen2.5-VL-7B-Instruct"),
        (f"openai:@cf/llava@{URL}", "@cf/llava"),
        (f"openai:claude@20250101@{URL}", "claude@20250101"),
    ],
)
def test_names(text: str, model: str) -> None:
    assert parse_name(text) == (model, URL)


def test_without_an_address_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(InputError, match="OPENAI_BASE_URL"):
        parse_name("openai:gpt")
    with pytest.raises(InputError, match="OPENAI_BASE_URL"):
        parse_name("openai:gpt@localhost:8000")  # no http://, so that it is part of the name
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.com/v1/")
    assert parse_name("openai:gpt") == ("gpt", "https://api.example.com/v1")
    with pytest.raises(InputError, match="no model"):
        parse_name(f"openai:@{URL}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8000", "http"),
        ("ftp://host/v1", "http"),
        ("http://", "http"),
        ("http://host:port/v1", "not an address"),
        ("http://[::1/v1", "not an address"),
        ("http://host/v1?key=abc", "query"),
        ("http://host/v1/chat/completions", "leave"),
        ("https://ann:hunter2@host/v1", "user name"),
    ],
)
def test_bad_addresses(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        checked_address(url)
    assert "hunter2" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://10.0.0.1/v1", False),
        ("https://localhost.example.com/v1", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert checked_address(url).loopback is loopback


def test_secrets_are_left_out() -> None:
    assert without_secrets("http://ann:pw@host/v1?key=1") == "http://***@host/v1"
    assert without_secrets(f"openai:m@{URL}") == f"openai:m@{URL}"


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "  abc\n")
    assert read_key("A_KEY") == "abc"
    assert read_key("NO_SUCH_KEY") is None
    monkeypatch.setenv("A_KEY", "abc\ndef")
    with pytest.raises(InputError) as caught:
        read_key("A_KEY")
    assert "abc" not in str(caught.value)


# ---- waiting ----------------------------------------------------------------------------------------------------


@given(tried=st.integers(0, 2000), asked=st.none() | st.floats(0, 1e6), seed=st.integers(0, 99))
def test_waits_stay_between_what_is_asked_and_the_caps(tried: int, asked: float | None, seed: int) -> None:
    patience = Patience(first_seconds=0.5, longest_seconds=30.0, cap_seconds=60.0)
    wait = patience.seconds(tried, asked, Random(seed))
    floor = min(asked or 0.0, 60.0)
    assert floor <= wait <= floor + min(30.0, 0.5 * 2.0 ** min(tried, 60))


def test_retry_after_in_both_forms() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert retry_after("2") == 2.0
    assert retry_after("0.25") == 0.25
    assert retry_after("-3") == 0.0
    assert retry_after("Fri, 02 Jan 2026 03:04:35 GMT", now=now) == 30.0
    assert retry_after("Fri, 02 Jan 2026 03:00:00 GMT", now=now) == 0.0
    for useless in (None, "", "soon", "nan", "inf"):
        assert retry_after(useless) is None


@given(st.text(max_size=40))
def test_retry_after_takes_any_header(value: str) -> None:
    found = retry_after(value)
    assert found is None or found >= 0.0


# ---- failures ---------------------------------------------------------------------------------------------------


def status(code: int, body: str = "", key: str | None = None, **headers: str) -> Any:
    return failure_of_status(code, headers, body, key=key, key_variable="A_KEY", url=URL)


@pytest.mark.parametrize(
    ("codes", "weight"),
    [
        ((401, 402, 403, 404, 301, 307), Weight.RUN),
        ((400, 413, 415, 422), Weight.REQUEST),
        ((408, 409, 429, 500, 502, 503, 504, 529), Weight.AGAIN),
    ],
)
def test_what_a_status_means(codes: tuple[int, ...], weight: Weight) -> None:
    assert {status(code).weight for code in codes} == {weight}


def test_what_to_do_is_said() -> None:
    assert "put a key into A_KEY" in status(401).text
    assert "check the key in A_KEY" in status(401, key="abc").text
    assert "/v1" in status(404).text
    unsupported = '{"error": {"message": "Unsupported parameter: use max_completion_tokens instead"}}'
    assert "token_field" in status(400, unsupported).text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "no", "code": "x"}}', "no"),
        ('{"error": "no"}', "no"),
        ('{"detail": "no"}', "no"),
        ('{"message": "no", "object": "error"}', "no"),
        ("<html><b>no</b></html>", "no"),
        ("no", "no"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_messages_come_in_many_forms(body: str, message: str) -> None:
    assert message_of(body)[0].strip() == message


@given(st.text(max_size=400), st.integers(300, 599))
def test_any_body_makes_one_short_line_without_the_key(body: str, code: int) -> None:
    text = status(code, body + "KEY-0123", key="KEY-0123").text
    assert len(text.splitlines()) == 1
    assert len(text) < 400
    assert "KEY-0123" not in text


def test_keys_of_others_are_masked_too() -> None:
    line = one_line("Incorrect API key provided: sk-proj-abc***xyz. Bearer eyJhb.x said no")
    assert line == "Incorrect API key provided: *** *** said no"


def test_an_untrusted_certificate_ends_the_run() -> None:
    import ssl

    import httpx

    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    failure = failure_of_exception(error, url=URL, seconds=5)
    assert failure.weight is Weight.RUN
    assert "SSL_CERT_FILE" in failure.text
    assert failure_of_exception(httpx.ReadTimeout("x"), url=URL, seconds=5).lost


# ---- answers ----------------------------------------------------------------------------------------------------


def answer(content: Any, reason: str = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content} | more, "finish_reason": reason}]}


def test_answers() -> None:
    body = answer(" A cat. ", "length") | {
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "model": "m",
    }
    found = answer_of(body)
    assert (found.text, found.finish, found.flags, found.told) == (
        "A cat.",
        "length",
        (),
        {"served_model": "m"},
    )
    assert found.usage is not None
    assert (
        answer_of(answer([{"type": "text", "text": "A"}, {"type": "text", "text": " cat."}])).text == "A cat."
    )


@pytest.mark.parametrize(
    "body",
    [
        answer("<think>a cat?</think>\n\nA cat."),
        answer("a cat?</think>A cat."),
        answer("A cat.", reasoning_content="a cat?"),
        answer("A cat.", reasoning="a cat?"),
    ],
)
def test_thinking_is_dropped_and_flagged(body: dict[str, Any]) -> None:
    assert (answer_of(body).text, answer_of(body).flags) == ("A cat.", ("dropped:reasoning",))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (answer(""), "wrote nothing"),
        (answer(None), "wrote nothing"),
        (answer("<think>a cat", "length"), "max_new_tokens"),
        (answer("", "length", reasoning_content="a cat"), "max_new_tokens"),
        (answer("A ca", "content_filter"), "content filter"),
        (answer(None, refusal="I cannot"), "refused: I cannot"),
        ({"choices": []}, "no chat completion"),
        ({"choices": [{"text": "A cat."}]}, "no chat completion"),
        ({}, "no chat completion"),
    ],
)
def test_answers_of_no_use(body: dict[str, Any], said: str) -> None:
    with pytest.raises(GenerationError, match=said):
        answer_of(body)


@given(st.data())
def test_a_stream_drops_thinking_however_it_is_cut(data: st.DataObject) -> None:
    text = data.draw(
        st.sampled_from(["<think>a</think>\nA cat.", "A <b>cat</b>.", "<thin air", "<", "A cat."])
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    thoughts = ThoughtFilter()
    shown = "".join(thoughts.pass_on(piece) for piece in pieces) + thoughts.rest()
    assert shown.strip() == without_thinking(text)[0]


def test_events() -> None:
    lines = [": still here", "event: x", 'data: {"a": 1}', "", "data:{}", "data: [DONE]", "data: late"]
    assert list(events(lines)) == [{"a": 1}, {}]
    with pytest.raises(GenerationError, match="no JSON"):
        list(events(["data: {"]))
    with pytest.raises(GenerationError, match="broke the stream off"):
        list(events(['data: {"error": "out of memory"}']))


# ---- models, money, pictures ------------------------------------------------------------------------------------


def test_what_a_list_of_models_says() -> None:
    vllm = [{"id": "Qwen/Qwen2.5-VL-7B-Instruct", "owned_by": "vllm"}]
    assert greeting("Qwen/Qwen2.5-VL-7B-Instruct", vllm) == "the server has it"
    with pytest.raises(UnknownModel, match="it has Qwen"):
        greeting("Qwen2.5-VL-7B", vllm)
    assert "not this one" in greeting("m", [{"id": "n", "owned_by": "somebody"}])
    assert "no list" in greeting("m", None)
    assert "empty" in greeting("m", [])
    assert near("gpt-4o", ["ada", "gpt-4o-mini", "x", "y"])[0] == "gpt-4o-mini"


def test_money(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDPROMPTER_PRICE_IN", "VIDPROMPTER_PRICE_OUT"):
        monkeypatch.delenv(name, raising=False)
    assert prices_of_environment() is None
    monkeypatch.setenv("VIDPROMPTER_PRICE_IN", "0.5")
    with pytest.raises(InputError, match="VIDPROMPTER_PRICE_OUT"):
        prices_of_environment()
    monkeypatch.setenv("VIDPROMPTER_PRICE_OUT", "2")
    till = Till(prices_of_environment())
    till.take(usage_of({"usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}}))
    till.take(usage_of({"usage": {"prompt_tokens": "many"}}))
    spent = till.total()
    assert (spent.money, spent.answers, spent.untold) == (1.5, 2, 1)
    assert "1.5000 USD" in spent.line()
    assert "1 answers told no token counts" in spent.line()
    with pytest.raises(InputError):
        Prices(-1.0, 0.0)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda c: st.dictionaries(
    st.sampled_from(["usage", "prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"]), c
), max_leaves=6))  # fmt: skip
def test_usage_takes_anything(value: Any) -> None:
    found = usage_of({"usage": value})
    assert found is None or min(found.prompt, found.completion, found.cached) >= 0


def test_pictures_are_shrunk() -> None:
    import base64

    import numpy as np
    from PIL import Image

    url = jpeg_url(np.zeros((100, 400, 3), np.uint8), PictureOptions(max_side=200))
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert (picture.size, picture.format) == ((200, 50), "JPEG")
    assert json.dumps(url)
