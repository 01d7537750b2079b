"""The parent's side of one worker: its process, the thread that reads from it, the file with its stderr."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO, TypeAlias

from vidprompter.video.worker import Message, read_message, write_frame

# The child gets this process's import path as it is: nothing in the working folder can shadow us.
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from vidprompter.video.worker import serve; serve(int(sys.argv[2]))"
)
_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LAST_WORDS_BYTES = 2000
_KILL_SECONDS = 10.0
# A clip is tens of megabytes: fewer, larger reads than with the usual 64 KiB.
_PIPE_BYTES = 1 << 20
# What a pipe takes at once from a worker that waits for it.
_SMALL_BYTES = 32 << 10

Report: TypeAlias = "Callable[[WorkerProcess, Message | None], None]"
"""Takes a worker and its message (None: it is gone)."""


class WorkerProcess:
    """A fresh interpreter that runs `serve`; to be made in a thread that outlives it, which it dies with.

    is_ready: kept by the crew. since: when it was started, got its item or told that it is alive,
    `time.monotonic`. began: when it got its item.
    """

    def __init__(self, setup: bytes) -> None:
        self.is_ready = False
        self.since = self.began = time.monotonic()
        self._setup = setup
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill
        paths = json.dumps([path for path in sys.path if isinstance(path, str)])
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, paths, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            **_own_group(),
        )
        _widen(_pipe(self._process.stdout))

    def listen(self, report: Report) -> None:
        """Has a thread call `report` with each message, and with None at the end."""
        threading.Thread(target=self._listen, args=(report,), daemon=True).start()

    def give(self, payload: bytes) -> None:
        """Hands an item to a worker that waits for one; one that is gone reports its death in its own time."""
        if len(payload) <= _SMALL_BYTES:
            self._send(payload)
        else:  # it fills the pipe: the caller has better things to do than to wait until it is read
            threading.Thread(target=self._send, args=(payload,), daemon=True).start()

    def wait_dead(self) -> None:
        """Gives a process that closed its pipe a moment to leave its own exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2.0)

    def kill(self) -> str:
        """Ends the process and says how it went: exit code or signal, and the last line of its stderr."""
        self._process.kill()
        try:
            code = self._process.wait(timeout=_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return "it cannot be killed, perhaps because it waits for a disk or a network folder"
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        said = self._last_words()
        self._errors.close()
        return f"{_exit_text(code)}; it said: {said}" if said else _exit_text(code)

    def _send(self, payload: bytes) -> None:
        # A failure is not news: the listening thread notices the death and reports it.
        with contextlib.suppress(OSError, ValueError):
            write_frame(_pipe(self._process.stdin), payload)

    def _listen(self, report: Report) -> None:
        self._send(self._setup)
        with _pipe(self._process.stdout) as pipe:
            while (message := read_message(pipe)) is not None:
                report(self, message)
        report(self, None)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - _LAST_WORDS_BYTES))
            lines = self._errors.read().decode(errors="replace").splitlines()
            return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
        return ""


def _pipe(pipe: Any) -> BinaryIO:
    assert pipe is not None  # Popen was asked for pipes
    return pipe  # type: ignore[no-any-return]


def _widen(pipe: BinaryIO) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # above what this user may have: the usual size will do
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _environment() -> dict[str, str]:
    """Ours, with the maths libraries held to one thread: the workers are the parallelism."""
    return {**dict.fromkeys(_SINGLE_THREADED, "1"), **os.environ}


def _own_group() -> dict[str, Any]:
    """Keeps the terminal's Ctrl-C away from the workers: the parent decides."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, perhaps out of memory" if -code == 9 else name
