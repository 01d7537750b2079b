"""The workers of a pool and the items they hold: who gets what, who is late, who has died.

Three kinds of threads meet here, under one lock. Callers hand items in. Each worker's listening thread delivers
its outcome and hands it the next item at once. The foreman starts workers and ends those that are late; workers
die with the thread that started them, so it lives as long as they do.
"""

from __future__ import annotations

import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from vidprompter.errors import DecodeCrash, DecodeTimeout, VidPrompterError
from vidprompter.video.worker import BEAT, FAULT, READY, VALUE, Message, fault_of
from vidprompter.video.worker_process import WorkerProcess

# Start-up is imports and the initializer; on a loaded machine the heavy ones take a minute.
_START_SECONDS = 300.0
_STARTS_IN_VAIN = 3
# After a stop (Ctrl-Z) all are late at first glance, though their results lie in the pipes.
_MERCY_SECONDS = 0.1
_NEVER = float("inf")


class Answers(Protocol):
    """Where outcomes go. All of it is called from threads of the crew and must not block."""

    def put(self, task: Task, value: Any, error: VidPrompterError | None, seconds: float) -> None:
        """Takes what became of one item."""
        ...

    def fail(self, error: VidPrompterError) -> None:
        """Takes the reason why nothing will come any more."""
        ...


@dataclass(eq=False, slots=True)
class Task:
    """One item on its way. payload: its pickle. cancelled: nobody waits for it any more."""

    item: Any
    payload: bytes
    answers: Answers
    cancelled: bool = False

    def answer(self, value: Any, error: VidPrompterError | None, seconds: float) -> None:
        """Reports what became of it, unless nobody waits any more."""
        if not self.cancelled:
            self.answers.put(self, value, error, seconds)


