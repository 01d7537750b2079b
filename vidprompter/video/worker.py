"""The worker's side of `WorkerPool`: one process that runs a function on one item at a time.

It talks over what were its stdin and stdout: requests are frames (8 bytes of length, then a pickle), answers
are messages (a head of fixed size, then a pickle). stdin and stdout themselves lead nowhere and stderr into a
file of the parent's, so that C decoders keep the terminal clean.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, TextIO

from vidprompter.errors import VidPrompterError

READY, FAULT, VALUE, ERROR, BEAT = range(5)
"""Kinds of messages: it has started; it cannot; an item's value; an item's error; it is alive and at work."""

_LENGTH = struct.Struct("<Q")
_HEAD = struct.Struct("<QBd")
# The parent ends a worker that runs past its limit. This is for a worker whose parent is gone.
_GRACE_SECONDS = 5.0
# To arm the watchdog starts a thread, too dear for each of many short items: it may be this much older.
_REARM_SECONDS = 1.0
_BEATS_PER_LIMIT = 20
_PR_SET_PDEATHSIG = 1


class WorkerFault(VidPrompterError):
    """The function raised something that is no `VidPrompterError`.

    type_name: of what it raised. details: its traceback as text.
    """

    def __init__(self, message: str, type_name: str = "", details: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.details = details

    def __reduce__(self) -> tuple[type[WorkerFault], tuple[str, str, str]]:
        return type(self), (str(self), self.type_name, self.details)


class Message(NamedTuple):
    """What a worker tells. seconds: what the function took, of VALUE and ERROR. payload: a pickle, or empty."""

    kind: int
    seconds: float
    payload: bytes


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Sends one request.

    Raises:
        OSError: the other side is gone.
    """
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """Receives one message; None when the other side is gone."""
    head = _read_exactly(stream, _HEAD.size)
    if head is None:
        return None
    length, kind, seconds = _HEAD.unpack(head)
    payload = _read_exactly(stream, length) if length else b""
    return None if payload is None else Message(kind, seconds, payload)


def fault_of(error: BaseException) -> VidPrompterError:
    """`error` as something that crosses a pipe: ours as it is, others wrapped with their type's name."""
    if isinstance(error, VidPrompterError):
        try:
            if type(pickle.loads(pickle.dumps(error))) is type(error):
                return error
        except Exception:
            pass  # an error of ours that does not survive pickling is told as text, like a foreign one
    name = type(error).__name__
    text = " ".join(str(error).split()) or "no message"
    return WorkerFault(f"{name}: {text}", name, "".join(traceback.format_exception(error)))


def beat() -> None:
    """Tells the pool that the item is being worked on: its time limit starts anew.

    For functions that know how far they are, after each bounded step. Nothing happens outside of a worker.
    """
    if _server is not None:
        _server.beat()


def serve(parent: int) -> None:
    """Runs items until the parent (its process id) closes the pipe or dies."""
    global _server
    _die_with(parent)
    inbox, outbox = _take_over_streams()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox, requests), daemon=True).start()
    try:
        function, initializer, limit = pickle.loads(requests.get())
        _server = _Server(outbox, function, limit)
        if initializer is not None:
            initializer()
    except BaseException as error:
        _write_message(outbox, FAULT, 0.0, pickle.dumps(fault_of(error)))
        return
    _write_message(outbox, READY, 0.0, b"")
    _server.work(requests)


class _Server:
    """Works through requests. limit: seconds for one item, or between two beats."""

    def __init__(self, outbox: BinaryIO, function: Callable[[Any], Any], limit: float) -> None:
        self._outbox = outbox
        self._function = function
        self._watchdog = _Watchdog(limit + _GRACE_SECONDS)
        self._beat_seconds = limit / _BEATS_PER_LIMIT
        self._told = 0.0  # when the parent last heard of us
        self._busy = False
        self._lock = threading.Lock()  # the function may beat from threads of its own

    def beat(self) -> None:
        now = time.monotonic()
        with self._lock:
            if not self._busy or now - self._told < self._beat_seconds:
                return
            self._told = now
            self._watchdog.arm(now)
            with contextlib.suppress(OSError):
                _write_message(self._outbox, BEAT, 0.0, b"")

    def work(self, requests: queue.SimpleQueue[bytes]) -> None:
        while True:
            try:
                request = requests.get(timeout=_REARM_SECONDS)
            except queue.Empty:
                self._watchdog.disarm()
                request = requests.get()
            if os.lseek(2, 0, os.SEEK_CUR):
                # What is left in there when the worker dies is then about this item.
                with contextlib.suppress(OSError):
                    os.ftruncate(2, 0)
                    os.lseek(2, 0, os.SEEK_SET)
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        self._told = time.monotonic()
        self._watchdog.arm_if_old(self._told)
        self._busy = True
        began = time.perf_counter()
        try:
            kind, value = VALUE, self._function(pickle.loads(request))
            payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        except BaseException as error:
            kind, payload = ERROR, pickle.dumps(fault_of(error))
        seconds = time.perf_counter() - began
        with self._lock:
            self._busy = False
            _write_message(self._outbox, kind, seconds, payload)


class _Watchdog:
    """Ends the process after `seconds`. In C: also where a decoder keeps the interpreter's lock for ever."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed_at = float("-inf")
        self._nowhere: TextIO = open(os.devnull, "w")  # noqa: SIM115, PTH123 - open as long as the process

    def arm(self, now: float) -> None:
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._nowhere)
        self._armed_at = now

    def arm_if_old(self, now: float) -> None:
        if now - self._armed_at > _REARM_SECONDS:
            self.arm(now)

    def disarm(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._armed_at = float("-inf")


_server: _Server | None = None


def _die_with(parent: int) -> None:
    """Has the kernel kill this process when the thread that started it ends (Linux; elsewhere the pipe tells)."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(0)


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Moves the pipes away from stdin and stdout; ignores Ctrl-C, which is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox = os.fdopen(os.dup(0), "rb")
    outbox = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a descriptor, not a path
    return inbox, outbox


def _listen(inbox: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    """Passes requests on; ends the process, busy or not, when the parent is gone."""
    while (request := _read_frame(inbox)) is not None:
        requests.put(request)
    os._exit(0)


def _write_message(stream: BinaryIO, kind: int, seconds: float, payload: bytes) -> None:
    stream.write(_HEAD.pack(len(payload), kind, seconds))
    stream.write(payload)
    stream.flush()


def _read_frame(stream: BinaryIO) -> bytes | None:
    header = _read_exactly(stream, _LENGTH.size)
    return None if header is None else _read_exactly(stream, _LENGTH.unpack(header)[0])


def _read_exactly(stream: BinaryIO, count: int) -> bytes | None:
    try:
        data = stream.read(count)
    except (OSError, ValueError):
        return None
    return data if len(data) == count else None
