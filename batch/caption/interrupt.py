"""Ctrl-C: the first one asks to stop after the work in flight, the second one stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class StopRequest:
    """While entered, SIGINT and SIGTERM set `asked` once and raise KeyboardInterrupt the next time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` is told what the first signal does."""
        self.asked = False
        self._say = say
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def is_asked(self) -> bool:
        """Whether somebody wants the run to stop."""
        return self.asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._say("stopping after the clips now being written; Ctrl-C again stops at once")
