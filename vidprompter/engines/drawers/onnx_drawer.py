"""The language model in 8 bits through ONNX Runtime, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidprompter.engines.decoding import ASK_STEPS, Bans, Drawing, Drawn, OnToken, Row
from vidprompter.engines.drawers.nucleus import log_probability, pick
from vidprompter.engines.drawers.onnx_memory import DecoderMemory, row_bytes
from vidprompter.engines.drawers.onnx_sessions import Asked, Sessions, usable_cores

if TYPE_CHECKING:
    from models.smollm2.packed import PackedModel

DTYPE = "int8"
# Rows drawn at once: the time per row falls up to here and hardly any more beyond (docs/models.md).
BEST_ROWS = 64
_SHARE = 0.5  # of the free memory that rows may fill
_CONTEXT = 128  # tokens; a scene sheet has about 60


class OnnxDrawer:
    """A packed model and its tokenizer. A context is read alone, so that others do not decide what it becomes."""

    dtype, device, backend = DTYPE, "cpu", "onnxruntime"

    def __init__(self, packed: PackedModel, tokenizer: Any, *, name: str, why: str) -> None:
        self._packed = packed
        self.tokenizer = tokenizer
        self._sessions = Sessions(packed.graph)
        self._sessions.get(usable_cores())
        self.why = f"{name}: {DTYPE} on cpu with ONNX Runtime ({why})"

    def rows_at_once(self, new_tokens: int) -> int:
        """How many candidates of `new_tokens` tokens fit into half of the free memory, at most 64."""
        from vidprompter.engines.memory import free_bytes

        free = free_bytes("cpu")
        if free is None:
            return BEST_ROWS
        fits = int(_SHARE * free / row_bytes(self._packed.shape, _CONTEXT + new_tokens))
        return max(1, min(BEST_ROWS, fits))

    def draw(
        self,
        rows: Sequence[Row],
        drawing: Drawing,
        *,
        spare_cores: Callable[[], int] | None = None,
        on_token: OnToken | None = None,
    ) -> list[list[Drawn]]:
        """For each row one candidate per seed. The number of threads does not change a text.

        Raises:
            MemoryError: an allocation failed.
        """
        asked = Asked(self._sessions, spare_cores, ASK_STEPS)
        try:
            return _Run(self._packed, rows, drawing, on_token).run(asked)
        except Exception as error:
            if "allocat" in str(error).lower() and not isinstance(error, MemoryError):
                raise MemoryError(str(error)) from None  # ONNX Runtime has no type of its own for it
            raise


class _Run:
    """One call of `draw`. Open rows are the first of the memory; when one ends, the last takes its place."""

    def __init__(
        self, packed: PackedModel, rows: Sequence[Row], drawing: Drawing, on_token: OnToken | None
    ) -> None:
        self.rows, self.drawing, self.on_token = rows, drawing, on_token
        self.embedding = packed.embedding
        self.owners = [(r, c) for r, row in enumerate(rows) for c in range(len(row.seeds))]
        self.bans = [Bans(row.banned) for row in rows]
        self.streams = [np.random.Generator(np.random.PCG64(rows[r].seeds[c])) for r, c in self.owners]
        self.texts: list[list[int]] = [[] for _ in self.owners]
        self.ends: list[int | None] = [None] * len(self.owners)
        self.stopped = [False] * len(self.owners)
        self.logprobs = [0.0] * len(self.owners)
        longest = max((len(row.ids) for row in rows), default=0) + drawing.max_new_tokens
        self.memory = DecoderMemory(packed.shape, len(self.owners), longest)
        self.open = list(range(len(self.owners)))
        """Of each used row of the memory: which candidate it is."""

    def run(self, asked: Asked) -> list[list[Drawn]]:
        self._read_contexts(asked)
        for number in range(self.drawing.max_new_tokens):
            for place, one in enumerate(self.open):
                self._take(one, self._choose(one, place))
            self._close()
            if not self.open or number + 1 == self.drawing.max_new_tokens:
                break
            last = np.array([self.texts[one][-1] for one in self.open], np.int64)
            self.memory.step(asked.at(number + 1), self.embedding.rows(last))
        return self._grouped()

    def _read_contexts(self, asked: Asked) -> None:
        """Each once, whatever the number of rows and candidates it is for."""
        place = 0
        read: dict[tuple[int, ...], int] = {}
        for row in self.rows:
            for _ in row.seeds:
                if row.ids in read:
                    self.memory.repeat(read[row.ids], place)
                else:
                    x = self.embedding.rows(np.array(row.ids, np.int64))
                    self.memory.read_context(asked.session, place, x)
                    read[row.ids] = place
                place += 1

    def _choose(self, one: int, place: int) -> int:
        logits = self.memory.logits[place, 0]
        own = logits.copy() if self.drawing.logprobs else None
        forbidden = self.bans[self.owners[one][0]].now(self.texts[one])
        if forbidden:
            logits[forbidden] = -np.inf
        token = pick(logits, self.drawing.temperature, self.drawing.top_p, self.streams[one])
        if own is not None:
            self.logprobs[one] += log_probability(own, token)
        return token

    def _take(self, one: int, token: int) -> None:
        if token in self.drawing.stop:
            self.stopped[one], self.ends[one] = True, token
            return
        self.texts[one].append(token)
        if self.on_token is not None:
            self.on_token(*self.owners[one], token)
        if self.drawing.ends is not None and self.drawing.ends(self.texts[one]):
            self.stopped[one] = True

    def _close(self) -> None:
        """Ended rows leave the used part of the memory."""
        for place in reversed(range(len(self.open))):
            if self.stopped[self.open[place]]:
                last = self.open.pop()
                if place < len(self.open):
                    self.memory.repeat(len(self.open), place)
                    self.open[place] = last
        self.memory.count = len(self.open)

    def _grouped(self) -> list[list[Drawn]]:
        grouped: list[list[Drawn]] = [[] for _ in self.rows]
        for one, (row, _) in enumerate(self.owners):
            logprob = self.logprobs[one] if self.drawing.logprobs else None
            grouped[row].append(Drawn(tuple(self.texts[one]), self.stopped[one], self.ends[one], logprob))
        return grouped


def onnx_drawer(name: str, adapter: Path, *, why: str) -> OnnxDrawer:
    """The built-in model with its adapter in 8 bits, made first if need be. name, why: for `OnnxDrawer.why`.

    Raises:
        ImportError: there is no ONNX Runtime.
        WeightsMissing, WeightsCorrupt, ModelError: as `quantised_model`.
    """
    import onnxruntime  # before seconds are spent on making what only it can read

    from models.registry import registry
    from models.smollm2.convert import FOLDER
    from vidprompter.engines.drawers.quantised import BASE, quantised_model

    del onnxruntime
    packed = quantised_model(adapter)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(registry().get(BASE).path() / FOLDER, local_files_only=True)
    return OnnxDrawer(packed, tokenizer, name=name, why=why)
