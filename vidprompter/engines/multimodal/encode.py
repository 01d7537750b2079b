"""Contexts read by the model in one go: the state from which texts are drawn or judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidprompter.engines.cache import roomy_cache
from vidprompter.engines.decoding import Encoded
from vidprompter.engines.multimodal.inputs import Context, together
from vidprompter.errors import VisualTokenMismatch

MIN_SHARED = 32  # tokens; a shorter beginning is not worth a pass of its own


def encode_contexts(model: Any, contexts: Sequence[Context], pad: int) -> Encoded:
    """R contexts of one form, read by the model.

    Texts without frames that begin alike, with the same instruction say, share that part: it is read once.

    Raises:
        VisualTokenMismatch: the frames gave another number of features than the context has places for.
    """
    shared = shared_beginning([context.ids for context in contexts])
    if shared >= MIN_SHARED and len(contexts) > 1 and not any(context.visual for context in contexts):
        return _encode_after(model, contexts, shared, pad)
    return _encode_whole(model, contexts, pad)


def shared_beginning(texts: Sequence[Sequence[int]]) -> int:
    """How many tokens all texts begin with alike; each keeps one of its own at least."""
    shortest = min(len(text) for text in texts) - 1
    for at in range(shortest):
        if any(text[at] != texts[0][at] for text in texts):
            return at
    return shortest


def _encode_after(model: Any, contexts: Sequence[Context], shared: int, pad: int) -> Encoded:
    """The beginning once, its keys and values for each row, then the rest, padded on the left."""
    import torch

    device = model.get_input_embeddings().weight.device
    beginning = torch.tensor([contexts[0].ids[:shared]], device=device)
    cache = empty_cache(model.config)
    model(
        input_ids=beginning,
        attention_mask=torch.ones_like(beginning),
        position_ids=torch.arange(shared, device=device)[None],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    cache.batch_select_indices(torch.zeros(len(contexts), dtype=torch.long, device=device))
    rest = [context.ids[shared:] for context in contexts]
    longest = max(len(one) for one in rest)
    ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in rest], device=device)
    own = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in rest], device=device)
    mask = torch.cat([torch.ones(len(rest), shared, dtype=own.dtype, device=device), own], dim=1)
    position = (mask.cumsum(1) - 1)[:, shared:]
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=position,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return Encoded(out.logits[:, -1].to(device), cache, mask, mask.sum(1, keepdim=True))


def _encode_whole(model: Any, contexts: Sequence[Context], pad: int) -> Encoded:
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
    return Encoded(out.logits[:, -1].to(device), out.past_key_values, mask, position)


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
