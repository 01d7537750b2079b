"""Memory that is free but kept by the C library, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def trim_heap() -> None:
    """Gives back what the C library holds for later; some milliseconds, nothing where it has no such call.

    Tensors of ever other sizes leave holes between them that the GNU C library keeps: without this a long run
    grows by some 50 MB with every batch, for a while (benchmarks/caption_throughput.py).
    """
    library = _library()
    if library is not None:
        library.malloc_trim(0)


@cache
def _library() -> Any:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None  # musl has none
