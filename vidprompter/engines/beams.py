"""Beam search of many requests at once, all beams returned.

Scores and stopping are those of transformers' `generate(num_beams=..., early_stopping=False)`: a finished beam is
worth its log-probability divided by its length, the end token among it (length_penalty 1), and a request is done when no open
beam can be worth more than the worst finished one.

Letters: R requests, W beams each, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vidprompter.engines.decoding import Encoded, step

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FoundBeam:
    """One beam: its tokens with the end, if it came; the sum of their log-probabilities."""

    ids: tuple[int, ...]
    logprob: float
    stopped: bool

    @property
    def worth(self) -> float:
        """Log-probability per token, by which beams are ranked."""
        return self.logprob / max(1, len(self.ids))


@dataclass
class _Search:
    """One request: open beams (texts and sums) and the finished ones."""

    width: int
    texts: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    done: list[FoundBeam] = field(default_factory=list)

    def finish(self, beam: FoundBeam) -> None:
        self.done = sorted([*self.done, beam], key=lambda one: -one.worth)[: self.width]

    def is_over(self, best_open: float, length: int) -> bool:
        return len(self.done) == self.width and self.done[-1].worth >= best_open / length


def beam_search(
    model: Any,
    encode: Callable[[], Encoded],
    *,
    width: int,
    max_new_tokens: int,
    stop: Sequence[int],
    ends: Callable[[Sequence[int]], bool] | None = None,
    banned: Sequence[int] = (),
) -> list[list[FoundBeam]]:
    """For each context that `encode` has the model read its `width` best beams, the best first.

    stop: end tokens. ends: as in `Drawing`. banned: tokens that no beam takes; the probabilities of the others stay
    what they are.
    """
    import torch

    with torch.inference_mode():
        return _run(model, encode(), width, max_new_tokens, frozenset(stop), ends, list(banned))


def _run(
    model: Any,
    state: Encoded,
    width: int,
    max_new_tokens: int,
    stop: frozenset[int],
    ends: Callable[[Sequence[int]], bool] | None,
    banned: list[int],
) -> list[list[FoundBeam]]:
    import torch

    device = state.logits.device
    searches = [_Search(width) for _ in range(len(state.logits))]
    alive = list(range(len(searches)))
    sums = torch.zeros(len(alive), 1, device=device)
    for length in range(1, max_new_tokens + 1):
        each = sums.shape[1]
        logprobs = state.logits.float().log_softmax(-1)
        logprobs[:, banned] = -torch.inf
        total = sums[:, :, None] + logprobs.view(len(alive), each, -1)
        # Twice as many as there are beams, and one more for each end token: ends leave enough open ones over.
        many = min((len(stop) + 1) * width + width, each * total.shape[-1])
        best, where = total.flatten(1).topk(many, dim=1)
        size = total.shape[-1]
        rows: list[int] = []
        tokens: list[int] = []
        kept: list[list[float]] = []
        still: list[int] = []
        for place, number in enumerate(alive):
            search = searches[number]
            last = length == max_new_tokens
            chosen = _choose(search, best[place].tolist(), where[place].tolist(), size, stop, ends, last=last)
            over = last or not chosen or search.is_over(chosen[0][2], length)
            if over:
                continue
            still.append(number)
            search.texts = [(*search.texts[beam], token) for beam, token, _ in chosen]
            rows += [place * each + beam for beam, _, _ in chosen]
            tokens += [token for _, token, _ in chosen]
            kept.append([total_logprob for _, _, total_logprob in chosen])
        if not still:
            break
        alive, sums = still, torch.tensor(kept, device=device)
        state = state.select(torch.tensor(rows, device=device))
        state = _stepped(model, state, torch.tensor(tokens, device=device))
    return [search.done for search in searches]


def _choose(
    search: _Search,
    best: Sequence[float],
    where: Sequence[int],
    size: int,
    stop: frozenset[int],
    ends: Callable[[Sequence[int]], bool] | None,
    *,
    last: bool,
) -> list[tuple[int, int, float]]:
    """The `width` continuations (beam, token, sum) that stay open; the finished ones are put away.

    An end counts only among the first `width`, as it does for one who takes the best `width` at each step.
    last: this is the last token there may be, an end for all.
    """
    opened: list[tuple[int, int, float]] = []
    for rank, (value, at) in enumerate(zip(best, where, strict=True)):
        beam, token = divmod(at, size)
        text = (*search.texts[beam], token)
        ended = token in stop or (ends is not None and ends(text))
        if ended or last:
            if rank < search.width:
                search.finish(FoundBeam(text, value, ended))
            continue
        opened.append((beam, token, value))
        if len(opened) == search.width:
            break
    return opened


def _stepped(model: Any, state: Encoded, tokens: Tensor) -> Encoded:
    import torch

    mask = torch.nn.functional.pad(state.mask, (0, 1), value=1)
    logits = step(model, tokens, state.cache, mask, state.position)
    return Encoded(logits, state.cache, mask, state.position + 1)
