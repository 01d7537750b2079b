"""How far the built-in model in other precisions agrees with itself in float32.

float32 writes a greedy text for each idea; the others predict each of its tokens after the tokens before it. Printed are
the share of tokens for which both find the same one likeliest, and the mean Kullback-Leibler divergence (nats) of the
other's distribution from float32's.

    python benchmarks/agreement.py [--ideas 20] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidprompter.engines.builtin import BuiltinEngine
from vidprompter.engines.drawers.onnx_drawer import OnnxDrawer, onnx_drawer
from vidprompter.engines.drawers.onnx_memory import DecoderMemory
from vidprompter.engines.drawers.onnx_sessions import usable_cores
from vidprompter.engines.drawers.torch_drawer import TorchDrawer, torch_drawer
from vidprompter.engines.prompting import END_OF_TURN, chat, context
from vidprompter.tasks import Task

IDEAS = Path(__file__).parent / "data" / "ideas.txt"
NEW_TOKENS = 120
Logits = NDArray[np.float32]


def greedy(drawer: TorchDrawer, ids: list[int]) -> list[int]:
    """float32's own text."""
    end = drawer.tokenizer.convert_tokens_to_ids(END_OF_TURN)
    with torch.inference_mode():
        out = drawer.model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=end,
        )
    return list(out[0, len(ids) :].tolist())


def in_torch(drawer: TorchDrawer, ids: list[int], text: list[int]) -> Logits:
    """(L, V): before each token of the text."""
    with torch.inference_mode():
        out = drawer.model(torch.tensor([[*ids, *text[:-1]]])).logits[0, len(ids) - 1 :]
    return np.asarray(out.float().numpy())


def in_onnx(drawer: OnnxDrawer, ids: list[int], text: list[int]) -> Logits:
    """(L, V): before each token of the text, read one by one as when it draws."""
    packed, session = drawer._packed, drawer._sessions.get(usable_cores())
    memory = DecoderMemory(packed.shape, 1, len(ids) + len(text))
    memory.read_context(session, 0, packed.embedding.rows(np.array(ids, np.int64)))
    rows = [memory.logits[0, 0].copy()]
    for token in text[:-1]:
        memory.step(session, packed.embedding.rows(np.array([token], np.int64)))
        rows.append(memory.logits[0, 0].copy())
    return np.stack(rows)


def compare(theirs: Logits, ours: Logits) -> tuple[int, float]:
    """How many tokens both find likeliest, and the sum of KL(float32 || other)."""
    p, q = (torch.tensor(one).double().log_softmax(-1) for one in (theirs, ours))
    kl = (p.exp() * (p - q)).sum(-1)
    return int((p.argmax(-1) == q.argmax(-1)).sum()), float(kl.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ideas", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    adapter = BuiltinEngine().adapter
    base = torch_drawer("builtin", adapter, dtype="float32", device="cpu")
    half = torch_drawer("builtin", adapter, dtype="bfloat16", device="cpu")
    packed = onnx_drawer("builtin", adapter, why="measured")
    others: dict[str, Callable[[list[int], list[int]], Logits]] = {
        "bfloat16": lambda ids, text: in_torch(half, ids, text),
        "int8": lambda ids, text: in_onnx(packed, ids, text),
    }
    same: dict[str, int] = dict.fromkeys(others, 0)
    divergence: dict[str, float] = dict.fromkeys(others, 0.0)
    tokens = 0
    for idea in IDEAS.read_text(encoding="utf-8").splitlines()[: given.ideas]:
        told = chat(context(Task.SHORT_TO_PROMPT, short=idea))
        ids = base.tokenizer(told, add_special_tokens=False)["input_ids"]
        text = greedy(base, ids)
        expected = in_torch(base, ids, text)
        tokens += len(text)
        for name, predict in others.items():
            agreed, kl = compare(expected, predict(ids, text))
            same[name] += agreed
            divergence[name] += kl
    result: dict[str, Any] = {
        "tokens": tokens,
        "ratios": {f"same_likeliest_{name}": same[name] / tokens for name in others},
        "mean_kl": {name: divergence[name] / tokens for name in others},
    }
    if given.json:
        print(json.dumps(result))
        return
    print(f"{tokens} tokens of {given.ideas} greedy texts")
    for name in others:
        print(f"{name:9} same likeliest {same[name] / tokens:.1%}   mean KL {divergence[name] / tokens:.4f}")


if __name__ == "__main__":
    main()
