"""Processes that run a function under a time limit: a crash or a hang costs one item, never the run."""

from __future__ import annotations

import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from vidprompter.errors import DecodeCrash, DecodeTimeout, InputError, VidPrompterError
from vidprompter.video.worker import Done, Ready, WorkerFault, fault_of
from vidprompter.video.worker_process import WorkerProcess

__all__ = ["Outcome", "WorkerFault", "WorkerPool"]

I = TypeVar("I")  # noqa: E741 - item
V = TypeVar("V")

# Start-up is imports and the initializer; on a loaded machine the heavy ones take a minute.
_START_SECONDS = 300.0
_STARTS_IN_VAIN = 3
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


@dataclass(eq=False)
class _Task:
    """One item on its way. answers: where it goes with its outcome; a bare error there ends the whole map."""

    item: Any
    payload: bytes
    answers: _Answers
    cancelled: bool = False

    def answer(self, value: Any, error: VidPrompterError | None, seconds: float) -> None:
        """Reports what became of it, unless nobody waits any more."""
        if not self.cancelled:
            self.answers.put((self, Outcome(self.item, value, error, seconds)))


_Answers = queue.SimpleQueue["tuple[_Task, Outcome[Any, Any]] | VidPrompterError"]


@dataclass
class _Event:
    """Something for the pool's thread: from a worker, or from a caller."""

    worker: WorkerProcess | None = None
    message: Ready | Done | None = None
    payload: bytes = b""
    task: _Task | None = None
    abandoned: list[_Task] = field(default_factory=list)
    closing: bool = False


