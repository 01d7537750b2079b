"""Ranking: the best first, ties in the order given, what has no score last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.ranking import rank, ranking_key
from vidprompter.errors import InputError
from vidprompter.scores import EvaluatorIdentity, Score, Scored

COSINE, MARK = EvaluatorIdentity("clip", -100, 100), EvaluatorIdentity("judge", 0, 10)


def test_what_to_rank_by() -> None:
    other = EvaluatorIdentity("long-clip", -100, 100)
    assert ranking_key([COSINE]) == "clip"
    assert ranking_key([COSINE, other]) == "mean"
    assert ranking_key([COSINE, MARK], by="judge") == "judge"
    with pytest.raises(InputError, match=r"clip \(-100 to 100\), judge \(0 to 10\) have no mean"):
        ranking_key([COSINE, MARK])
    with pytest.raises(InputError, match="have no mean"):
        ranking_key([COSINE, MARK], by="mean")
    with pytest.raises(InputError, match="'rubric', which was not asked"):
        ranking_key([COSINE], by="rubric")


def test_ties_and_missing_scores() -> None:
    given = [Scored(str(v), (Score("clip", v),)) for v in (1.0, None, 3.0, 1.0)]
    places = rank(given, "clip")
    assert [(p.index, p.rank, p.margin) for p in places] == [
        (2, 1, 2.0),
        (0, 2, 0.0),
        (3, 2, None),
        (1, 4, None),
    ]


@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), max_size=8))
def test_all_are_there_once_and_fall(values: list[float | None]) -> None:
    places = rank([Scored("x", (Score("clip", v),)) for v in values], "clip")
    assert sorted(p.index for p in places) == list(range(len(values)))
    known = [p.value for p in places if p.value is not None]
    assert known == sorted(known, reverse=True)
    assert all(p.value is None for p in places[len(known) :])
    assert all(p.margin is None or p.margin >= 0 for p in places)
