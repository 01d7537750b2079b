"""How far a run is: a bar on a terminal, a line every ten seconds elsewhere. All of it on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

EVERY_SECONDS = 10.0


class Progress:
    """Counts up to `total`; `say` puts a line above the bar."""

    def __init__(self, total: int, noun: str) -> None:
        self._total = total
        self._noun = noun
        self._done = 0
        self._failed = 0
        self._began = self._spoke = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self._total:
            self._bar = _rich_bar()
            self._task = self._bar.add_task("", total=self._total, note="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, *, failed: bool) -> None:
        """One more came to its end."""
        self._done += 1
        self._failed += failed
        if self._bar is not None and self._task is not None:
            note = f"{self._failed} failed" if self._failed else ""
            self._bar.update(self._task, completed=self._done, note=note)
        elif time.monotonic() - self._spoke >= EVERY_SECONDS and self._done < self._total:
            self._spoke = time.monotonic()
            click.echo(self._line(), err=True)

    def say(self, line: str) -> None:
        """Shows a line for the user."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=True)

    def _line(self) -> str:
        rate = self._done / max(1e-9, time.monotonic() - self._began)
        rest = (self._total - self._done) / rate
        failed = f", {self._failed} failed" if self._failed else ""
        return (
            f"{self._done}/{self._total} {self._noun}{failed}, {60 * rate:.1f} a minute, {_span(rest)} to go"
        )


def _span(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _rich_bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