class WorkerPool(Generic[I, V]):
    """Runs `function(item)` in up to `workers` processes, each item under a time limit.

    The processes are fresh interpreters (nothing is forked; no script needs an `if __name__` guard) and start
    when the first item comes. A worker that hangs is killed, one that dies is replaced, and the rest goes on.
    function, initializer: importable by name (not of `__main__`, no lambdas); a `functools.partial` will do.
    timeout_seconds: for one item, start-up excluded. describe: how messages name an item.
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
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        # Below: touched by the pool's thread only.
        self._workers: list[WorkerProcess] = []
        self._tasks: dict[WorkerProcess, _Task] = {}
        self._waiting: deque[_Task] = deque()
        self._failed_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kills the workers and waits for them; safe to call twice."""
        self._closed = True
        if self._thread is not None:
            self._events.put(_Event(closing=True))
            self._thread.join()
            self._thread = None

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
        self._start()
        return self._outcomes(iter(items), bound)

    def _outcomes(self, items: Iterator[I], bound: int) -> Iterator[Outcome[I, V]]:
        answers: _Answers = queue.SimpleQueue()
        flying: list[_Task] = []
        exhausted = False
        try:
            while True:
                while not exhausted and len(flying) < bound:
                    try:
                        flying.append(self._submit(next(items), answers))
                    except StopIteration:
                        exhausted = True
                if not flying:
                    return
                answer = self._next_answer(answers)
                if isinstance(answer, VidPrompterError):
                    raise answer
                task, outcome = answer
                flying.remove(task)
                yield outcome
        finally:
            if flying:
                self._events.put(_Event(abandoned=flying))

    def _submit(self, item: I, answers: _Answers) -> _Task:
        task = _Task(item, b"", answers)
        try:
            task.payload = pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            # Pickling runs the item's own code, so anything can come out of it; it costs this item.
            task.answer(None, fault_of(error), 0.0)
        else:
            self._events.put(_Event(task=task))
        return task

    def _next_answer(self, answers: _Answers) -> tuple[_Task, Outcome[I, V]] | VidPrompterError:
        while True:
            try:
                return answers.get(timeout=_WAKE_SECONDS)
            except queue.Empty:
                if self._closed:
                    raise InputError("the worker pool was closed while it was at work") from None

    def _start(self) -> None:
        if self._closed:
            raise InputError("the worker pool is closed; make a new one")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="worker-pool", daemon=True)
            self._thread.start()

    # Everything below runs in the pool's thread.

    def _run(self) -> None:
        try:
            while not self._handle_news():
                self._kill_late()
                self._staff()
        finally:
            for worker in self._workers:
                worker.kill()
            self._workers.clear()

    def _handle_news(self) -> bool:
        """Waits for something to happen or come due, and handles all there is; True when closing.

        All of it: an item whose result is already here must not be counted as late.
        """
        patience: float | None = self._patience()
        while True:
            try:
                event = self._events.get(timeout=patience)
            except queue.Empty:
                return False
            if event.closing:
                return True
            self._handle(event)
            patience = 0.0

    def _handle(self, event: _Event) -> None:
        if event.task is not None:
            self._waiting.append(event.task)
        for task in event.abandoned:
            self._drop(task)
        worker = event.worker
        if worker is None or worker not in self._workers:
            return
        if event.message is None:
            self._bury(worker)
        elif isinstance(event.message, Done):
            self._deliver(worker, event.message, event.payload)
        elif event.message.fault is not None:
            worker.kill()
            self._lose_start(worker, str(event.message.fault))
        else:
            worker.is_ready, self._failed_starts = True, 0

    def _deliver(self, worker: WorkerProcess, done: Done, payload: bytes) -> None:
        task = self._tasks.pop(worker)
        try:
            content = pickle.loads(payload)
        except Exception as error:
            # A value whose class cannot be rebuilt here; it costs this item.
            task.answer(None, fault_of(error), done.seconds)
            return
        if done.succeeded:
            task.answer(content, None, done.seconds)
        else:
            task.answer(None, content, done.seconds)

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker died of itself."""
        worker.wait_dead()
        how = worker.kill()
        if not worker.is_ready:
            self._lose_start(worker, how)
            return
        self._fail(worker, DecodeCrash, f"the decoder's process died ({how}); leave it out or convert it")

    def _kill_late(self) -> None:
        now = time.monotonic()
        for worker in [w for w in self._workers if self._deadline(w) <= now]:
            worker.kill()
            if not worker.is_ready:
                self._lose_start(worker, f"not ready after {_START_SECONDS:g} s")
                continue
            reason = (
                f"decoding ran past {self._limit:g} s and was stopped; raise --decode-timeout or leave it out"
            )
            self._fail(worker, DecodeTimeout, reason)

    def _fail(self, worker: WorkerProcess, kind: type[VidPrompterError], reason: str) -> None:
        """Strikes a dead worker off; its item, if it had one, has failed."""
        self._workers.remove(worker)
        task = self._tasks.pop(worker, None)
        if task is not None:
            error = kind(f"{self._describe(task.item)}: {reason}")
            task.answer(None, error, time.monotonic() - worker.since)

    def _lose_start(self, worker: WorkerProcess, why: str) -> None:
        """Strikes off a worker that did not come up; after a few of them, nobody waits any longer."""
        self._workers.remove(worker)
        self._failed_starts += 1
        if self._failed_starts >= _STARTS_IN_VAIN:
            self._failed_starts = 0
            while self._waiting:
                task = self._waiting.popleft()
                task.answers.put(VidPrompterError(f"the decoding workers do not start: {why}"))

    def _drop(self, task: _Task) -> None:
        """Forgets an item that nobody waits for; a worker that is busy with it is killed."""
        task.cancelled = True
        if task in self._waiting:
            self._waiting.remove(task)
        for worker in [w for w, held in self._tasks.items() if held is task]:
            worker.kill()
            self._workers.remove(worker)
            del self._tasks[worker]

    def _staff(self) -> None:
        """Gives waiting items to free workers; starts as many workers as there is work for."""
        for worker in self._workers:
            if worker.is_ready and worker not in self._tasks and self._waiting:
                task = self._waiting.popleft()
                self._tasks[worker] = task
                worker.give(task.payload)
        starting = sum(not worker.is_ready for worker in self._workers)
        room = self._count - len(self._workers)
        for _ in range(min(room, len(self._waiting) - starting)):
            self._workers.append(WorkerProcess(self._setup, self._report))

    def _report(self, worker: WorkerProcess, message: Ready | Done | None, payload: bytes) -> None:
        self._events.put(_Event(worker=worker, message=message, payload=payload))

    def _deadline(self, worker: WorkerProcess) -> float:
        if not worker.is_ready:
            return worker.since + _START_SECONDS
        return worker.since + self._limit if worker in self._tasks else float("inf")

    def _patience(self) -> float | None:
        nearest = min((self._deadline(worker) for worker in self._workers), default=float("inf"))
        return None if nearest == float("inf") else max(0.0, nearest - time.monotonic())


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
