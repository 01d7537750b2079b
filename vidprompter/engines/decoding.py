"""Drawing several candidates for many requests at once, each row with its own random stream.

The context of a request is encoded once, whatever the number of its candidates; rows that are finished leave the
batch. A row's random numbers depend on its own seed alone, so that the batch it sits in does not decide its text
(up to rounding: in float32 logits differ by about 1e-5 between batch shapes, in bfloat16 by more).

Letters: R requests, B rows (candidates of all requests), L tokens, V vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


MOST_LIKELY = 256  # tokens that may be drawn at all; nine tenths of the probability lie in far fewer
ASK_STEPS = 8  # between two questions how many cores are free


@dataclass(frozen=True)
class Row:
    """One context to continue. banned: token sequences that must not appear."""

    ids: tuple[int, ...]
    seeds: tuple[int, ...]
    banned: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Drawn:
    """One candidate: its token ids without the end token, and whether the model ended it."""

    ids: tuple[int, ...]
    stopped: bool


def seed_of(*parts: object) -> int:
    """A 63-bit seed from `parts`, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def draw(
    model: Any,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    stop: Sequence[int],
    pad: int,
    spare_cores: Callable[[], int] | None = None,
) -> list[list[Drawn]]:
    """For each row one candidate per seed, in the order of its seeds. temperature 0 is greedy.

    spare_cores: is asked now and then how many threads to compute on; None leaves them as they are.
    """
    import torch

    with torch.inference_mode(), _threads_as(spare_cores) as adapt:
        return _Drawing(model, rows, temperature, top_p, frozenset(stop), pad).run(max_new_tokens, adapt)


@contextmanager
def _threads_as(spare_cores: Callable[[], int] | None) -> Iterator[Callable[[int], None]]:
    """A function to be called with the number of each step; afterwards torch has the threads it had before."""
    import torch

    before = torch.get_num_threads()

    def adapt(step: int) -> None:
        if spare_cores is not None and step % ASK_STEPS == 0:
            wanted = max(1, spare_cores())
            if wanted != torch.get_num_threads():
                torch.set_num_threads(wanted)

    try:
        yield adapt
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


class _Drawing:
    """The state of one call of `draw`: rows still open, their cache, what they have written."""

    def __init__(
        self,
        model: Any,
        rows: Sequence[Row],
        temperature: float,
        top_p: float,
        stop: frozenset[int],
        pad: int,
    ) -> None:
        import torch

        self.model, self.temperature, self.top_p, self.stop = model, temperature, top_p, stop
        self.device = model.get_input_embeddings().weight.device
        self.owners = [(r, c) for r, row in enumerate(rows) for c in range(len(row.seeds))]
        self.banned = [_Bans(rows[r].banned) for r, _ in self.owners]
        self.streams = [torch.Generator().manual_seed(rows[r].seeds[c]) for r, c in self.owners]
        self.texts: list[list[int]] = [[] for _ in self.owners]
        self.stopped = [False] * len(self.owners)
        self.counts = [len(row.seeds) for row in rows]
        longest = max(len(row.ids) for row in rows)
        ids = [[pad] * (longest - len(row.ids)) + list(row.ids) for row in rows]
        mask = [[0] * (longest - len(row.ids)) + [1] * len(row.ids) for row in rows]
        self.ids = torch.tensor(ids, device=self.device)
        self.mask = torch.tensor(mask, device=self.device)

    def run(self, max_new_tokens: int, adapt: Callable[[int], None]) -> list[list[Drawn]]:
        import torch

        adapt(0)
        logits, cache = self._encode()
        alive = list(range(len(self.owners)))
        position = self.mask.sum(1, keepdim=True)
        idle = 0  # steps of rows that were finished already
        for step in range(max_new_tokens):
            token = self._choose(logits, alive)
            self._take(alive, token.tolist())
            open_now = [i for i, row in enumerate(alive) if not self.stopped[row]]
            if not open_now or step + 1 == max_new_tokens:
                break
            # Rows leave in groups, since every selection copies the cache, which costs about as much as a step
            # of half of its rows.
            idle += len(alive) - len(open_now)
            if 2 * idle >= len(open_now):
                index = torch.tensor(open_now, device=self.device)
                cache.batch_select_indices(index)
                self.mask, position, token = self.mask[index], position[index], token[index]
                alive = [alive[i] for i in open_now]
                idle = 0
            self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
            adapt(step + 1)
            out = self.model(
                input_ids=token[:, None],
                attention_mask=self.mask,
                position_ids=position,
                past_key_values=cache,
                use_cache=True,
            )
            position = position + 1
            logits = out.logits[:, -1]
        return self._grouped()

    def _take(self, alive: Sequence[int], tokens: Sequence[int]) -> None:
        for row, token in zip(alive, tokens, strict=True):
            if self.stopped[row]:
                continue
            if token in self.stop:
                self.stopped[row] = True
            else:
                self.texts[row].append(token)

    def _encode(self) -> tuple[Tensor, Any]:
        """Last logits (B, V) and the cache, of contexts encoded once and repeated per candidate."""
        import torch

        from vidprompter.engines.cache import roomy_cache

        positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        out = self.model(
            input_ids=self.ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=roomy_cache(),
            use_cache=True,
            logits_to_keep=1,
        )
        repeat = torch.tensor([r for r, _ in self.owners], device=self.device)
        cache = out.past_key_values
        cache.batch_select_indices(repeat)
        self.mask = self.mask[repeat]
        return out.logits[:, -1][repeat], cache

    def _choose(self, logits: Tensor, alive: Sequence[int]) -> Tensor:
        """One token per open row: (B,) int64."""
        import torch

        forbidden = [(i, t) for i, row in enumerate(alive) for t in self.banned[row].now(self.texts[row])]
        if forbidden:
            where = torch.tensor(forbidden, device=logits.device)
            logits[where[:, 0], where[:, 1]] = -torch.inf
        if self.temperature == 0:
            return logits.argmax(-1)
        # Nucleus: Holtzman et al. 2020, the smallest set of tokens whose probability reaches top_p.
        values, order = logits.topk(min(MOST_LIKELY, logits.shape[-1]), dim=-1)
        probabilities = (values.float() / self.temperature).softmax(-1)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(before >= self.top_p, 0.0)
        cumulative = probabilities.cumsum(-1)
        uniform = torch.stack([torch.rand(1, generator=self.streams[row]) for row in alive]).to(logits.device)
        pick = (cumulative < uniform * cumulative[:, -1:]).sum(-1, keepdim=True)
        return order.gather(-1, pick.clamp(max=order.shape[-1] - 1)).squeeze(-1)

    def _grouped(self) -> list[list[Drawn]]:
        drawn = [Drawn(tuple(t), s) for t, s in zip(self.texts, self.stopped, strict=True)]
        grouped, at = [], 0
        for count in self.counts:
            grouped.append(drawn[at : at + count])
            at += count
        return grouped


class _Bans:
    """Token sequences that must not appear in a row."""

    def __init__(self, sequences: Sequence[tuple[int, ...]]) -> None:
        self._always = [sequence[0] for sequence in sequences if len(sequence) == 1]
        self._after: dict[int, list[tuple[list[int], int]]] = {}
        for sequence in sequences:
            if len(sequence) > 1:
                self._after.setdefault(sequence[-2], []).append((list(sequence[:-1]), sequence[-1]))

    def now(self, text: list[int]) -> list[int]:
        """Tokens that would complete a sequence at the end of `text`."""
        ending = self._after.get(text[-1], ()) if text else ()
        return self._always + [last for first, last in ending if text[-len(first) :] == first]
