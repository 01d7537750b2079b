"""Processes that run a function under a time limit: a crash or a hang costs one item, never the run."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from vidprompter.errors import InputError, VidPrompterError
from vidprompter.video.crew import Crew, Task
from vidprompter.video.worker import WorkerFault, beat, fault_of

__all__ = ["Outcome", "WorkerFault", "WorkerPool", "beat"]

I = TypeVar("I")  # noqa: E741 - item
V = TypeVar("V")

# How often a waiting caller wakes up to notice Ctrl-C where waits cannot be interrupted (Windows).
_WAKE_SECONDS = 0.5


@dataclass(frozen=True)
class Outcome(Generic[I, V]):
    """What became of one item: `value`, or `error` where it failed. seconds: spent by the worker on it."""

    item: I
    value: V | None
    error: VidPrompterError | None
    seconds: float

    def unwrap(self) -> V:
        """The value.

        Raises:
            VidPrompterError: the item failed.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class _Answers(Generic[I, V]):
    """Outcomes of one map, as the crew brings them."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Task, Outcome[I, V]] | VidPrompterError] = queue.SimpleQueue()

    def put(self, task: Task, value: Any, error: VidPrompterError | None, seconds: float) -> None:
        self._queue.put((task, Outcome(task.item, value, error, seconds)))

    def fail(self, error: VidPrompterError) -> None:
        self._queue.put(error)

    def get(self) -> tuple[Task, Outcome[I, V]]:
        """The next that comes.

        Raises:
            queue.Empty: nothing came for a moment.
            VidPrompterError: nothing will come any more.
        """
        answer = self._queue.get(timeout=_WAKE_SECONDS)
        if isinstance(answer, VidPrompterError):
            raise answer
        return answer


class WorkerPool(Generic[I, V]):
    """Runs `function(item)` in up to `workers` processes, each item under a time limit.

    The processes are fresh interpreters (nothing is forked; no script needs an `if __name__` guard) and start
    when the first item comes. A worker that hangs is killed, one that dies is replaced, and the rest goes on.
    function, initializer: importable by name (not of `__main__`, no lambdas); a `functools.partial` will do.
    timeout_seconds: for one item, start-up excluded; a function that calls `beat` gets it anew each time.
    describe: how messages name an item.
    Use it as a context manager, or call `close`.

    Raises:
        InputError: a function that cannot be sent, or a number out of range.
    """

    def __init__(
        self,
        function: Callable[[I], V],
        *,
        workers: int,
        timeout_seconds: float,
        initializer: Callable[[], None] | None = None,
        describe: Callable[[I], str] | None = None,
    ) -> None:
        if workers < 1:
            raise InputError(f"workers is {workers}; it must be at least 1")
        if not 0 < timeout_seconds <= 86400:
            raise InputError(
                f"--decode-timeout is {timeout_seconds}; it must be above 0 and at most 86400 seconds"
            )
        self._setup = _pack_functions(function, initializer, timeout_seconds)
        self._count = workers
        self._limit = timeout_seconds
        self._describe = describe or _short
        self._crew: Crew | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kills the workers and waits for them; safe to call twice."""
        self._closed = True
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    @property
    def busy(self) -> int:
        """How many workers have something to do just now."""
        crew = self._crew
        return crew.busy if crew is not None else 0

    def map(self, items: Iterable[I], *, in_flight: int | None = None) -> Iterator[Outcome[I, V]]:
        """Yields an `Outcome` for each item, as they finish.

        At most `in_flight` items (default: two for each worker) are between being taken from `items` and
        being yielded, so a slow consumer holds the work up. `items` is advanced in the caller's thread only.
        Leaving the loop early drops what is under way.

        Raises:
            InputError: the pool is closed, or in_flight is below 1.
            VidPrompterError: the workers do not start.
        """
        bound = 2 * self._count if in_flight is None else in_flight
        if bound < 1:
            raise InputError(f"in_flight is {bound}; it must be at least 1")
        return self._outcomes(iter(items), bound, self._open_crew())

    def _outcomes(self, items: Iterator[I], bound: int, crew: Crew) -> Iterator[Outcome[I, V]]:
        answers: _Answers[I, V] = _Answers()
        flying: set[Task] = set()
        exhausted = False
        try:
            while True:
                while not exhausted and len(flying) < bound:
                    try:
                        flying.add(_submit(next(items), answers, crew))
                    except StopIteration:
                        exhausted = True
                if not flying:
                    return
                task, outcome = self._next_answer(answers, crew)
                flying.remove(task)
                yield outcome
        finally:
            if flying:
                crew.drop(flying)

    def _next_answer(self, answers: _Answers[I, V], crew: Crew) -> tuple[Task, Outcome[I, V]]:
        while True:
            try:
                return answers.get()
            except queue.Empty:
                if self._closed or crew.is_over:
                    raise InputError("the worker pool was closed while it was at work") from None

    def _open_crew(self) -> Crew:
        if self._closed:
            raise InputError("the worker pool is closed; make a new one")
        if self._crew is None:
            self._crew = Crew(self._setup, count=self._count, limit=self._limit, describe=self._describe)
        return self._crew


def _submit(item: I, answers: _Answers[I, V], crew: Crew) -> Task:
    task = Task(item, b"", answers)
    try:
        task.payload = pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        # Pickling runs the item's own code, so anything can come out of it; it costs this item.
        task.answer(None, fault_of(error), 0.0)
    else:
        crew.submit(task)
    return task


def _pack_functions(function: Any, initializer: Any, timeout_seconds: float) -> bytes:
    try:
        setup = pickle.dumps((function, initializer, timeout_seconds))
    except Exception as error:
        raise InputError(
            f"{function!r} cannot be sent to a worker ({error}); use a module-level function"
        ) from None
    if b"__main__" in setup:
        raise InputError(f"{function!r} belongs to the main script; move it to a module that can be imported")
    return setup


def _short(item: object) -> str:
    text = repr(item)
    return text if len(text) <= 200 else f"{text[:97]}...{text[-100:]}"
