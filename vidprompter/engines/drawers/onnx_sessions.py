"""ONNX Runtime sessions of one graph, for as many threads as are wanted just now."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Microseconds that a thread without work looks for some before it sleeps. Tokens a second at batch 1, on two cores of
# which one is busy with something else, and on two free ones: ONNX Runtime's own setting, which waits on and on, 32 and
# 176; 100 gives 49 and 175, 20 gives 53 and 178, none at all 64 and 145.
SPIN = 20
_KEPT = 2  # sessions: each has its own copy of the weights in the order that its kernels want
# Sessions of the process that this one was forked from: their threads are not here, and whoever drops such a session
# waits for them.
_INHERITED: list[Any] = []


class Sessions:
    """Sessions by number of threads, made when they are asked for; the last two are kept."""

    def __init__(self, graph: Path) -> None:
        self._graph = graph
        self._made: dict[int, Any] = {}
        self._process = os.getpid()

    def get(self, threads: int) -> Any:
        """A session of so many threads, or of the largest power of two below it, 1 to all cores of this process."""
        if self._process != os.getpid():  # a forked process has no threads but its own
            _INHERITED.append(self._made)
            self._made, self._process = {}, os.getpid()
        number = _rounded(threads)
        session = self._made.pop(number, None) or _session(self._graph, number)
        while len(self._made) >= _KEPT:
            del self._made[next(iter(self._made))]
        self._made[number] = session
        return session


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Asked:
    """Asks `spare_cores` now and then and says which session to use."""

    def __init__(self, sessions: Sessions, spare_cores: Callable[[], int] | None, every: int) -> None:
        self._sessions, self._spare, self._every = sessions, spare_cores, every
        self.session = sessions.get(usable_cores() if spare_cores is None else spare_cores())

    def at(self, step: int) -> Any:
        """The session for step `step`."""
        if self._spare is not None and step % self._every == 0:
            self.session = self._sessions.get(self._spare())
        return self.session


def _rounded(threads: int) -> int:
    cores = usable_cores()
    wanted = max(1, min(threads, cores))
    return wanted if wanted == cores else 1 << (wanted.bit_length() - 1)


def _session(graph: Path, threads: int) -> Any:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    # Shapes change with every context and row that leaves; a plan for each of them would stay in memory.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False  # it keeps what the largest batch needed, and is no faster
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN))
    return InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
