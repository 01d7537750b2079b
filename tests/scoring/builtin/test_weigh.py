from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.builtin.look import look_of_sheet
from scoring.builtin.meaning import mix
from scoring.builtin.verdict import Verdict
from scoring.builtin.weigh import Judge, Weighed, combine
from tests.scoring.builtin.looks import SHEET, meanings, road, without_camera
from vidprompter.facts.claims import Claim, statements

RIGHT = "Two white cars drive on a gray road. The camera pans left in a wide shot."


@pytest.fixture(scope="module")
def judge() -> Judge:
    known = meanings()
    return Judge(road(), known, mix(road(), known))


def weigh(judge: Judge, text: str) -> Weighed:
    return judge.weigh(statements([text])[0])


def value(judge: Judge, text: str) -> float:
    found = weigh(judge, text).value
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("Two white cars", "Five white cars"),
        ("Two white cars", "Three white cars"),
        ("white", "purple"),
        ("gray road", "green road"),
        ("cars", "horses"),
        ("cars", "boats"),
        ("road", "kitchen"),
        ("pans left", "pans right"),
        ("pans left", "zooms in"),
        ("pans left", "is static"),
        ("pans left", "is handheld"),
        ("wide shot", "close-up"),
    ],
)
def test_a_wrong_word_costs(judge: Judge, said: str, wrong: str) -> None:
    assert value(judge, RIGHT.replace(said, wrong)) < value(judge, RIGHT) - 0.5


def test_less_than_was_measured_is_no_error(judge: Judge) -> None:
    wrong = value(judge, RIGHT.replace("pans left", "zooms out"))
    for word in ("pans", "tracks the cars"):
        assert value(judge, RIGHT.replace("pans left", word)) > wrong


def test_contradictions_name_the_thing(judge: Judge) -> None:
    found = weigh(judge, "Two purple cars drive on a gray road.")
    wrong = [v.claim for v in found.verdicts if v.word == "contradicted"]
    assert [(c.kind, c.said, c.noun) for c in wrong] == [("color", "purple", "car")]


def test_nothing_is_punished_where_the_sheet_is_unsure() -> None:
    look = without_camera(road())
    known = meanings()
    judge = Judge(look, known, mix(look, known))
    for said in ("The camera pans left.", "The camera is static.", "The camera zooms in."):
        assert {v.support for v in weigh(judge, said).verdicts if v.claim.kind == "camera"} == {0.5}


def test_a_sheet_alone_is_enough() -> None:
    judge = Judge(look_of_sheet(SHEET), meanings(), None)
    right, wrong = weigh(judge, RIGHT), weigh(judge, RIGHT.replace("cars", "horses").replace("left", "right"))
    assert right.match is None and right.recall is not None
    assert right.value is not None and wrong.value is not None and right.value > wrong.value + 5


def test_what_is_not_named_is_told(judge: Judge) -> None:
    assert "car" in weigh(judge, "A gray road.").missed
    assert "car" not in weigh(judge, RIGHT).missed


def test_one_of_several_is_no_wrong_number(judge: Judge) -> None:
    found = weigh(judge, "Two cars drive by. One car stops.")
    assert [v.claim.said for v in found.verdicts if v.claim.kind == "count"] == ["2"]


def test_a_text_without_claims_has_the_match_alone(judge: Judge) -> None:
    found = weigh(judge, "Wonderful and so very calm!")
    assert not found.verdicts and found.precision is None
    assert found.match is not None and found.value == pytest.approx(100 * found.match)


supports = st.floats(0.0, 1.0)
parts = st.one_of(st.none(), st.floats(0.0, 1.0))
CLAIM = Claim("object", "car", "car")


def verdicts(given_supports: list[float]) -> list[Verdict]:
    return [Verdict(CLAIM, support) for support in given_supports]


@given(st.lists(supports, max_size=12), parts, parts)
def test_the_value_stays_in_its_range(some: list[float], recall: float | None, match: float | None) -> None:
    value, precision = combine(verdicts(some), recall, match)
    assert 0 <= value <= 100 and 0 <= precision <= 1


@given(st.lists(supports, max_size=8), st.floats(0.0, 0.45), parts, parts)
def test_a_contradicted_claim_lowers_the_value(
    some: list[float], wrong: float, recall: float | None, match: float | None
) -> None:
    before, _ = combine(verdicts(some), recall, match)
    after, _ = combine(verdicts([*some, wrong]), recall, match)
    assert after < before


@given(st.lists(supports, min_size=1, max_size=8), st.floats(0.01, 0.5), parts, parts)
def test_the_value_rises_with_a_support(
    some: list[float], more: float, recall: float | None, match: float | None
) -> None:
    before, _ = combine(verdicts(some), recall, match)
    after, _ = combine(verdicts([min(1.0, some[0] + more), *some[1:]]), recall, match)
    assert after >= before


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_weighed(judge: Judge, text: str) -> None:
    found = weigh(judge, text)
    assert found.value is None or 0 <= found.value <= 100
    assert all(0 <= v.support <= 1 for v in found.verdicts)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            "A white car waits.|The road is gray.|Two cars pass.|The camera pans left.|A wide shot.|It is calm.".split(
                "|"
            )
        ),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    st.sampled_from(
        "The camera zooms in.|A purple elephant stands there.|Nine cars wait.|A kitchen.".split("|")
    ),
)
def test_a_false_sentence_lowers_the_precision(judge: Judge, true: list[str], false: str) -> None:
    before, after = weigh(judge, " ".join(true)), weigh(judge, " ".join([*true, false]))
    assert after.precision is not None
    assert before.precision is None or after.precision < before.precision
