"""Sentences as vectors: all-MiniLM-L6-v2, for telling how near two texts are in meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quiet import no_progress_bars
from models.registry import registry

ENTRY = "minilm-l6-v2"
WIDTH = 384
MAX_TOKENS = 256  # what the model was trained with; longer texts are cut, and `truncated` says so


class SentenceEncoder:
    """Encodes sentences on the CPU. Letters: N texts, L tokens, D width (384)."""

    def __init__(self, model: Any, tokenizer: Any, revision: str) -> None:
        self._model, self._tokenizer = model, tokenizer
        self.revision = revision

    def encode(self, texts: Sequence[str], *, batch: int = 64) -> NDArray[np.float32]:
        """(N, 384) float32 vectors of length 1; their dot product is the cosine, in [-1, 1].

        The mean over tokens of the last layer, then scaled to length 1. Texts past 256 tokens are cut.
        """
        import torch

        found = np.zeros((len(texts), WIDTH), np.float32)
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))  # like lengths together: less padding
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            tokens = self._tokenizer(
                [texts[n] for n in rows],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            )
            with torch.inference_mode():
                layer = self._model(**tokens).last_hidden_state  # (N, L, D)
                mask = tokens["attention_mask"].unsqueeze(-1).to(layer.dtype)
                mean = (layer * mask).sum(1) / mask.sum(1)
                found[rows] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return found

    def truncated(self, text: str) -> int:
        """How many tokens of `text` are cut away, 0 when it fits."""
        return max(len(self._tokenizer(text)["input_ids"]) - MAX_TOKENS, 0)


def load_sentence_encoder() -> SentenceEncoder:
    """The sentence encoder, from local files only.

    Raises:
        WeightsMissing: Not fetched yet.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    entry = registry().get(ENTRY)
    folder = entry.path()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with no_progress_bars():
        model = AutoModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    return SentenceEncoder(model.eval(), tokenizer, entry.revision)
