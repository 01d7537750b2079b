"""Supervised fine-tuning of the built-in language model: a LoRA on next-token prediction of the answer.

Loss: mean over a step's answer tokens of -log p(token | context, earlier tokens), so that micro-batches and
one big batch give the same gradient. Only answer positions go through the vocabulary head.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidprompter.errors import InputError
from vidprompter.training.adapter import attach_fresh, load_into, meta_of, save_adapter
from vidprompter.training.batches import Tokens, collate, steps_of, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from vidprompter.training.derive import Example


@dataclass(frozen=True)
class SFTSettings:
    """Choices of one training run. `steps` counts optimizer steps of `batch` examples.

    minutes: when given, the schedule also advances with the clock, so that the learning rate has fallen to
    zero when the time is up; such a run depends on the machine's speed and is not repeatable to the bit.
    """

    steps: int = 400
    batch: int = 16
    micro: int = 8
    learning_rate: float = 4e-4
    warmup: float = 0.04
    rank: int = 16
    alpha: int = 32
    max_tokens: int = 640
    clip_norm: float = 1.0
    bfloat16: bool = True
    seed: int = 0
    save_every: int = 25
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "micro", "rank", "max_tokens", "save_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True)
class Progress:
    """One step's report: loss in nats per answer token, tokens a second over all tokens of the step."""

    step: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    share: float


def rate_at(share: float, settings: SFTSettings) -> float:
    """Learning rate when `share` (0-1) of the run is over: linear warm-up, then a cosine to zero."""
    if share < settings.warmup:
        return settings.learning_rate * max(share, 1e-3) / settings.warmup
    rest = (share - settings.warmup) / (1 - settings.warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, rest)))


def answer_loss_sum(model: Any, rows: Sequence[Tokens], *, pad: int) -> Tensor:
    """Sum of -log p over the answer tokens of `rows`; a scalar with gradient.

    model: a causal language model whose `model` gives hidden states and whose `lm_head` gives logits.
    """
    import torch

    batch = collate(rows, pad=pad)
    device = model.lm_head.weight.device
    hidden = model.model(
        input_ids=batch.ids.to(device), attention_mask=batch.mask.to(device), use_cache=False
    ).last_hidden_state
    where = batch.answer[:, 1:].to(device)
    logits = model.lm_head(hidden[:, :-1][where])
    return torch.nn.functional.cross_entropy(
        logits.float(), batch.ids.to(device)[:, 1:][where], reduction="sum"
    )


def evaluate(model: Any, rows: Sequence[Tokens], *, pad: int, micro: int = 8) -> float:
    """Mean -log p per answer token (nats) over `rows`, without gradient."""
    import torch

    total, count = 0.0, 0
    with torch.no_grad():
        for i in range(0, len(rows), micro):
            part = rows[i : i + micro]
            total += float(answer_loss_sum(model, part, pad=pad))
            count += sum(len(r) - r.answer for r in part)
    return total / max(count, 1)


def train_sft(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    out: Path,
    base: str,
    settings: SFTSettings | None = None,
    init: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Train a LoRA on `examples` and return the path of `out`/adapter.safetensors.

    Resumes from `out` if an unfinished run with the same settings lies there. base: revision of the base weights,
    recorded in the adapter. init: an adapter of the same rank to start from, instead of a fresh one.

    Raises:
        InputError: no examples, one too long, or `out` holds a run with other settings.
    """
    settings = settings or SFTSettings()
    if not examples:
        raise InputError("there are no examples to train on; check the data file and its fields short, long")
    rows = tokenize(examples, tokenizer, max_tokens=settings.max_tokens)
    out.mkdir(parents=True, exist_ok=True)
    model.requires_grad_(False)
    wrapped = attach_fresh(model, rank=settings.rank, alpha=settings.alpha, seed=settings.seed)
    if init is not None:
        load_into(wrapped, init)
    run = _Run(wrapped, tokenizer, rows, out, base, settings)
    run.restore()
    run.train(report)
    return out / "adapter.safetensors"


class _Run:
    """One training run: the parameters, the optimizer, and where it stands."""

    def __init__(
        self, wrapped: Any, tokenizer: Any, rows: list[Tokens], out: Path, base: str, settings: SFTSettings
    ) -> None:
        import torch

        self.wrapped, self.inner = wrapped, wrapped.base_model.model
        self.rows, self.out, self.base, self.settings = rows, out, base, settings
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self.parameters = [p for p in wrapped.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=0.0, weight_decay=0.0)
        self.step, self.elapsed = 0, 0.0

    def restore(self) -> None:
        import torch

        state_file = self.out / "state.pt"
        if not state_file.is_file():
            return
        state = torch.load(state_file, weights_only=True)
        if state["settings"] != json.dumps(asdict(self.settings), sort_keys=True):
            raise InputError(f"{self.out} holds a run with other settings; choose another --out or remove it")
        load_into(self.wrapped, self.out / "training.safetensors")
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = int(state["step"]), float(state["elapsed"])

    def save(self) -> None:
        import torch

        meta = meta_of(asdict(self.settings) | {"step": self.step}, base=self.base)
        save_adapter(self.wrapped, self.out / "training.safetensors", meta=meta, dtype="float32")
        save_adapter(self.wrapped, self.out / "adapter.safetensors", meta=meta)
        state = {
            "settings": json.dumps(asdict(self.settings), sort_keys=True),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        temporary = self.out / "state.part"
        torch.save(state, temporary)
        temporary.replace(self.out / "state.pt")

    def share(self) -> float:
        """How much of the run is over, 0-1."""
        by_step = self.step / self.settings.steps
        by_clock = self.elapsed / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return max(by_step, by_clock)

    def train(self, report: Callable[[Progress], None]) -> None:
        s = self.settings
        self.wrapped.train()
        groups = steps_of(self.rows, batch=s.batch, micro=s.micro, seed=s.seed, skip=self.step)
        while self.share() < 1:
            _, group = next(groups)
            began = time.monotonic()
            loss, tokens = self._one_step(group)
            seconds = time.monotonic() - began
            self.elapsed += seconds
            self.step += 1
            progress = Progress(self.step, loss, rate_at(self.share(), s), tokens / seconds, self.share())
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(progress)) + "\n")
            report(progress)
            if self.step % s.save_every == 0 or self.share() >= 1:
                self.save()
        self.wrapped.eval()

    def _one_step(self, group: list[list[int]]) -> tuple[float, int]:
        """One optimizer step; returns the mean loss and the number of tokens read."""
        import torch

        rate = rate_at(self.share(), self.settings)
        for part in self.optimizer.param_groups:
            part["lr"] = rate
        answers = sum(len(self.rows[i]) - self.rows[i].answer for micro in group for i in micro)
        total = 0.0
        for micro in group:
            with self._precision():
                loss = answer_loss_sum(self.inner, [self.rows[i] for i in micro], pad=self.pad) / answers
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total, sum(len(self.rows[i]) for micro in group for i in micro)

    def _precision(self) -> AbstractContextManager[Any]:
        import torch

        if not self.settings.bfloat16:
            return nullcontext()
        return torch.autocast(self.inner.lm_head.weight.device.type, torch.bfloat16)
