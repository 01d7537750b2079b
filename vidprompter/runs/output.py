"""What an output of a run is to the ledger: a view that can always be brought back in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """A finished row. seq: its place in the output, rising, with gaps; text: one line of JSON."""

    seq: int
    text: str


class Rows(Protocol):
    """The ledger's finished rows of one stage."""

    def after(self, seq: int) -> Iterator[Row]:
        """The rows behind place `seq`, in order; 0 gives all. Streams: memory does not grow with the run."""
        ...


class Output(Protocol):
    """A view of the ledger's rows. Every method may be cut off by `kill -9`; `recover` then mends it.

    All raise OutputError where the disk is full or the place cannot be written: one line, with the next step.
    """

    def recover(self, rows: Rows, *, stale: bool, say: Callable[[str], None]) -> None:
        """Called at the start, and once more where items are done again: brings the view in step.

        stale: rows that the view may hold were taken out of the ledger since (items are done again), so it
        must be made anew. say: is told, in one line each, what was mended; silent where nothing was.
        """
        ...

    def add(self, rows: Sequence[Row]) -> None:
        """Shows rows that the ledger has just recorded."""
        ...

    def finish(self, rows: Rows) -> None:
        """Called at the end of a run, also an interrupted one: what was kept back is written, parts are merged.

        More runs may follow.
        """
        ...

    def close(self) -> None:
        """Lets go of files; called always, also after an error."""
        ...
