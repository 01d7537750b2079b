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
    """Counts up to `total`; `say` puts a line above the bar.

    answers_between: answers go to stdout meanwhile; where that is a terminal they are progress enough.
    """

    def __init__(self, total: int, noun: str, *, answers_between: bool = False) -> None:
        self._total = total
        self._noun = noun
        self._wants_bar = sys.stderr.isatty() and total > 0
        self._is_silent = answers_between and sys.stdout.isatty()
        self._done = 0
        self._doing = ""
        self._failed = 0
        self._began = self._spoke = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._wants_bar and not self._is_silent:
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
            self._bar.update(self._task, completed=self._done, note=self._note())
        elif self._is_silent:
            return
        elif time.monotonic() - self._spoke >= EVERY_SECONDS and self._done < self._total:
            self._spoke = time.monotonic()
            click.echo(self._line(), err=True)

    def show(self, doing: str) -> None:
        """Shows beside the bar what is being done just now."""
        self._doing = doing
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, note=self._note())

    def _note(self) -> str:
        parts = [f"{self._per_minute():.1f} a minute"] if self._done else []
        parts += [f"{self._failed} failed"] if self._failed else []
        return ", ".join([*parts, *([self._doing] if self._doing else [])])

    def grow(self, count: int) -> None:
        """There are `count` more than was known; may be called from another thread."""
        self._total += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self._total)

    def say(self, line: str) -> None:
        """Shows a line for the user."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=True)

    def _line(self) -> str:
        rate = self._per_minute()
        rest = 60 * (self._total - self._done) / rate
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done}/{self._total} {self._noun}{failed}, {rate:.1f} a minute, {span(rest)} to go"

    def _per_minute(self) -> float:
        return 60 * self._done / max(1e-9, time.monotonic() - self._began)


def span(seconds: float) -> str:
    """`seconds` as hours:minutes:seconds."""
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
        redirect_stdout=False,  # or answers that go into a pipe would end up beside the bar
        redirect_stderr=False,
    )
