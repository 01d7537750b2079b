"""The language model in torch: any device, any of its float types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprompter.engines.decoding import Drawing, Drawn, Encoded, OnToken, Row, draw_from, encode_texts

if TYPE_CHECKING:
    from models.language import LanguageModel


class TorchDrawer:
    """`vidprompter.engines.decoding` over a loaded `LanguageModel`."""

    backend = "torch"

    def __init__(self, loaded: LanguageModel) -> None:
        self.loaded = loaded
        self.tokenizer, self.dtype, self.device = loaded.tokenizer, loaded.dtype, loaded.device
        self.why = loaded.why

    @property
    def model(self) -> Any:
        """The torch module, for what needs more than drawing."""
        return self.loaded.model

    def rows_at_once(self, new_tokens: int) -> int:
        """How many candidates of `new_tokens` tokens fit into half of the free memory, at most 128."""
        from vidprompter.engines.memory import free_bytes, rows_that_fit

        return rows_that_fit(
            self.model.config,
            itemsize=self.model.dtype.itemsize,
            new_tokens=new_tokens,
            free=free_bytes(self.device),
        )

    def encode(self, contexts: Sequence[Sequence[int]]) -> Encoded:
        """Contexts read in one go."""
        return encode_texts(self.model, contexts, self.tokenizer.pad_token_id or 0)

    def draw(
        self,
        rows: Sequence[Row],
        drawing: Drawing,
        *,
        spare_cores: Callable[[], int] | None = None,
        on_token: OnToken | None = None,
    ) -> list[list[Drawn]]:
        """For each row one candidate per seed; in float32 the batch does not decide a text, in bfloat16 it may."""
        encode = partial(self.encode, [row.ids for row in rows])
        return draw_from(self.model, encode, rows, drawing, spare_cores=spare_cores, on_token=on_token)


def torch_drawer(name: str, adapter: Path, *, dtype: str = "auto", device: str = "auto") -> TorchDrawer:
    """The built-in model with its adapter merged, in torch. name: for `why`.

    Raises:
        WeightsMissing: the base or the adapter is not here.
        WeightsCorrupt: the adapter does not fit the base.
        ModelError: there is no such dtype or device.
    """
    from models.language import load_language_model, working_dtype
    from vidprompter.heap import trim_heap
    from vidprompter.training.adapter import merge_adapter

    # The update is added in float32; only then is the sum rounded to the working precision.
    loaded = load_language_model(dtype="float32", device=device)
    merge_adapter(loaded.model, adapter)
    kind, why = working_dtype(dtype, loaded.device)
    loaded.model.to(kind)
    trim_heap()  # the weights in float32 were here twice
    given = str(kind).removeprefix("torch.")
    return TorchDrawer(replace(loaded, dtype=given, why=f"{name}: {given} on {loaded.device} ({why})"))
