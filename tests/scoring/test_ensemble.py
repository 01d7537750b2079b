"""The ensemble: every score kept, the mean where it means something, errors in their place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import Ensemble
from scoring.ensemble import mean_of
from vidprompter.errors import CorruptVideo, InputError, VidPrompterError
from vidprompter.scores import EvaluatorIdentity, Outcome, Score, Scored, empty_score
from vidprompter.tasks import Request, Task

IDEA = Request(Task.SHORT_TO_PROMPT, short="a cat")


class Length:
    """A real evaluator of a kind: how many letters a text has, a clip of a given name fails."""

    def __init__(self, name: str, *, high: float = 100.0, fails_on: str = "") -> None:
        self._identity = EvaluatorIdentity(name, 0.0, high, needs_video=False)
        self._fails_on = fails_on
        self.asked: list[str | None] = []
        self.closed = False

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        return (self._identity,)

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        self.asked += [request.short for request in requests]
        return [
            CorruptVideo(f"{request.short} is damaged")
            if request.short == self._fails_on
            else [Scored(text, (self._one(text),)) for text in texts]
            for request, texts in zip(requests, candidates, strict=True)
        ]

    def _one(self, text: str) -> Score:
        name = self._identity.name
        return Score(name, float(len(text)), truncated=max(0, len(text) - 5)) if text else empty_score(name)

    def close(self) -> None:
        self.closed = True


def scored(outcome: Outcome) -> list[Scored]:
    assert not isinstance(outcome, VidPrompterError)
    return outcome


def test_each_score_is_kept_and_the_mean_stands_beside_them() -> None:
    both = Ensemble([Length("one"), Length("two")])
    [one] = scored(both.score([IDEA], [["abcdefgh"]])[0])
    assert [s.evaluator for s in one.scores] == ["one", "two"]
    assert (one.value("one"), one.mean, one.truncated) == (8.0, 8.0, {"one": 3, "two": 3})
    with pytest.raises(KeyError):
        one.of("three")


def test_scores_of_different_ranges_have_no_mean() -> None:
    both = Ensemble([Length("one"), Length("two", high=10.0)])
    assert not both.has_mean
    [one] = scored(both.score([IDEA], [["abc"]])[0])
    assert one.mean is None and one.value("two") == 3.0


def test_a_missing_score_takes_the_mean_away() -> None:
    [one] = scored(Ensemble([Length("one"), Length("two")]).score([IDEA], [[""]])[0])
    assert one.mean is None and one.scores[0].flags == ("empty",)


def test_an_error_costs_its_request_and_is_not_looked_at_again() -> None:
    broken = Request(Task.SHORT_TO_PROMPT, short="broken")
    second = Length("two")
    answers = Ensemble([Length("one", fails_on="broken"), second]).score(
        [IDEA, broken, IDEA], [["a"], ["b", "c"], []]
    )
    assert isinstance(answers[1], CorruptVideo)
    assert len(scored(answers[0])) == 1 and scored(answers[2]) == []
    assert second.asked == ["a cat", "a cat"]


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match="no evaluator was named"):
        Ensemble([])
    with pytest.raises(InputError, match="'one' was named twice"):
        Ensemble([Length("one"), Length("one")])
    with pytest.raises(InputError, match="2 requests, but candidates for 1"):
        Ensemble([Length("one")]).score([IDEA, IDEA], [["a"]])


def test_closing_reaches_all() -> None:
    members = [Length("one"), Length("two")]
    Ensemble(members).close()
    assert all(member.closed for member in members)


@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), max_size=5))
def test_the_mean_lies_between_its_parts_or_is_none(values: list[float | None]) -> None:
    mean = mean_of([Score("x", value) for value in values])
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        assert mean is None
    else:
        assert mean is not None and min(known) - 1e-9 <= mean <= max(known) + 1e-9
