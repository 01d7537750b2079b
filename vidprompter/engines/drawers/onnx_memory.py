"""The memory that a pass of the ONNX decoder reads and writes: allocated once for a call, bound without copies.

Letters: B rows, S new tokens, T tokens there is room for, H heads, D width, W width of a head, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.smollm2.packed import DecoderShape

ITEM = 4  # bytes of a float32


def row_bytes(shape: DecoderShape, tokens: int) -> int:
    """Bytes that one row of `tokens` tokens takes: its keys and values, and its logits."""
    states = 2 * shape.num_hidden_layers * shape.num_key_value_heads * shape.head_dim * tokens
    return ITEM * (states + 2 * shape.vocab_size)


class DecoderMemory:
    """Keys, values and logits of up to `rows` rows of `tokens` tokens; the first `count` of them are in use."""

    def __init__(self, shape: DecoderShape, rows: int, tokens: int) -> None:
        self.shape, self.count = shape, rows
        size = (rows, shape.num_key_value_heads, tokens, shape.head_dim)
        # zeros: the system gives the pages when they are written first
        self.states = {
            f"{kind}.{layer}": np.zeros(size, np.float32)
            for layer in range(shape.num_hidden_layers)
            for kind in ("key", "value")
        }
        self.logits = np.zeros((rows, 1, shape.vocab_size), np.float32)
        self.tokens = np.zeros(rows, np.int32)
        """(B,) how many tokens of each row have been read."""
        self._x = np.zeros((rows, 1, shape.hidden_size), np.float32)
        self._lengths = np.zeros(rows, np.int32)
        self._total = np.zeros((), np.int32)
        self._bound: tuple[Any, int, Any] | None = None

    def read_context(self, session: Any, row: int, x: NDArray[np.float32]) -> None:
        """Has the model read x (S, D) as the beginning of a row. Its logits are there afterwards."""
        tokens = len(x)
        run = _Binding(session)
        run.read("x", x[None])
        run.read("lengths", np.array([tokens - 1], np.int32))
        run.read("total", np.array(tokens, np.int32))
        self._bind_states(run, slice(row, row + 1))
        run.write("logits", self.logits[row : row + 1])
        run.run()
        self.tokens[row] = tokens

    def repeat(self, row: int, to: int) -> None:
        """Copies what a row has read, and its logits, into another."""
        used = self.tokens[row]
        for states in self.states.values():
            states[to, :, :used] = states[row, :, :used]
        self.logits[to] = self.logits[row]
        self.tokens[to] = used

    def step(self, session: Any, x: NDArray[np.float32]) -> None:
        """Has the model read one more token of each used row: x (B, D)."""
        if self._bound is None or self._bound[:2] != (session, self.count):
            self._bound = session, self.count, self._binding(session)
        self.tokens[: self.count] += 1
        self._x[: self.count, 0] = x
        self._lengths[: self.count] = self.tokens[: self.count] - 1
        self._total[...] = self.tokens[: self.count].max()
        self._bound[2].run()

    def _binding(self, session: Any) -> _Binding:
        used = slice(0, self.count)
        run = _Binding(session)
        run.read("x", self._x[used])
        run.read("lengths", self._lengths[used])
        run.read("total", self._total)
        self._bind_states(run, used)
        run.write("logits", self.logits[used])
        return run

    def _bind_states(self, run: _Binding, rows: slice) -> None:
        for name, states in self.states.items():
            kind, _, layer = name.partition(".")
            value = run.read(name, states[rows])
            run.write_to(f"{kind}_out.{layer}", value)


class _Binding:
    """A session with the memory of its inputs and outputs, which lives as long as this does."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._io = session.io_binding()
        self._alive: list[Any] = []

    def read(self, name: str, values: NDArray[Any]) -> Any:
        value = self._value(values)
        self._io.bind_ortvalue_input(name, value)
        return value

    def write(self, name: str, values: NDArray[Any]) -> None:
        self.write_to(name, self._value(values))

    def write_to(self, name: str, value: Any) -> None:
        self._io.bind_ortvalue_output(name, value)

    def run(self) -> None:
        self._session.run_with_iobinding(self._io)

    def _value(self, values: NDArray[Any]) -> Any:
        from onnxruntime import OrtValue

        value = OrtValue.ortvalue_from_numpy(values)  # on a CPU it is the same memory
        self._alive.append((values, value))
        return value
