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
from typing import TYPE_CHECKING, Any, TypeAlias

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
    """One candidate: its token ids without the end token, and whether the model ended it.

    end: the end token, None where it was cut or ended by a stop text. logprob: natural logarithm of the probability
    of ids and end, by the model's own distribution (temperature 1, nothing banned); None unless it was asked for.
    """

    ids: tuple[int, ...]
    stopped: bool
    end: int | None = None
    logprob: float | None = None


@dataclass
class Encoded:
    """R contexts that the model has read. Rows of the cache are theirs, padded on the left.

    logits: (R, V) after the last token. mask: (R, L) int64, 0 for padding. position: (R, 1) int64 of the next token.
    """

    logits: Tensor
    cache: Any
    mask: Tensor
    position: Tensor

    def select(self, rows: Tensor) -> Encoded:
        """Those of the rows (B,), which may repeat; this one's cache becomes theirs."""
        self.cache.batch_select_indices(rows)
        return Encoded(self.logits[rows], self.cache, self.mask[rows], self.position[rows])


def seed_of(*parts: object) -> int:
    """A 63-bit seed from `parts`, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


OnToken: TypeAlias = Callable[[int, int, int], None]
"""Is told (row, candidate, token id) of each token as it is drawn, end tokens not among them."""


@dataclass(frozen=True)
class Drawing:
    """How rows are continued. temperature 0 is greedy.

    stop: tokens that end a row. ends: says of a row's tokens whether they hold a stop text; None: there is none.
    logprobs: whether `Drawn.logprob` is wanted, which costs a pass over the vocabulary for each token.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    stop: frozenset[int]
    ends: Callable[[Sequence[int]], bool] | None = None
    logprobs: bool = False


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
    on_token: OnToken | None = None,
) -> list[list[Drawn]]:
    """For each row one candidate per seed, in the order of its seeds. temperature 0 is greedy.

    spare_cores: is asked now and then how many threads to compute on; None leaves them as they are.
    """
    drawing = Drawing(max_new_tokens, temperature, top_p, frozenset(stop))
    return draw_from(
        model,
        lambda: encode_texts(model, [row.ids for row in rows], pad),
        rows,
        drawing,
        spare_cores=spare_cores,
        on_token=on_token,
    )


def draw_from(
    model: Any,
    encode: Callable[[], Encoded],
    rows: Sequence[Row],
    drawing: Drawing,
    *,
    spare_cores: Callable[[], int] | None = None,
    on_token: OnToken | None = None,
) -> list[list[Drawn]]:
    """As `draw`, of contexts that `encode` has the model read, in the order of `rows`; `Row.ids` is not looked at."""
    import torch

    with torch.inference_mode(), _threads_as(spare_cores) as adapt:
        adapt(0)
        return _Drawing(model, encode(), rows, drawing, on_token).run(adapt)


def encode_texts(model: Any, contexts: Sequence[Sequence[int]], pad: int) -> Encoded:
    """Contexts of text alone, read in one go."""
    import torch

    from vidprompter.engines.cache import roomy_cache

    device = model.get_input_embeddings().weight.device
    longest = max(len(ids) for ids in contexts)
    ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in contexts], device=device)
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in contexts], device=device)
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        past_key_values=roomy_cache(),
        use_cache=True,
        logits_to_keep=1,
    )
    return Encoded(out.logits[:, -1], out.past_key_values, mask, mask.sum(1, keepdim=True))


