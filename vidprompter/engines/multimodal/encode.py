"""Contexts read by the model in one go: the state from which texts are drawn or judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidprompter.engines.cache import roomy_cache
from vidprompter.engines.decoding import Encoded
from vidprompter.engines.multimodal.inputs import Context, together
from vidprompter.errors import VisualTokenMismatch


def encode_contexts(model: Any, contexts: Sequence[Context], pad: int) -> Encoded:
    """R contexts of one form, read by the model.

    Raises:
        VisualTokenMismatch: the frames gave another number of features than the context has places for.
    """
    batch = together(contexts, pad)
    device = model.get_input_embeddings().weight.device
    inputs = {name: _placed(value, device, model.dtype) for name, value in batch.items()}
    mask = inputs["attention_mask"]
    own = has_own_positions(model.config) and any(context.visual for context in contexts)
    if not own:
        inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    try:
        out = model(**inputs, past_key_values=empty_cache(model.config), use_cache=True, logits_to_keep=1)
    except ValueError as error:
        if any(said in str(error) for said in ("features and", "visual tokens")):
            raise VisualTokenMismatch(" ".join(str(error).split())) from error
        raise
    position = mask.sum(1, keepdim=True)
    if own:  # frames take fewer positions than tokens: the model says by how many
        position = position + model.model.rope_deltas.to(position).view(-1, 1)
    return Encoded(out.logits[:, -1], out.past_key_values, mask, position)


def has_own_positions(config: Any) -> bool:
    """Whether positions have three axes (Qwen2-VL, arXiv:2409.12191, section 2.1), which the model counts itself."""
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    return "mrope_section" in rope


def empty_cache(config: Any) -> Any:
    """Keys and values with room to grow where all layers see everything, else transformers' own."""
    from transformers import DynamicCache

    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    sliding = getattr(text, "sliding_window", None) if getattr(text, "use_sliding_window", True) else None
    if kinds == {"full_attention"} and sliding is None:
        return roomy_cache()
    return DynamicCache(config=text)


def _placed(value: Any, device: Any, dtype: Any) -> Any:
    """Pictures in the model's precision, all on its device."""
    return value.to(device, dtype) if value.is_floating_point() and value.ndim > 1 else value.to(device)
