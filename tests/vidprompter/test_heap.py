"""Freed memory goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Holes: half of many middling blocks are freed, too small to have been mapped one by one.
PROGRAM = """
import ctypes, sys
from vidprompter.heap import trim_heap
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
blocks = [libc.malloc(100_000) for _ in range(2000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
for block in blocks[::2]:
    libc.free(block)
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = resident()
trim_heap()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the GNU C library, on Linux")
def test_holes_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert int(done.stdout) > 80_000_000, done.stderr
