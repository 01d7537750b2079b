"""Drawing through ONNX Runtime, with a tiny model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vidprompter.engines.drawers.tiny import tiny_drawer
from vidprompter.engines.decoding import ASK_STEPS, Drawing, Drawn, Row
from vidprompter.engines.drawers import onnx_sessions
from vidprompter.engines.drawers.nucleus import log_probability
from vidprompter.engines.drawers.onnx_drawer import BEST_ROWS
from vidprompter.engines.drawers.onnx_memory import DecoderMemory
from vidprompter.engines.drawers.onnx_sessions import Sessions

CONTEXTS = [(5, 9, 30), (7, 44, 12, 80, 3), (61,), (2, 3, 4, 5, 6, 7, 8, 9)]
GREEDY = Drawing(12, 0.0, 1.0, frozenset())


def drawing(temperature: float = 1.0, top_p: float = 0.9, stop: tuple[int, ...] = ()) -> Drawing:
    return Drawing(12, temperature, top_p, frozenset(stop))


def drawn(rows: list[Row], how: Drawing | None = None) -> list[list[Drawn]]:
    return tiny_drawer().draw(rows, how or drawing())


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(CONTEXTS), min_size=1, max_size=5), st.integers(0, 1000))
def test_a_batch_gives_the_same_text_as_one_by_one(contexts: list[tuple[int, ...]], seed: int) -> None:
    rows = [Row(c, (seed + i, seed + 7 * i)) for i, c in enumerate(contexts)]
    how = drawing(stop=(1, 20, 40, 60))
    together = drawn(rows, how)
    assert together == [drawn([row], how)[0] for row in rows]
    for row, candidates in zip(rows, together, strict=True):
        assert candidates == [drawn([Row(row.ids, (s,))], how)[0][0] for s in row.seeds]


def test_seeds_decide_the_text() -> None:
    one, two, again = drawn([Row(CONTEXTS[0], (1, 2, 1))])[0]
    assert one == again != two
    assert drawn([Row(CONTEXTS[0], ())]) == [[]] and drawn([]) == []


def test_greedy_is_one_text_and_a_tiny_nucleus_is_greedy() -> None:
    row = Row(CONTEXTS[1], (3, 4))
    one, two = drawn([row], GREEDY)[0]
    assert one == two == drawn([row], drawing(top_p=1e-6))[0][0]
    assert len(one.ids) == 12 and not one.stopped and one.end is None


def test_stop_tokens_and_stop_texts_end_a_row() -> None:
    free = drawn([Row(CONTEXTS[0], (0,))], GREEDY)[0][0]
    stop = free.ids[4]
    at = free.ids.index(stop)
    cut = drawn([Row(CONTEXTS[0], (0,))], drawing(0, stop=(stop,)))[0][0]
    assert cut.stopped and cut.end == stop and cut.ids == free.ids[:at]
    said = Drawing(12, 0, 1.0, frozenset(), ends=lambda ids: ids[-1] == stop)
    text = drawn([Row(CONTEXTS[0], (0,))], said)[0][0]
    assert text.stopped and text.end is None and text.ids == free.ids[: at + 1]


def test_banned_sequences_never_appear() -> None:
    free = drawn([Row(CONTEXTS[3], (5,))])[0][0].ids
    single, pair = (free[0],), (free[5], free[6])
    for text in drawn([Row(CONTEXTS[3], tuple(range(20)), (single, pair))])[0]:
        assert single[0] not in text.ids
        assert pair not in list(zip(text.ids, text.ids[1:], strict=False))


def test_tokens_are_told_as_they_come() -> None:
    told: list[tuple[int, int, int]] = []
    rows = [Row(CONTEXTS[0], (1, 2)), Row(CONTEXTS[1], (3,))]
    result = tiny_drawer().draw(rows, drawing(), on_token=lambda *each: told.append(each))
    for row, candidates in enumerate(result):
        for number, one in enumerate(candidates):
            assert one.ids == tuple(token for r, c, token in told if (r, c) == (row, number))


def test_log_probabilities_are_the_models_own() -> None:
    row = Row(CONTEXTS[1], (3, 8), banned=((11,),))
    how = Drawing(6, 0.8, 0.9, frozenset({20}), logprobs=True)
    drawer = tiny_drawer()
    for one in drawer.draw([row], how)[0]:
        ids = [*one.ids, *([one.end] if one.end is not None else [])]
        memory = DecoderMemory(drawer._packed.shape, 1, len(row.ids) + len(ids))
        session, embed = drawer._sessions.get(1), drawer._packed.embedding.rows
        memory.read_context(session, 0, embed(np.array(row.ids)))
        total = 0.0
        for token in ids:
            total += log_probability(memory.logits[0, 0], token)
            memory.step(session, embed(np.array([token])))
        assert one.logprob == pytest.approx(total, abs=1e-4)
    assert drawn([row])[0][0].logprob is None


def test_threads_follow_the_free_cores_and_do_not_change_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_sessions, "usable_cores", lambda: 4)
    asked: list[int] = []

    def spare() -> int:
        asked.append(len(asked))
        return (0, 3)[len(asked) > 1]  # never less than one

    rows = [Row(c, (1, 2)) for c in CONTEXTS]
    shared = tiny_drawer().draw(rows, drawing(), spare_cores=spare)
    assert shared == drawn(rows)
    assert len(asked) == 1 + 11 // ASK_STEPS


def test_few_sessions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_sessions, "usable_cores", lambda: 12)
    sessions = Sessions(tiny_drawer()._packed.graph)
    by_threads = {n: sessions.get(n) for n in (0, 1, 2, 3, 7, 11, 12, 40)}
    counts = {n: s.get_session_options().intra_op_num_threads for n, s in by_threads.items()}
    assert counts == {0: 1, 1: 1, 2: 2, 3: 2, 7: 4, 11: 8, 12: 12, 40: 12}
    assert by_threads[12] is by_threads[40] is sessions.get(12)
    assert len(sessions._made) == 2


def test_rows_follow_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidprompter.engines import memory

    monkeypatch.setattr(memory, "free_bytes", lambda device: None)
    assert tiny_drawer().rows_at_once(100) == BEST_ROWS
    monkeypatch.setattr(memory, "free_bytes", lambda device: 0)
    assert tiny_drawer().rows_at_once(100) == 1


def test_short_memory_is_python_s_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 4096")

    monkeypatch.setattr(DecoderMemory, "step", fail)
    with pytest.raises(MemoryError, match="4096"):
        drawn([Row(CONTEXTS[0], (1,))])
