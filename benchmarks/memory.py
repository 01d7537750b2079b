"""Peak memory of a process and all that it started."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import psutil


def peak_of(process: subprocess.Popen[bytes], every_seconds: float = 0.1) -> int:
    """Waits for the process to end; the most bytes that it and its children had at once.

    Shared pages count once (proportional set size) where the system tells, which is on Linux.
    """
    return watch(process.pid, lambda: process.poll() is None, every_seconds)


def watch(pid: int, goes_on: Callable[[], bool], every_seconds: float) -> int:
    """The most bytes that process `pid` and its children had at once while `goes_on`."""
    root = psutil.Process(pid)
    peak = 0
    while goes_on():
        peak = max(peak, sum(map(_bytes, _family(root))))
        time.sleep(every_seconds)
    return peak


def _family(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _bytes(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(info, "pss", 0) or info.rss)
