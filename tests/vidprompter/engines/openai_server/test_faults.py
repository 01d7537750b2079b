"""Behind a proxy that spoils calls: nothing is lost, nothing is done twice, hopeless errors end the run."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.vidprompter.engines.openai_server.conftest import Served
from tests.vidprompter.engines.openai_server.fault_proxy import Fault, FaultProxy, seeded
from tests.vidprompter.engines.openai_server.helpers import KEY, engine_at, idea
from vidprompter.engines.openai_server import Prices
from vidprompter.errors import GenerationError, ModelError, UnknownModel
from vidprompter.tasks import Prompt

COUNT = 200
CALM = Fault(429, {"Retry-After": "0"})
BROKEN = Fault(500)
HANGS = Fault(hang=60.0)


def test_two_hundred_requests_with_a_tenth_spoiled_all_finish(served: Served) -> None:
    plan = seeded(0.10, [CALM, BROKEN, HANGS], seed=4)
    with FaultProxy(served.url, plan) as proxy:
        engine = engine_at(served, proxy.url, timeout_seconds=8.0, concurrency=8, prices=Prices(1.0, 2.0))
        results = engine.generate_batch([idea(number) for number in range(COUNT)])
    prompts = [one for one in results if isinstance(one, Prompt)]
    assert len(prompts) == COUNT, [one for one in results if not isinstance(one, Prompt)]
    spoiled = [call for call in proxy.calls if call.fault]
    assert {CALM, BROKEN, HANGS} == {call.fault for call in spoiled}
    assert 10 <= len(spoiled) <= 40
    # Each once: the server answered every request a single time, and every answer is in its own row.
    assert len(proxy.served()) == COUNT
    assert set(proxy.served().values()) == {1}
    said = {
        call.body["messages"][0]["content"].splitlines()[-2]: call.answer
        for call in proxy.calls
        if call.answer
    }
    for number, prompt in enumerate(prompts):
        answer = said[f"Idea: idea number {number}"]
        assert prompt.text == " ".join(answer["choices"][0]["message"]["content"].split())
        assert prompt.tokens_in == answer["usage"]["prompt_tokens"]
        assert prompt.seed == number
    spent = engine.spending()
    assert (spent.tokens_in, spent.tokens_out) == (
        sum(one.tokens_in for one in prompts),
        sum(one.tokens_out for one in prompts),
    )
    assert spent.calls == len(proxy.calls)
    assert (spent.answers, spent.failed, spent.untold) == (COUNT, 0, 0)
    assert spent.lost == sum(call.fault == HANGS for call in spoiled)
    assert spent.money == pytest.approx((spent.tokens_in + 2 * spent.tokens_out) / 1e6)
    assert "USD" in engine.summary()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_hopeless_error_stops_the_run_at_once(
    served: Served, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    body = f'{{"error": {{"message": "no entry\\nwith {KEY}"}}}}'
    with FaultProxy(served.url, lambda number: Fault(status, body=body)) as proxy:
        engine = engine_at(served, proxy.url, concurrency=4)
        with pytest.raises(ModelError) as caught:
            engine.generate_batch([idea(number) for number in range(COUNT)])
        time.sleep(0.2)
        assert 1 <= len(proxy.calls) <= 4
        assert {call.key for call in proxy.calls} == {f"Bearer {KEY}"}
    line = str(caught.value)
    assert str(status) in line
    assert "no entry" in line
    assert "\n" not in line
    assert KEY not in line + repr(engine) + engine.summary()


def test_calls_under_way_are_broken_off(served: Served) -> None:
    """One is refused while the others hang: nobody waits for them."""
    with FaultProxy(served.url, lambda number: HANGS if number < 3 else Fault(401)) as proxy:
        engine = engine_at(served, proxy.url, concurrency=4, timeout_seconds=50.0)
        start = time.monotonic()
        with pytest.raises(ModelError, match="OPENAI_API_KEY"):
            engine.generate_batch([idea(number) for number in range(8)])
        assert time.monotonic() - start < 20


def test_a_refused_request_costs_its_row_and_no_second_attempt(served: Served) -> None:
    refused = Fault(400, body='{"error": {"message": "This model\'s maximum context length is 10 tokens"}}')
    with FaultProxy(served.url, lambda number: refused if number == 1 else None) as proxy:
        results = engine_at(served, proxy.url, concurrency=1).generate_batch([idea(n) for n in range(3)])
    assert [type(one) for one in results] == [Prompt, GenerationError, Prompt]
    assert "fewer or smaller frames" in str(results[1])
    assert len(proxy.calls) == 3


def test_attempts_that_run_out_cost_the_row(served: Served) -> None:
    with FaultProxy(served.url, lambda number: BROKEN if number < 3 else None) as proxy:
        engine = engine_at(served, proxy.url, concurrency=1, attempts=3)
        results = engine.generate_batch([idea(0), idea(1)])
    assert [type(one) for one in results] == [GenerationError, Prompt]
    assert "3 attempts" in str(results[0])
    assert engine.spending().failed == 1


def test_a_server_that_answers_nothing_is_given_up(served: Served) -> None:
    with FaultProxy(served.url, lambda number: BROKEN if number else None) as proxy:
        engine = engine_at(served, proxy.url, concurrency=2, attempts=1)
        results = engine.generate_batch([idea(number) for number in range(40)])
        # The one answer is kept; what was not sent says so.
        assert sum(isinstance(one, Prompt) for one in results) == 1
        assert len(proxy.calls) < 20
        assert "not sent" in str(results[-1])
        with pytest.raises(ModelError, match="in a row without an answer"):
            engine.generate_batch([idea(0)])
        proxy.plan = lambda number: None
        assert isinstance(engine.generate_batch([idea(0)])[0], Prompt)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(served: Served, form: str) -> None:
    def plan(number: int) -> Fault | None:
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2.5), usegmt=True)
        return Fault(429, {"Retry-After": "1" if form == "seconds" else moment}) if number == 0 else None

    with FaultProxy(served.url, plan) as proxy:
        assert isinstance(engine_at(served, proxy.url).generate_batch([idea(0)])[0], Prompt)
    first, second = (call.time for call in proxy.calls)
    # Dates have whole seconds, so that 2.5 s from now may be written as 1.5 s.
    assert second - first >= (1.0 if form == "seconds" else 1.4)


def test_a_wait_above_the_cap_is_cut_and_said(served: Served) -> None:
    told: list[str] = []
    with FaultProxy(
        served.url, lambda number: Fault(503, {"Retry-After": "3600"}) if number == 0 else None
    ) as proxy:
        engine = engine_at(served, proxy.url, retry_after_cap_seconds=0.2, say=told.append)
        assert isinstance(engine.generate_batch([idea(0)])[0], Prompt)
    assert told == ["the server asks to wait 3600 s; waiting 0.2 s, which is the cap"]
    assert engine.spending().cut_waits == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, body='{"id": "half an ans', cut=True),
        Fault(200, body="<html>please log in</html>"),
        Fault(200, body='{"error": {"message": "the server behind is busy", "code": 502}}'),
        Fault(408),
        Fault(409),
    ],
)
def test_what_may_go_better_is_asked_again(served: Served, fault: Fault) -> None:
    with FaultProxy(served.url, lambda number: fault if number == 0 else None) as proxy:
        assert isinstance(engine_at(served, proxy.url).generate_batch([idea(0)])[0], Prompt)
    assert len(proxy.calls) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(402), "no credit"),
        (Fault(429, body='{"error": {"message": "pay", "code": "insufficient_quota"}}'), "no credit"),
        (Fault(308, {"Location": "http://elsewhere.example/v1?key=x"}), "elsewhere.example"),
    ],
)
def test_other_ends_of_a_run(served: Served, fault: Fault, said: str) -> None:
    with FaultProxy(served.url, lambda number: fault) as proxy:
        with pytest.raises(ModelError, match=said):
            engine_at(served, proxy.url).generate_batch([idea(0)])
        assert len(proxy.calls) == 1


def test_the_start_waits_for_a_server_that_loads_and_stops_at_a_wrong_key(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    listed = json.dumps({"data": [{"id": "other/model", "owned_by": "vllm"}]})
    with FaultProxy(served.url) as proxy:
        proxy.list_faults = [Fault(503, {"Retry-After": "0"}), CALM]  # llama.cpp while it loads
        assert "the server answers" in engine_at(served, proxy.url).load()
        proxy.list_faults = [Fault(401)]
        with pytest.raises(ModelError, match="check the key in OPENAI_API_KEY") as caught:
            engine_at(served, proxy.url).generate_batch([idea(0)])
        assert KEY not in str(caught.value)
        proxy.list_faults = [Fault(200, body=listed)]
        with pytest.raises(UnknownModel, match="other/model"):
            engine_at(served, proxy.url).generate_batch([idea(0)])
        assert proxy.calls == []
        near = json.dumps({"data": [{"id": "served/model-2", "owned_by": "somebody"}]})
        proxy.list_faults, proxy.plan = [Fault(200, body=near)], lambda number: Fault(404)
        with pytest.raises(ModelError, match="the server lists served/model-2"):
            engine_at(served, proxy.url).generate_batch([idea(0)])
