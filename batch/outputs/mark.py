"""What a finished file says of the rows that it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import takewhile

from vidprompter.runs.output import Row, Rows


@dataclass(frozen=True, slots=True)
class Mark:
    """The rows of a file: places of the first and last, how many, and the sha256 of their texts.

    It stands in the file itself, so that a file that lost step with the ledger is noticed however that came.
    """

    first: int
    last: int
    rows: int
    sha256: str

    def to_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Mark | None:
        """The mark, None if `text` is none."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


def mark_of(rows: Iterable[Row]) -> Mark:
    """The mark of a file with these rows; first and last are 0 where there are none."""
    first = last = count = 0
    digest = hashlib.sha256()
    for seq, text in rows:
        first, last, count = first or seq, seq, count + 1
        digest.update(f"{seq} {text}\n".encode("utf-8", "surrogatepass"))
    return Mark(first, last, count, digest.hexdigest())


def between(rows: Rows, after: int, before: int | None) -> Iterator[Row]:
    """The rows behind place `after` and in front of place `before`, None: to the end."""
    found = rows.after(after)
    return found if before is None else takewhile(lambda row: row.seq < before, found)