class Crew:
    """Up to `count` workers. setup: what they start from; limit: seconds for one item, or from beat to beat."""

    def __init__(self, setup: bytes, *, count: int, limit: float, describe: Callable[[Any], str]) -> None:
        self._setup = setup
        self._count = count
        self._limit = limit
        self._describe = describe
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()  # for the foreman; True: the end
        self._foreman = threading.Thread(target=self._oversee, name="worker-crew", daemon=True)
        self._lock = threading.Lock()
        # Below: under the lock.
        self._workers: set[WorkerProcess] = set()
        self._idle: list[WorkerProcess] = []
        self._tasks: dict[WorkerProcess, Task] = {}
        self._waiting: deque[Task] = deque()
        self._failed_starts = 0
        self._sleeps_until = 0.0
        self._foreman.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing will be done any more."""
        return not self._foreman.is_alive()

    @property
    def busy(self) -> int:
        """How many workers hold an item or are starting."""
        return len(self._workers) - len(self._idle)

    def close(self) -> None:
        """Kills the workers and waits for them."""
        self._calls.put(True)
        self._foreman.join()

    def submit(self, task: Task) -> None:
        """Has the task done as soon as there is a worker for it."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
            if worker is None:
                self._waiting.append(task)
                call = len(self._workers) < self._count
            else:
                call = self._assign(worker, task)
        if worker is not None:
            worker.give(task.payload)
        if call:
            self._calls.put(False)

    def drop(self, tasks: Iterable[Task]) -> None:
        """Forgets items that nobody waits for; a worker that is busy with one is killed."""
        dropped = set(tasks)
        with self._lock:
            for task in dropped:
                task.cancelled = True
            self._waiting = deque(task for task in self._waiting if task not in dropped)
            busy = [worker for worker, task in self._tasks.items() if task in dropped]
            for worker in busy:
                self._strike_off(worker)
        for worker in busy:
            worker.kill()
        self._calls.put(False)

    # In a worker's listening thread.

    def _hear(self, worker: WorkerProcess, message: Message | None) -> None:
        if message is None:
            self._bury(worker)
        elif message.kind == BEAT:
            worker.since = time.monotonic()
        elif message.kind == READY:
            self._finish(worker)
        elif message.kind == FAULT:
            self._lose_start(worker, str(pickle.loads(message.payload)))
        else:
            task = self._finish(worker)
            if task is not None:
                _deliver(task, message)

    def _finish(self, worker: WorkerProcess) -> Task | None:
        """The task that the worker held; it goes on with the next."""
        with self._lock:
            if worker not in self._workers:
                return None
            if not worker.is_ready:
                worker.is_ready, self._failed_starts = True, 0
            done = self._tasks.pop(worker, None)
            following = self._waiting.popleft() if self._waiting else None
            call = False
            if following is None:
                self._idle.append(worker)
            else:
                call = self._assign(worker, following)
        if following is not None:
            worker.give(following.payload)
        if call:
            self._calls.put(False)
        return done

    def _bury(self, worker: WorkerProcess) -> None:
        worker.wait_dead()
        if not worker.is_ready:
            self._lose_start(worker, "")
            return
        with self._lock:
            if worker not in self._workers:
                return  # whoever struck it off has killed it
            task = self._strike_off(worker)
        how = worker.kill()
        if task is not None:
            reason = f"the decoder's process died ({how}); leave it out or convert it"
            self._fail(task, DecodeCrash, reason, worker)
        self._calls.put(False)

    # In the foreman's thread.

    def _oversee(self) -> None:
        try:
            while not self._wait_for_calls():
                self._end_late()
                self._hire()
        finally:
            with self._lock:
                last = list(self._workers)
                for worker in last:
                    self._strike_off(worker)
            for worker in last:
                worker.kill()

    def _wait_for_calls(self) -> bool:
        """Sleeps until somebody calls or something is due; True when it is the end."""
        with self._lock:
            self._sleeps_until = min((self._deadline(worker) for worker in self._workers), default=_NEVER)
            patience = None if self._sleeps_until == _NEVER else self._sleeps_until - time.monotonic()
        try:
            ends = self._calls.get(timeout=None if patience is None else max(patience, 0.0))
            while not ends and not self._calls.empty():
                ends = self._calls.get()
            return ends
        except queue.Empty:
            return False

    def _end_late(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [worker for worker in self._workers if self._deadline(worker) <= now]
        if late:
            time.sleep(_MERCY_SECONDS)
        for worker in late:
            if not worker.is_ready:
                self._lose_start(worker, f"not ready after {_START_SECONDS:g} s")
                continue
            with self._lock:
                if worker not in self._workers or self._deadline(worker) > now:
                    continue
                task = self._strike_off(worker)
            worker.kill()
            if task is not None:
                reason = (
                    f"decoding ran past {self._limit:g} s and was stopped; "
                    "raise --decode-timeout or leave it out"
                )
                self._fail(task, DecodeTimeout, reason, worker)

    def _hire(self) -> None:
        """Starts as many workers as there is work for."""
        with self._lock:
            starting = sum(not worker.is_ready for worker in self._workers)
            wanted = min(self._count - len(self._workers), len(self._waiting) - starting)
        for _ in range(wanted):
            try:
                worker = WorkerProcess(self._setup)
            except OSError as error:  # no memory, no more processes; the workers there are go on
                if not self._workers:
                    self._give_up(f"{error.strerror or error}")
                return
            with self._lock:
                self._workers.add(worker)
            worker.listen(self._hear)

    # Anywhere.

    def _assign(self, worker: WorkerProcess, task: Task) -> bool:
        """Notes who has what; True when the foreman must be told, who would sleep past the task's deadline."""
        self._tasks[worker] = task
        worker.since = worker.began = time.monotonic()
        if worker.since + self._limit >= self._sleeps_until:
            return False
        self._sleeps_until = 0.0  # one call is enough
        return True

    def _strike_off(self, worker: WorkerProcess) -> Task | None:
        """Forgets a worker; the task that it held."""
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        return self._tasks.pop(worker, None)

    def _lose_start(self, worker: WorkerProcess, why: str) -> None:
        """Strikes off a worker that did not come up; after a few of them, nobody waits any longer."""
        with self._lock:
            if worker not in self._workers:
                return
            self._strike_off(worker)
            self._failed_starts += 1
            in_vain = self._failed_starts >= _STARTS_IN_VAIN
        how = worker.kill()
        if in_vain:
            self._give_up(why or how)
        self._calls.put(False)

    def _give_up(self, why: str) -> None:
        with self._lock:
            waiting, self._waiting, self._failed_starts = self._waiting, deque(), 0
        for task in waiting:
            task.answers.fail(VidPrompterError(f"the decoding workers do not start: {why}"))

    def _deadline(self, worker: WorkerProcess) -> float:
        if not worker.is_ready:
            return worker.since + _START_SECONDS
        return worker.since + self._limit if worker in self._tasks else _NEVER

    def _fail(self, task: Task, kind: type[VidPrompterError], reason: str, worker: WorkerProcess) -> None:
        seconds = time.monotonic() - worker.began
        task.answer(None, kind(f"{self._describe(task.item)}: {reason}"), seconds)


def _deliver(task: Task, message: Message) -> None:
    try:
        content = pickle.loads(message.payload)
    except Exception as error:
        # A value whose class cannot be rebuilt here; it costs this item.
        task.answer(None, fault_of(error), message.seconds)
        return
    if message.kind == VALUE:
        task.answer(content, None, message.seconds)
    else:
        task.answer(None, content, message.seconds)
