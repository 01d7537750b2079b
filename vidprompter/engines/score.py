"""How likely a model finds given texts: log p of each token, many texts to one context, which is read once.

Letters: N texts, L tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from vidprompter.engines.decoding import Encoded

if TYPE_CHECKING:
    from torch import Tensor

# Numbers of one group's logits at most: 1 GB in float32, and as much again for their softmax.
_LOGITS = 2**28


def score_texts(
    model: Any, encode: Callable[[], Encoded], texts: Sequence[Sequence[int]]
) -> list[tuple[float, ...]]:
    """For each text the natural logarithm of each of its tokens' probabilities, given all before it.

    encode: has the model read one context. texts: token ids, none empty.
    """
    import torch

    if not texts:
        return []
    with torch.inference_mode():
        context = encode()
        first = context.logits.float().log_softmax(-1)  # (1, V)
        longest = max(len(text) for text in texts)
        group = max(1, _LOGITS // max(1, longest * first.shape[-1]))
        found: list[tuple[float, ...]] = []
        for start in range(0, len(texts), group):
            # Each group begins at the context's own keys and values; the last one may use them up.
            own = context if start + group >= len(texts) else _copied(context)
            found += _group(model, own, first, texts[start : start + group])
        return found


def _group(
    model: Any, context: Encoded, first: Tensor, texts: Sequence[Sequence[int]]
) -> list[tuple[float, ...]]:
    import torch

    device = first.device
    count, longest = len(texts), max(len(text) for text in texts)
    ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)
    begin = first[0, ids[:, 0]]  # (N,)
    if longest == 1:
        return [(float(one),) for one in begin]
    state = context.select(torch.zeros(count, dtype=torch.long, device=device))
    # A text's padding comes after it, so that no token of it sees any.
    mask = torch.cat([state.mask, torch.ones_like(ids[:, 1:])], dim=1)
    offsets = torch.arange(longest - 1, device=device)[None]
    out = model(
        input_ids=ids[:, :-1],
        attention_mask=mask,
        position_ids=state.position + offsets,
        past_key_values=state.cache,
        use_cache=True,
    )
    later = (
        out.logits.to(device).float().log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    )  # (N, L - 1)
    both = torch.cat([begin[:, None], later], dim=1).tolist()
    return [tuple(row[: len(text)]) for row, text in zip(both, texts, strict=True)]


def _copied(context: Encoded) -> Encoded:
    from copy import deepcopy

    return Encoded(context.logits, deepcopy(context.cache), context.mask, context.position)
