from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.tiny import tiny_llama
from vidprompter.engines.decoding import Drawn, Row, draw, seed_of

MODEL = tiny_llama()
CONTEXTS = [(5, 9, 30), (7, 44, 12, 80, 3), (61,), (2, 3, 4, 5, 6, 7, 8, 9)]


def drawn(
    rows: list[Row], temperature: float = 1.0, top_p: float = 0.9, stop: tuple[int, ...] = ()
) -> list[list[Drawn]]:
    return draw(MODEL, rows, max_new_tokens=12, temperature=temperature, top_p=top_p, stop=stop, pad=0)


@pytest.mark.parametrize("context", CONTEXTS)
def test_greedy_is_what_transformers_generates(context: tuple[int, ...]) -> None:
    expected = MODEL.generate(
        torch.tensor([context]), attention_mask=torch.ones(1, len(context)), max_new_tokens=12, do_sample=False,
        eos_token_id=None, pad_token_id=0,
    )[0, len(context) :]  # fmt: skip
    assert drawn([Row(context, (0,))], temperature=0)[0][0].ids == tuple(expected.tolist())


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(CONTEXTS), min_size=1, max_size=4), st.integers(0, 1000))
def test_a_batch_gives_the_same_text_as_one_by_one(contexts: list[tuple[int, ...]], seed: int) -> None:
    rows = [Row(c, (seed + i, seed + 7 * i)) for i, c in enumerate(contexts)]
    assert drawn(rows, stop=(1, 20, 40)) == [drawn([row], stop=(1, 20, 40))[0] for row in rows]


def test_seeds_decide_the_text() -> None:
    row = Row(CONTEXTS[0], (1, 2, 1))
    one, two, again = drawn([row])[0]
    assert one == again != two


def test_a_tiny_nucleus_is_greedy() -> None:
    assert drawn([Row(CONTEXTS[1], (3,))], top_p=1e-6) == drawn([Row(CONTEXTS[1], (3,))], temperature=0)


def test_stop_tokens_end_a_row_and_are_not_part_of_it() -> None:
    free = drawn([Row(CONTEXTS[0], (0,))], temperature=0)[0][0]
    stop = free.ids[4]
    cut = drawn([Row(CONTEXTS[0], (0,))], temperature=0, stop=(stop,))[0][0]
    assert cut.stopped and cut.ids == free.ids[: free.ids.index(stop)]
    assert not free.stopped


def test_banned_sequences_never_appear() -> None:
    free = drawn([Row(CONTEXTS[3], (5,))])[0][0].ids
    single, pair = (free[0],), (free[5], free[6])
    banned = drawn([Row(CONTEXTS[3], tuple(range(20)), (single, pair))])[0]
    for text in banned:
        assert single[0] not in text.ids
        assert pair not in list(zip(text.ids, text.ids[1:], strict=False))


def test_seeds_are_the_same_on_every_machine() -> None:
    assert seed_of("a", 1) == 4742018630964328543
    assert seed_of("a", 1) != seed_of("a1")
    assert 0 <= seed_of("x") < 2**63
