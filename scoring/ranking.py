"""Candidates in order, the best first, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidprompter.errors import InputError
from vidprompter.scores import EvaluatorIdentity, Scored


@dataclass(frozen=True)
class Place:
    """Where a candidate stands. index: its place in what was given; rank: 1 is best; value: what it was ranked by.

    margin: how much better than the next, None for the last and for what has no score (those come last, in the order
    given).
    """

    index: int
    rank: int
    scored: Scored
    value: float | None
    margin: float | None


def ranking_key(identities: Sequence[EvaluatorIdentity], by: str | None = None) -> str:
    """What candidates can be ranked by: the name of one evaluator, or "mean".

    Raises:
        InputError: `by` was not asked; or there is no mean, since the evaluators have different ranges.
    """
    names = [identity.name for identity in identities]
    if by is not None:
        if by != "mean" and by not in names:
            raise InputError(f"cannot rank by {by!r}, which was not asked; there are: {', '.join(names)}")
        if by != "mean":
            return by
    if len(names) == 1:
        return names[0]
    if len({(identity.low, identity.high) for identity in identities}) > 1:
        ranges = ", ".join(f"{one.name} ({one.low:g} to {one.high:g})" for one in identities)
        raise InputError(f"{ranges} have no mean, being of different ranges; name one to rank by")
    return "mean"


def rank(scored: Sequence[Scored], key: str) -> list[Place]:
    """All candidates, the best first; equal ones share a rank and stay in the order given.

    key: of `ranking_key`.
    """
    values = [one.mean if key == "mean" else one.value(key) for one in scored]
    order = sorted(range(len(scored)), key=lambda n: (values[n] is None, -(values[n] or 0.0), n))
    places: list[Place] = []
    for position, n in enumerate(order):
        value = values[n]
        following = values[order[position + 1]] if position + 1 < len(order) else None
        before = places[-1] if places else None
        same = before is not None and before.value == value
        places.append(
            Place(
                index=n,
                rank=before.rank if before is not None and same else position + 1,
                scored=scored[n],
                value=value,
                margin=value - following if value is not None and following is not None else None,
            )
        )
    return places
