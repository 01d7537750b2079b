"""What the built-in engine asks of whatever computes its language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from vidprompter.engines.decoding import Drawing, Drawn, OnToken, Row


class Drawer(Protocol):
    """A loaded language model that continues contexts. Not for use by two threads at once."""

    @property
    def tokenizer(self) -> Any:
        """The transformers tokenizer of the model."""
        ...

    @property
    def dtype(self) -> str:
        """The numbers of the weights: "float32", "bfloat16", "float16" or "int8"."""
        ...

    @property
    def device(self) -> str:
        """Where it computes: "cpu", "cuda", "cuda:1", "mps"."""
        ...

    @property
    def backend(self) -> str:
        """What computes: "torch" or "onnxruntime"."""
        ...

    @property
    def why(self) -> str:
        """One line for people: what was chosen, and why."""
        ...

    def rows_at_once(self, new_tokens: int) -> int:
        """How many candidates of `new_tokens` tokens to draw in one call: as many as are worth it and fit now."""
        ...

    def draw(
        self,
        rows: Sequence[Row],
        drawing: Drawing,
        *,
        spare_cores: Callable[[], int] | None = None,
        on_token: OnToken | None = None,
    ) -> list[list[Drawn]]:
        """For each row one candidate per seed, in the order of its seeds.

        A candidate's random numbers depend on its own seed alone. spare_cores: is asked now and then how many threads
        to compute on; None: all. on_token: is told of each token as it is drawn.
        """
        ...
