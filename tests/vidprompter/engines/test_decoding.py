from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.tiny import tiny_llama
from vidprompter.engines.cache import ROOM, roomy_cache
from vidprompter.engines.decoding import ASK_STEPS, Bans, Drawn, Row, draw, seed_of

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


def test_a_cache_with_room_holds_what_a_plain_one_does() -> None:
    from transformers.cache_utils import DynamicCache

    roomy, plain = roomy_cache(), DynamicCache()
    states = torch.randn(2, 3, 2, 5 + 3 * ROOM, 8)
    at = 5
    for cache in (roomy, plain):
        cache.update(*states[:, :, :, :5], layer_idx=0)
    for step in range(2 * ROOM):
        new = states[:, : len(roomy.layers[0].keys), :, at : at + 1]
        both = [cache.update(*new, layer_idx=0) for cache in (roomy, plain)]
        assert all(torch.equal(a, b) for a, b in zip(*both, strict=True))
        at += 1
        if step in (3, ROOM + 2):
            kept = torch.tensor([2, 0, 2]) if step == 3 else torch.tensor([1])
            roomy.batch_select_indices(kept)
            plain.batch_select_indices(kept)
        assert roomy.get_seq_length() == plain.get_seq_length() == at


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple), max_size=6),
    st.lists(st.integers(0, 3), max_size=6),
)
def test_bans_are_what_would_complete_a_sequence(sequences: list[tuple[int, ...]], text: list[int]) -> None:
    expected = {s[-1] for s in sequences if (*text, s[-1])[-len(s) :] == s}
    assert set(Bans(sequences).now(text)) == expected


def test_threads_follow_the_free_cores_and_come_back() -> None:
    before = torch.get_num_threads()
    asked = []

    def spare() -> int:
        asked.append(torch.get_num_threads())
        return (0, 2)[len(asked) > 1]  # never less than one

    seen = set()
    hook = MODEL.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    rows = [Row(c, (1, 2)) for c in CONTEXTS]
    try:
        free = drawn(rows)
        shared = draw(
            MODEL, rows, max_new_tokens=12, temperature=1.0, top_p=0.9, stop=(), pad=0, spare_cores=spare
        )
    finally:
        hook.remove()
    assert shared == free
    assert len(asked) == 1 + 12 // ASK_STEPS and {1, 2} <= seen
    assert torch.get_num_threads() == before
