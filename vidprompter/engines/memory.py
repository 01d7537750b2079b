"""How much memory there is, how many rows fit into it, and what to do when it is short after all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vidprompter.errors import OutOfMemory
from vidprompter.heap import trim_heap

S = TypeVar("S")
T = TypeVar("T")

# Rows drawn at once on a CPU: the time per row falls up to here and hardly any more beyond (docs/models.md).
BEST_ROWS = 128
SHARE = 0.5  # of the free memory that rows may fill
_CONTEXT = 128  # tokens; a scene sheet has about 60
_COPIES = 1.5  # keys and values of a layer are there twice while rows leave; activations
_SAYS_SHORT = ("can't allocate memory", "out of memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python itself, says by `error` that an allocation failed."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _SAYS_SHORT)


def within_memory(work: Callable[[], T], *, requests: int) -> T:
    """What `work` gives; requests: how many of them are written by it at once.

    The error of a failed allocation is not kept, not even as a context: its traceback holds the tensors that
    filled the memory. Therefore this is a function and no `with` block.

    Raises:
        OutOfMemory: an allocation failed.
    """
    try:
        return work()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    finally:
        trim_heap()
    give_back()
    many = f"{requests} requests at once" if requests > 1 else "one request"
    raise OutOfMemory(f"out of memory while writing {many}; try a smaller --batch-size, or free some memory")


def halving(
    write: Callable[[Sequence[S]], Sequence[T]], items: Sequence[S], at_once: int | None
) -> tuple[list[T], int | None]:
    """What `write` gives for all items, and how many it got at once at most after memory was short (None: it was not).

    at_once: the limit that an earlier call found.

    Raises:
        OutOfMemory: not even one item fits.
    """
    results: list[T] = []
    while rest := items[len(results) :]:
        part = rest if at_once is None else rest[:at_once]
        try:
            results += within_memory(partial(write, part), requests=len(part))
        except OutOfMemory:
            if len(part) == 1:
                raise
            at_once = len(part) // 2
    return results, at_once


def give_back() -> None:
    """Unused memory goes back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def rows_that_fit(
    config: Any, *, itemsize: int, new_tokens: int, free: int | None, context: int = _CONTEXT
) -> int:
    """How many rows to draw at once: as many as fit into half of the `free` bytes, 1 to `BEST_ROWS`.

    config: of a transformers decoder; itemsize: bytes of a number; free: None where nobody knows; context: tokens.
    """
    if free is None:
        return BEST_ROWS
    fits = int(SHARE * free / row_bytes(config, itemsize=itemsize, tokens=context + new_tokens))
    return max(1, min(BEST_ROWS, fits))


def row_bytes(config: Any, *, itemsize: int, tokens: int) -> int:
    """Bytes that one row of `tokens` tokens takes: its keys and values, and its logits."""
    # Newer decoders choose the width of a head freely.
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    states = 2 * config.num_hidden_layers * config.num_key_value_heads * width * tokens
    return int(_COPIES * itemsize * states) + 2 * itemsize * int(config.vocab_size)


def free_bytes(device: str) -> int | None:
    """Bytes that can still be had on a device ("cpu", "cuda", "cuda:1"); None where nobody knows.

    On Linux the least of what the machine has and what its control group allows.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    if device != "cpu":
        return None
    known = [value for value in (_available(), _group_room()) if value is not None]
    return min(known, default=None)


def _available(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    for line in _text(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group_room(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the control group of this process, or one above it, still allows; both versions of the interface."""
    own = next(
        (line[3:].lstrip("/") for line in _text(Path("/proc/self/cgroup")).splitlines() if line[:3] == "0::"),
        "",
    )
    folders = [root / own, *(root / own).parents]
    places = [(f / "memory.max", f / "memory.current", f) for f in folders if f == root or root in f.parents]
    first = root / "memory"
    places.append((first / "memory.limit_in_bytes", first / "memory.usage_in_bytes", first))
    rooms = []
    for limit, used, folder in places:
        highest, now = _text(limit).strip(), _text(used).strip()
        if highest.isdigit() and now.isdigit():
            rooms.append(max(0, int(highest) - max(0, int(now) - _file_pages(folder / "memory.stat"))))
    return min(rooms, default=None)


def _file_pages(stat: Path) -> int:
    """Bytes of files that the kernel keeps in memory and gives up when somebody needs it."""
    pairs = (line.split() for line in _text(stat).splitlines())
    return sum(int(value) for key, value in pairs if key in ("inactive_file", "active_file"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
