"""The worker's side of `WorkerPool`: one process that runs a function on one item at a time.

It talks in frames (8 bytes of length, then a pickle) over what were its stdin and stdout. stdin and stdout
themselves lead nowhere and stderr into a file of the parent's, so that C decoders keep the terminal clean.
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
from dataclasses import dataclass
from typing import Any, BinaryIO

from vidprompter.errors import VidPrompterError

_LENGTH = struct.Struct("<Q")
# The parent ends a worker that runs past its limit. This is for a worker whose parent is gone.
_GRACE_SECONDS = 5.0


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


@dataclass(frozen=True)
class Ready:
    """The worker has started; fault: why it cannot work, or None."""

    fault: VidPrompterError | None = None


@dataclass(frozen=True)
class Done:
    """One item is through; its value or error follows as a frame of its own. seconds: what the function took."""

    succeeded: bool
    seconds: float


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Sends one frame.

    Raises:
        OSError: the other side is gone.
    """
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """Receives one frame; None when the other side is gone."""
    header = _read_exactly(stream, _LENGTH.size)
    return None if header is None else _read_exactly(stream, _LENGTH.unpack(header)[0])


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


def serve() -> None:
    """Runs items until the parent closes the pipe or dies."""
    inbox, outbox = _take_over_streams()
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox, requests), daemon=True).start()
    setup = requests.get()
    if setup is None:
        return
    try:
        function, initializer, limit = pickle.loads(setup)
        if initializer is not None:
            initializer()
    except BaseException as error:
        write_frame(outbox, pickle.dumps(Ready(fault_of(error))))
        return
    write_frame(outbox, pickle.dumps(Ready()))
    while (request := requests.get()) is not None:
        with contextlib.suppress(OSError):
            # What is left in there when the worker dies is then about this item.
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
        done, payload = _run(function, request, limit)
        write_frame(outbox, pickle.dumps(done))
        write_frame(outbox, payload)


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


def _listen(inbox: BinaryIO, requests: queue.SimpleQueue[bytes | None]) -> None:
    """Passes requests on; ends the process, busy or not, when the parent is gone."""
    while (request := read_frame(inbox)) is not None:
        requests.put(request)
    os._exit(0)


def _run(function: Callable[[Any], Any], request: bytes, limit: float) -> tuple[Done, bytes]:
    began = time.perf_counter()
    # A watchdog in C: it works even where a decoder hangs without giving back the interpreter's lock.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(limit + _GRACE_SECONDS, exit=True, file=nowhere)
        try:
            payload = pickle.dumps(function(pickle.loads(request)), protocol=pickle.HIGHEST_PROTOCOL)
            return Done(True, time.perf_counter() - began), payload
        except BaseException as error:
            return Done(False, time.perf_counter() - began), pickle.dumps(fault_of(error))
        finally:
            faulthandler.cancel_dump_traceback_later()


def _read_exactly(stream: BinaryIO, count: int) -> bytes | None:
    try:
        data = stream.read(count)
    except (OSError, ValueError):
        return None
    return data if len(data) == count else None
