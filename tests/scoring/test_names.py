"""Evaluators by name: what is asked for is what is made, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.names import CLIP_LIKE, NAMES, Named, parse_names
from vidprompter.errors import InputError


def test_names_and_places() -> None:
    assert parse_names(["builtin"]) == [Named("builtin")]
    assert parse_names(["clip=a=b.pt", "rubric"]) == [Named("clip", "a=b.pt"), Named("rubric")]
    assert parse_names(["paper"]) == [Named(name) for name in CLIP_LIKE]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["clipp"], "no evaluator 'clipp'; did you mean 'clip'"),
        (["zzz"], "there are: clip, long-clip"),
        (["clip", "clip=x.pt"], "'clip' was named twice"),
        (["paper", "long-clip"], "'long-clip' was named twice"),
        (["rubric=x"], "'rubric' has no weights"),
        (["clip="], "names no place"),
        (["paper=x"], "no evaluator 'paper'"),
        ([""], "no evaluator ''"),
    ],
)
def test_bad_names_say_what_there_is(asked: list[str], said: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as raised:
        parse_names(asked)
    assert said in str(raised.value)


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_the_order_is_kept(asked: list[str]) -> None:
    assert [one.name for one in parse_names(asked)] == asked


@given(st.lists(st.text(max_size=12), max_size=3))
def test_anything_else_is_an_input_error(asked: list[str]) -> None:
    try:
        found = parse_names(asked)
    except InputError:
        return
    assert all(one.name in NAMES for one in found)
