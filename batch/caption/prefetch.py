"""Clips measured ahead of the writer, in batches."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

from batch.caption.jobs import ClipJob
from batch.caption.measure import Read, Seen
from vidprompter.errors import VidPrompterError
from vidprompter.runs.fingerprint import Fingerprint
from vidprompter.video.workers import Outcome, WorkerPool

_POLL_SECONDS = 0.2
# Failed clips that are handed out in one go beside the good ones.
_SPARE = 256


@dataclass(frozen=True, slots=True)
class Measured:
    """A clip with what was seen of it, or with what went wrong. mark: of the file; None where its worker died."""

    job: ClipJob
    seen: Seen | None
    error: VidPrompterError | None
    mark: Fingerprint | None
    seconds: float


Expand: TypeAlias = Callable[[ClipJob, Read], list[ClipJob]]
"""Takes a file that was cut, gives the stretches that are to be done. Called in the prefetcher's thread."""


class Prefetcher:
    """Measures jobs in worker processes, from the moment it is made until it is closed.

    At most `ahead` clips are between being taken from `jobs` and being handed out, besides those that wait in
    a queue of the same length: memory stays flat however slow the writer is.
    """

    def __init__(
        self,
        jobs: Iterable[ClipJob],
        read: Callable[[ClipJob], Read],
        *,
        expand: Expand,
        workers: int,
        timeout_seconds: float,
        ahead: int,
    ) -> None:
        self._pool: WorkerPool[ClipJob, Read] = WorkerPool(
            read, workers=workers, timeout_seconds=timeout_seconds, describe=_describe
        )
        self._expand = expand
        self._source = _Source(jobs)
        self._ready: queue.Queue[Measured] = queue.Queue(maxsize=ahead)
        self._ahead = ahead
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._fault: BaseException | None = None
        # The pool starts here and not in the thread: it can then be closed at any time.
        first = self._pool.map(self._source, in_flight=ahead)
        self._thread = threading.Thread(target=self._pump, args=(first,), name="prefetch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._pool.close()
        self._thread.join(timeout=5.0)

    @property
    def busy(self) -> int:
        """How many workers have something to do."""
        return self._pool.busy

    def take(self, size: int, *, patience_seconds: float, stopping: Callable[[], bool]) -> list[Measured]:
        """Clips, up to `size` good ones among them; empty at the end of the jobs or when `stopping`.

        Waits for a full batch, since batches are cheaper by the clip, but once one good clip is there no
        longer than `patience_seconds`. Failed ones wait for no others.
        """
        taken: list[Measured] = []
        good = 0
        deadline = float("inf")
        while good < size and len(taken) < size + _SPARE and not stopping() and time.monotonic() < deadline:
            try:
                one = self._ready.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._ended.is_set() and self._ready.empty():
                    break
                if taken and not good:
                    break
                continue
            taken.append(one)
            if one.error is None:
                good += 1
                deadline = min(deadline, time.monotonic() + patience_seconds)
        return taken

    def is_exhausted(self) -> bool:
        """Whether all jobs were handed out.

        Raises:
            VidPrompterError: the workers do not start, or the list of jobs cannot be read on.
        """
        if not self._ended.is_set() or not self._ready.empty():
            return False
        if self._fault is not None:
            raise self._fault
        return True

    def wait_for_work(self) -> bool:
        """Waits until a clip that can be opened is on its way: True; False where there is none in all."""
        while not self._source.has_hopeful.is_set():
            if self._ended.wait(0.01):
                return self._source.has_hopeful.is_set()
        return True

    def _pump(self, outcomes: Iterator[Outcome[ClipJob, Read]]) -> None:
        try:
            while True:
                for outcome in outcomes:
                    if not self._hand_over(outcome):
                        return
                if not self._source.stretches:
                    return
                # The files have all been taken, but the last of them were cut since.
                outcomes = self._pool.map(self._source, in_flight=self._ahead)
        except BaseException as error:  # handed over to the thread that takes
            if not self._closing.is_set():
                self._fault = error
        finally:
            self._ended.set()

    def _hand_over(self, outcome: Outcome[ClipJob, Read]) -> bool:
        """False when closing."""
        read = outcome.value
        if read is not None and read.stretches is not None:
            self._source.stretches.extend(self._expand(outcome.item, read))
            return not self._closing.is_set()
        return all(self._put(measured) for measured in _measured(outcome))

    def _put(self, measured: Measured) -> bool:
        """False when closing."""
        while not self._closing.is_set():
            try:
                self._ready.put(measured, timeout=_POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False


class _Source:
    """Jobs in their order, stretches of files that were cut meanwhile first."""

    def __init__(self, jobs: Iterable[ClipJob]) -> None:
        self.stretches: deque[ClipJob] = deque()
        self.has_hopeful = threading.Event()
        self._jobs = iter(jobs)

    def __iter__(self) -> Iterator[ClipJob]:
        return self

    def __next__(self) -> ClipJob:
        job = self.stretches.popleft() if self.stretches else next(self._jobs)
        if job.entry.problem is None:
            self.has_hopeful.set()
        return job


def _measured(outcome: Outcome[ClipJob, Read]) -> list[Measured]:
    """One for each job of the clip; the time is shared among them."""
    read, jobs = outcome.value, (outcome.item, *outcome.item.others)
    seconds = outcome.seconds / len(jobs)
    if read is None:
        return [Measured(job, None, outcome.error, None, seconds) for job in jobs]
    return [Measured(job, read.seen, read.error, read.mark, seconds) for job in jobs]


def _describe(job: ClipJob) -> str:
    return repr(job.entry.path)
