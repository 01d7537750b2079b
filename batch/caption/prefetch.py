"""Clips measured ahead of the writer, in batches."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from batch.caption.jobs import ClipJob
from vidprompter.sheet.types import SceneSheet
from vidprompter.video.workers import Outcome, WorkerPool

Measured = Outcome[ClipJob, SceneSheet]
Measure = Callable[[ClipJob], SceneSheet]
_POLL_SECONDS = 0.2


class Prefetcher:
    """Measures jobs in worker processes, from the moment it is made until it is closed.

    At most `ahead` clips are between being taken from `jobs` and being handed out, besides those that wait in
    a queue of the same length: memory stays flat however slow the writer is.
    """

    def __init__(
        self,
        jobs: Iterable[ClipJob],
        measure: Measure,
        *,
        workers: int,
        timeout_seconds: float,
        ahead: int,
    ) -> None:
        self._pool: WorkerPool[ClipJob, SceneSheet] = WorkerPool(
            measure, workers=workers, timeout_seconds=timeout_seconds, describe=_describe
        )
        self._ready: queue.Queue[Measured] = queue.Queue(maxsize=ahead)
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._fault: BaseException | None = None
        # The pool starts here and not in the thread: it can then be closed at any time.
        outcomes = self._pool.map(jobs, in_flight=ahead)
        self._thread = threading.Thread(target=self._pump, args=(outcomes,), name="prefetch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._pool.close()
        self._thread.join(timeout=5.0)

    def take(self, size: int, *, patience_seconds: float, stopping: Callable[[], bool]) -> list[Measured]:
        """Outcomes, up to `size` good ones among them; empty at the end of the jobs or when `stopping`.

        Waits for a full batch, since batches are cheaper by the clip, but once one good clip is there no
        longer than `patience_seconds`. Failed ones wait for no others.
        """
        taken: list[Measured] = []
        good = 0
        deadline = float("inf")
        while good < size and not stopping() and time.monotonic() < deadline:
            try:
                outcome = self._ready.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._ended.is_set() and self._ready.empty():
                    break
                if taken and not good:
                    break
                continue
            taken.append(outcome)
            if outcome.error is None:
                good += 1
                deadline = min(deadline, time.monotonic() + patience_seconds)
        return taken

    def is_exhausted(self) -> bool:
        """Whether all jobs were handed out.

        Raises:
            VidPrompterError: the workers do not start.
        """
        if not self._ended.is_set() or not self._ready.empty():
            return False
        if self._fault is not None:
            raise self._fault
        return True

    def _pump(self, outcomes: Iterator[Measured]) -> None:
        try:
            for outcome in outcomes:
                while not self._closing.is_set():
                    try:
                        self._ready.put(outcome, timeout=_POLL_SECONDS)
                        break
                    except queue.Full:
                        continue
                if self._closing.is_set():
                    return
        except BaseException as error:  # handed over to the thread that takes
            if not self._closing.is_set():
                self._fault = error
        finally:
            self._ended.set()


def _describe(job: ClipJob) -> str:
    return repr(job.entry.path)
