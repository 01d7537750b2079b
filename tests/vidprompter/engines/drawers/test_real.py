"""The built-in model in 8 bits against itself in float32. Needs its weights."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vidprompter.engines.builtin import BuiltinEngine
from vidprompter.engines.decoding import Drawing, Row
from vidprompter.engines.drawers.choose import make_drawer
from vidprompter.engines.drawers.protocol import Drawer
from vidprompter.engines.prompting import chat, context
from vidprompter.tasks import Request, Sampling, Task

IDEAS = ["a cat on a roof", "a red bicycle by a wall", "two boats at sunset", "a dog runs on a beach",
         "a woman reads in a cafe", "snow falls on a village", "a train in the mountains", "children fly a kite"]  # fmt: skip

# A fork after the model has computed, which must not wait for threads that are not there; and a quiet end.
FORKS = """
import os
from tests.vidprompter.engines.drawers.test_real import IDEAS, contexts
from vidprompter.engines.builtin import BuiltinEngine
from vidprompter.engines.decoding import Drawing
drawer = BuiltinEngine(device="cpu")._loaded
rows, how = contexts(drawer)[:1], Drawing(8, 0, 1, frozenset())
before = drawer.draw(rows, how)
child = os.fork()
if child == 0:
    os._exit(0 if drawer.draw(rows, how) == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("same")
"""


def contexts(drawer: Drawer) -> list[Row]:
    texts = [chat(context(Task.SHORT_TO_PROMPT, short=idea)) for idea in IDEAS]
    return [Row(tuple(drawer.tokenizer(t, add_special_tokens=False)["input_ids"]), (0,)) for t in texts]


@pytest.fixture(scope="module")
def quantised() -> Drawer:
    return make_drawer("builtin", BuiltinEngine().adapter, dtype="int8")


@pytest.mark.weights
def test_greedy_texts_begin_as_in_float32(quantised: Drawer) -> None:
    exact = make_drawer("builtin", BuiltinEngine().adapter, dtype="float32", device="cpu")
    how = Drawing(8, 0, 1.0, frozenset())
    pairs = list(zip(quantised.draw(contexts(quantised), how), exact.draw(contexts(exact), how), strict=True))
    # measured: 18 of 20 (benchmarks/engines.py)
    assert sum(a[0].ids[:6] == b[0].ids[:6] for a, b in pairs) >= 5
    assert sum(a[0].ids[0] == b[0].ids[0] for a, b in pairs) >= 7


@pytest.mark.weights
def test_the_batch_does_not_decide_a_text(quantised: Drawer) -> None:
    rows = [Row(row.ids, (1, 2)) for row in contexts(quantised)[:3]]
    how = Drawing(24, 0.7, 0.9, frozenset())
    assert quantised.draw(rows, how) == [quantised.draw([row], how)[0] for row in rows]


@pytest.mark.weights
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_forked_process_computes_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "same\n"


@pytest.mark.weights
def test_rows_say_what_wrote_them_and_the_revision_needs_no_weights() -> None:
    engine = BuiltinEngine(device="cpu")
    assert "+adapter." in engine.revision and "_loaded" not in vars(engine)
    few = Sampling(candidates=1, max_new_tokens=40)
    prompt = engine.generate_batch([Request(Task.SHORT_TO_PROMPT, short="a cat on a roof", sampling=few)])[0]
    assert {"dtype": "int8", "device": "cpu", "backend": "onnxruntime"}.items() <= prompt.settings.items()  # type: ignore[union-attr]
    engine.unload()
    assert "_loaded" not in vars(engine)
