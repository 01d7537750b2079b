"""What the workers of the tests run: workers import it by name."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from vidprompter.errors import CorruptVideo
from vidprompter.video.workers import beat

_GREETING = "not set"


def double(number: int) -> int:
    return 2 * number


def set_greeting() -> None:
    global _GREETING
    _GREETING = "set"


def greeting(_: int) -> str:
    return _GREETING


def pid_of(_: int) -> int:
    return os.getpid()


def break_at_start() -> None:
    raise RuntimeError("no such codec pack")


def misbehave(order: str) -> str:
    """Does what it is told; every order but the last two costs the worker."""
    if order == "hang":
        time.sleep(600)
    elif order == "spin":
        while True:
            pass
    elif order == "hang in C":
        # PyDLL keeps the interpreter's lock while C code sleeps.
        ctypes.PyDLL(None).sleep(600)
    elif order == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif order == "exit":
        os._exit(7)
    elif order == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "abort":
        os.write(2, b"[h264 @ 0x55] terrible things\n")
        os.abort()
    elif order == "own error":
        raise CorruptVideo("'a.mp4' is broken; copy it again")
    elif order == "foreign error":
        raise KeyError("codec")
    elif order == "system exit":
        sys.exit(3)
    elif order == "noise":
        print("on stdout", flush=True)
        os.write(1, b"C on stdout\n")
        os.write(2, b"C on stderr\n" * 100_000)
    elif order == "lambda":
        return lambda: order  # type: ignore[return-value]
    return order


def big(size: int) -> bytes:
    return bytes(size)


def note_pid_then_hang(folder: str) -> None:
    Path(folder, f"{os.getpid()}.pid").touch()
    time.sleep(600)


def note_pid_then_hang_in_c(folder: str) -> None:
    Path(folder, f"{os.getpid()}.pid").touch()
    ctypes.PyDLL(None).sleep(600)


def sleep_then(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def beat_then(order: tuple[float, float]) -> str:
    """Beats for so many seconds, then is silent for so many."""
    beating, silent = order
    end = time.monotonic() + beating
    while time.monotonic() < end:
        beat()
        time.sleep(0.05)
    beat()
    time.sleep(silent)
    return "alive"


def crash_on_sevens(number: int) -> int:
    if number % 7 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
