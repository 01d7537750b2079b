"""Examples as token batches: one length-bucketed order per epoch, the loss on the answer alone.

Letters: B examples of a micro-batch, L tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from vidprompter.engines.prompting import END_OF_TURN, chat
from vidprompter.errors import InputError
from vidprompter.training.derive import Example

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """One example: token ids, and where the answer begins."""

    ids: tuple[int, ...]
    answer: int

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class MicroBatch:
    """ids, mask: (B, L) int64; answer: (B, L) bool, True on answer tokens; right-padded."""

    ids: Tensor
    mask: Tensor
    answer: Tensor


def tokenize(examples: Sequence[Example], tokenizer: Any, *, max_tokens: int) -> list[Tokens]:
    """Token ids of each example.

    Raises:
        InputError: an example is longer than `max_tokens`; nothing is cut silently.
    """
    rows = []
    for index, example in enumerate(examples):
        head = tokenizer(chat(example.context), add_special_tokens=False)["input_ids"]
        tail = tokenizer(example.target + END_OF_TURN, add_special_tokens=False)["input_ids"]
        if len(head) + len(tail) > max_tokens:
            raise InputError(
                f"example {index} has {len(head) + len(tail)} tokens; the limit is {max_tokens} (raise --max-tokens)"
            )
        rows.append(Tokens((*head, *tail), len(head)))
    return rows


def epoch_order(rows: Sequence[Tokens], *, batch: int, micro: int, seed: int) -> list[list[list[int]]]:
    """One epoch's steps, each a list of micro-batches, each a list of row indices.

    Rows of similar length share a step, so that little is padded; the order of steps is random.
    """
    rng = Random(f"epoch/{seed}")
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i]) + rng.random() * 24, i))
    steps = [order[i : i + batch] for i in range(0, len(order), batch)]
    rng.shuffle(steps)
    return [[step[i : i + micro] for i in range(0, len(step), micro)] for step in steps]


def collate(rows: Sequence[Tokens], *, pad: int) -> MicroBatch:
    """Rows as one right-padded micro-batch."""
    import torch

    longest = max(len(r) for r in rows)
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    answer = torch.zeros((len(rows), longest), dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row.ids)
        mask[i, : len(row)] = 1
        answer[i, row.answer : len(row)] = True
    return MicroBatch(ids, mask, answer)


def steps_of(
    rows: Sequence[Tokens], *, batch: int, micro: int, seed: int, skip: int = 0
) -> Iterator[tuple[int, list[list[int]]]]:
    """(step number, its micro-batches of row indices) without end, from step `skip` on; epochs follow each other."""
    step, epoch = 0, 0
    while True:
        for group in epoch_order(rows, batch=batch, micro=micro, seed=seed + epoch):
            if step >= skip:
                yield step, group
            step += 1
        epoch += 1