def step(model: Any, tokens: Tensor, cache: Any, mask: Tensor, position: Tensor) -> Tensor:
    """Logits (B, V) after tokens (B,) at position (B, 1); mask (B, L) counts them already."""
    out = model(
        input_ids=tokens[:, None],
        attention_mask=mask,
        position_ids=position,
        past_key_values=cache,
        use_cache=True,
    )
    # Of a model that is spread over devices the logits come from the last one.
    logits: Tensor = out.logits[:, -1].to(mask.device)
    return logits


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
        self, model: Any, encoded: Encoded, rows: Sequence[Row], drawing: Drawing, on_token: OnToken | None
    ) -> None:
        import torch

        self.model, self.drawing, self.on_token = model, drawing, on_token
        self.owners = [(r, c) for r, row in enumerate(rows) for c in range(len(row.seeds))]
        self.banned = [Bans(rows[r].banned) for r, _ in self.owners]
        self.streams = [torch.Generator().manual_seed(rows[r].seeds[c]) for r, c in self.owners]
        self.texts: list[list[int]] = [[] for _ in self.owners]
        self.stopped = [False] * len(self.owners)
        self.ends: list[int | None] = [None] * len(self.owners)
        self.logprobs = [0.0] * len(self.owners)
        self.counts = [len(row.seeds) for row in rows]
        # Contexts were read once; here each is repeated for its candidates.
        self.device = encoded.logits.device
        self.state = encoded.select(torch.tensor([r for r, _ in self.owners], device=self.device))

    def run(self, adapt: Callable[[int], None]) -> list[list[Drawn]]:
        import torch

        state, last = self.state, self.drawing.max_new_tokens - 1
        alive = list(range(len(self.owners)))
        idle = 0  # steps of rows that were finished already
        for number in range(last + 1):
            token = self._choose(state.logits, alive)
            self._take(alive, token.tolist())
            open_now = [i for i, row in enumerate(alive) if not self.stopped[row]]
            if not open_now or number == last:
                break
            # Rows leave in groups, since every selection copies the cache, which costs about as much as a step
            # of half of its rows.
            idle += len(alive) - len(open_now)
            if 2 * idle >= len(open_now):
                index = torch.tensor(open_now, device=self.device)
                state, token = state.select(index), token[index]
                alive = [alive[i] for i in open_now]
                idle = 0
            state.mask = torch.nn.functional.pad(state.mask, (0, 1), value=1)
            adapt(number + 1)
            state.logits = step(self.model, token, state.cache, state.mask, state.position)
            state.position = state.position + 1
        return self._grouped()

    def _take(self, alive: Sequence[int], tokens: Sequence[int]) -> None:
        for row, token in zip(alive, tokens, strict=True):
            if self.stopped[row]:
                continue
            if token in self.drawing.stop:
                self.stopped[row] = True
                self.ends[row] = token
                continue
            self.texts[row].append(token)
            if self.on_token is not None:
                self.on_token(*self.owners[row], token)
            if self.drawing.ends is not None and self.drawing.ends(self.texts[row]):
                self.stopped[row] = True

    def _choose(self, logits: Tensor, alive: Sequence[int]) -> Tensor:
        """One token per open row: (B,) int64."""
        if not self.drawing.logprobs:
            return self._pick(logits, alive)
        own = logits.float().log_softmax(-1)
        token = self._pick(logits, alive)
        for row, logprob in zip(alive, own.gather(-1, token[:, None]).squeeze(-1).tolist(), strict=True):
            self.logprobs[row] += 0.0 if self.stopped[row] else logprob
        return token

    def _pick(self, logits: Tensor, alive: Sequence[int]) -> Tensor:
        import torch

        forbidden = [(i, t) for i, row in enumerate(alive) for t in self.banned[row].now(self.texts[row])]
        if forbidden:
            where = torch.tensor(forbidden, device=logits.device)
            logits[where[:, 0], where[:, 1]] = -torch.inf
        if self.drawing.temperature == 0:
            return logits.argmax(-1)
        # Nucleus: Holtzman et al. 2020, the smallest set of tokens whose probability reaches top_p.
        values, order = logits.topk(min(MOST_LIKELY, logits.shape[-1]), dim=-1)
        probabilities = (values.float() / self.drawing.temperature).softmax(-1)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(before >= self.drawing.top_p, 0.0)
        cumulative = probabilities.cumsum(-1)
        uniform = torch.stack([torch.rand(1, generator=self.streams[row]) for row in alive]).to(logits.device)
        pick = (cumulative < uniform * cumulative[:, -1:]).sum(-1, keepdim=True)
        return order.gather(-1, pick.clamp(max=order.shape[-1] - 1)).squeeze(-1)

    def _grouped(self) -> list[list[Drawn]]:
        drawn = [
            Drawn(tuple(text), stopped, end, logprob if self.drawing.logprobs else None)
            for text, stopped, end, logprob in zip(
                self.texts, self.stopped, self.ends, self.logprobs, strict=True
            )
        ]
        grouped, at = [], 0
        for count in self.counts:
            grouped.append(drawn[at : at + count])
            at += count
        return grouped


class Bans:
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
