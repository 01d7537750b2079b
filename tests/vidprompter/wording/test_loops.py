"""Texts that go round in circles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprompter.wording.loops import is_loop, is_token_loop

FINE = (
    "A woman walks through a park. The trees are green and the light is soft. She wears a red coat and holds a dog "
    "by its leash. The camera stays still, keeping the woman in frame. The mood is very, very, very calm."
)


@pytest.mark.parametrize(
    "text",
    [
        FINE + " the camera pans" * 6,
        FINE + " and" * 30,
        FINE + " The camera pans left." * 3,
        "The scene is calm. A cat sits. The scene is calm. A dog runs. The scene is calm. A bird sings and flies away.",
        "- a cat\n- a dog\n" * 8,
        "画面很安静，" * 6,
        FINE + " " + "and the sun sets over the hills and the sea, " * 3 + "and the sun sets over",
    ],
)
def test_circles_are_seen(text: str) -> None:
    assert is_loop(text)


@pytest.mark.parametrize(
    "text", [FINE, "", "no no no", "A cat. A cat. A cat.", "one two three four five six " * 1]
)
def test_other_texts_are_none(text: str) -> None:
    assert not is_loop(text)


@given(
    st.lists(st.integers(0, 50_000), min_size=4, max_size=40, unique=True),
    st.integers(3, 6),
    st.integers(0, 3),
)
def test_tokens_said_again_and_again(unit: list[int], times: int, cut: int) -> None:
    assert is_token_loop([1_000_001, 1_000_002, *unit * times, *unit[:cut]])


@given(st.lists(st.integers(0, 50_000), max_size=200, unique=True))
def test_tokens_that_never_come_twice_are_no_circle(ids: list[int]) -> None:
    assert not is_token_loop(ids)
