"""Rows by memory, and memory that is short: a real allocation that fails, far beyond any machine."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.vidprompter.tiny import WordTokenizer, tiny_llama
from vidprompter import VidPrompter
from vidprompter.engines import memory
from vidprompter.engines.builtin import BuiltinEngine
from vidprompter.engines.memory import (
    BEST_ROWS,
    free_bytes,
    is_out_of_memory,
    row_bytes,
    rows_that_fit,
    within_memory,
)
from vidprompter.engines.protocol import SharesCores
from vidprompter.errors import OutOfMemory
from vidprompter.tasks import Prompt, Request, Sampling, Task

CONFIG = tiny_llama().config


class TinyTokenizer(WordTokenizer):
    def convert_tokens_to_ids(self, token: str) -> int:
        return 1

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        return " ".join(f"w{int(i)}" for i in ids)


def tiny_engine(**options: Any) -> BuiltinEngine:
    """The engine with a tiny model in place of its own."""
    from models.language import LanguageModel
    from vidprompter.engines.drawers.torch_drawer import TorchDrawer

    engine = BuiltinEngine(**options)
    engine.__dict__["revision"] = "tiny"
    engine.__dict__["_loaded"] = TorchDrawer(
        LanguageModel(tiny_llama(), TinyTokenizer(), "tiny", "float32", "cpu", "tiny")
    )
    return engine


def ideas(count: int) -> list[Request]:
    few = Sampling(max_new_tokens=8, candidates=2)
    return [Request(Task.SHORT_TO_PROMPT, short=f"a cat {i}", sampling=few, seed=i) for i in range(count)]


def test_a_failed_allocation_is_typed_and_leaves_nothing_behind() -> None:
    engine = tiny_engine(rows=4)
    model = engine._loaded.model
    held: list[weakref.ref[Any]] = []

    def greedy(module: Any, inputs: Any, output: Any) -> None:
        mine = torch.zeros(1000)
        held.append(weakref.ref(mine))
        torch.empty(2**60, dtype=torch.uint8)

    hook = model.register_forward_hook(greedy)
    with pytest.raises(OutOfMemory, match="writing 3 requests at once; try a smaller --batch-size") as caught:
        engine.generate_batch(ideas(3))
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    gc.collect()
    assert held and all(ref() is None for ref in held)
    hook.remove()
    assert all(isinstance(one, Prompt) for one in engine.generate_batch(ideas(3)))


def test_results_are_in_the_order_of_their_requests_whatever_the_rows() -> None:
    requests = ideas(7)
    few, many = (tiny_engine(rows=rows).generate_batch(requests) for rows in (2, 64))
    assert [one.seed for one in many if isinstance(one, Prompt)] == list(range(7))
    assert [str(one) for one in few] == [str(one) for one in many]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS is enforced on Linux")
def test_a_process_that_may_not_grow_says_so() -> None:
    program = """
import resource, torch
from vidprompter.engines.memory import within_memory
from vidprompter.engines.protocol import SharesCores
from vidprompter.errors import OutOfMemory
torch.zeros(8) @ torch.zeros(8)
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)
kept = []
def fill():
    while True:
        kept.append(torch.ones(2**28, dtype=torch.uint8))
try:
    within_memory(fill, requests=5)
except OutOfMemory as error:
    kept.clear()
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert "5 requests at once" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 4 bytes"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_which_errors_mean_memory(error: Exception, short: bool) -> None:
    assert is_out_of_memory(error) is short

    def fail() -> None:
        raise error

    with pytest.raises(OutOfMemory if short else type(error)):
        within_memory(fail, requests=1)


@given(st.integers(0, 2**42), st.integers(1, 2048))
def test_rows_fit_and_are_never_none_and_never_too_many(free: int, tokens: int) -> None:
    rows = rows_that_fit(CONFIG, itemsize=2, new_tokens=tokens, free=free)
    assert 1 <= rows <= BEST_ROWS
    assert rows == 1 or rows * row_bytes(CONFIG, itemsize=2, tokens=tokens) <= free
    assert rows <= rows_that_fit(CONFIG, itemsize=2, new_tokens=tokens, free=2 * free)


def test_rows_where_nobody_knows_the_memory() -> None:
    assert rows_that_fit(CONFIG, itemsize=4, new_tokens=1, free=None) == BEST_ROWS
    assert free_bytes("mps") is None
    assert tiny_engine(rows=3)._rows == 3
    assert 1 <= tiny_engine()._rows <= BEST_ROWS


def test_the_group_above_may_allow_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup").write_text("0::/a/b\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder, limit, used in ((tmp_path / "a", "5000", "4000"), (inner, "max", "1500")):
        (folder / "memory.max").write_text(limit + "\n")
        (folder / "memory.current").write_text(used + "\n")
    read = memory._text
    monkeypatch.setattr(
        memory, "_text", lambda path: read(tmp_path / "cgroup" if path.parts[1] == "proc" else path)
    )
    assert memory._group_room(tmp_path) == 1000
    (tmp_path / "a" / "memory.stat").write_text("anon 1\ninactive_file 2500\nactive_file 500\n")
    assert memory._group_room(tmp_path) == 4000
    (tmp_path / "a" / "memory.max").write_text("max\n")
    assert memory._group_room(tmp_path) is None
    one = tmp_path / "memory"  # the first version of the interface
    one.mkdir()
    (one / "memory.limit_in_bytes").write_text("900")
    (one / "memory.usage_in_bytes").write_text("1000")
    assert memory._group_room(tmp_path) == 0


def test_available_memory_is_read_where_the_kernel_tells(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:       7 kB\n")
    assert memory._available(tmp_path / "meminfo") == 7 * 1024
    assert memory._available(tmp_path / "nothing") is None


def test_the_front_door_passes_the_cores_on() -> None:
    writer = VidPrompter.load("builtin")
    assert isinstance(writer, SharesCores) and writer.spare_cores is None
    engine = tiny_engine(rows=2)
    front = VidPrompter(engine)
    asked: list[int] = []
    front.spare_cores = lambda: asked.append(1) or 1  # type: ignore[func-returns-value]
    assert all(isinstance(one, Prompt) for one in front.generate_batch(ideas(2)))
    assert asked and engine.spare_cores is front.spare_cores
    front.spare_cores = None
    assert engine.spare_cores is None
