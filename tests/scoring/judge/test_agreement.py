"""Agreement of repeated marks, against numbers worked out by hand and a slow reading of the definition."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.judge.agreement import AgreementTally, krippendorff_alpha

UNITS = st.lists(st.lists(st.integers(0, 20).map(lambda n: n / 2), max_size=4), max_size=6)


def slow_alpha(units: list[list[float]]) -> float | None:
    """1 - observed / expected, summed over all pairs as the definition is written."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    if not values:
        return None
    n = len(values)
    observed = (
        sum(sum((a - b) ** 2 for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / n
    )
    expected = sum((a - b) ** 2 for a, b in permutations(values, 2)) / (n * (n - 1))
    return 1 - observed / expected if expected else None


def test_two_texts_by_hand() -> None:
    # observed: (0 + 0 + 1 + 1) / 4 = 0.5; values 2 2 8 9: expected (8*36 ... ) by pairs = 2*(0+36+49+36+49+1)/12 = 28.5
    assert krippendorff_alpha([[2, 2], [8, 9]]) == pytest.approx(1 - 0.5 / 28.5)


def test_krippendorffs_own_example() -> None:
    # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section E: interval data, alpha = 0.849.
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = [[float(one) for one in unit if one is not None] for unit in zip(*observers, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.849, abs=0.0005)


def test_no_agreement_can_be_told_of_one_answer_or_of_equal_ones() -> None:
    assert krippendorff_alpha([[5.0], []]) is None
    assert krippendorff_alpha([[5.0, 5.0], [5.0, 5.0]]) is None
    assert AgreementTally().result().line() == ""


def test_differences_and_close_pairs() -> None:
    tally = AgreementTally()
    for marks in ([7.0, 8.0, 5.0], [4.0, 4.0], [9.0]):
        tally.add(marks)
    found = tally.result()
    assert (found.texts, found.answers) == (2, 5)
    assert found.difference == pytest.approx((1 + 2 + 3 + 0) / 4)
    assert found.close == 0.5
    assert "5 answers to 2 texts" in found.line()


@given(UNITS)
def test_the_sums_are_the_definition(units: list[list[float]]) -> None:
    slow, fast = slow_alpha(units), krippendorff_alpha(units)
    assert (slow is None) == (fast is None)
    assert slow is None or fast == pytest.approx(slow, abs=1e-6)
