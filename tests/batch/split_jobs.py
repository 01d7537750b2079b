"""What the workers of the split tests run."""

from __future__ import annotations

import time

from batch.caption import split


def slow_shots(path: str) -> list[tuple[float, float]]:
    """The shots of a file on a slow machine."""
    original = split._starts_in

    def slowed(*arguments):  # type: ignore[no-untyped-def]
        time.sleep(1.0)
        return original(*arguments)

    split._starts_in = slowed  # type: ignore[assignment]
    return split.find_segments(path, split.Split(per_shot=True))
