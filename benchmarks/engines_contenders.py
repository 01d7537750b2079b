"""What `engines.py` measures: each contender in a process of its own, asked for one thing at a time.

    python benchmarks/engines_contenders.py NAME GGUF

Says 1 when it is loaded, then reads lines of JSON: {"batch": B, "tokens": N} is answered with the seconds of B greedy
texts of N tokens, {"texts": N} with the token ids of a greedy text for each idea, {"peak": 1} with the most bytes the
process had.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

SUBJECTS = "horse dog cat car boat train bird cow sheep truck bus bicycle elephant bear zebra giraffe".split()
# A scene sheet of about 80 tokens; every row of a batch has a subject of its own, so that nobody reads one for all.
LINES = """\
camera: pan left
shot: medium shot
subjects: {subject} (brown, center), 2 people (left)
place: field
light: bright, neutral
contrast: medium
colors: green, gray, blue
movement: the {subject} moves to the left"""
IDEAS = 20


class Contender(Protocol):
    """What is measured."""

    def write(self, contexts: list[list[int]], tokens: int) -> list[list[int]]:
        """A greedy text of exactly so many tokens for each context."""
        ...


class Transformers:
    """`generate` of transformers, with the adapter merged."""

    def __init__(self, dtype: str) -> None:
        from vidprompter.engines.builtin import BuiltinEngine
        from vidprompter.engines.drawers.torch_drawer import torch_drawer

        self.model = torch_drawer("builtin", BuiltinEngine().adapter, dtype=dtype, device="cpu").model

    def write(self, contexts: list[list[int]], tokens: int) -> list[list[int]]:
        """A greedy text of exactly so many tokens for each context."""
        import torch

        longest = max(map(len, contexts))
        ids = torch.tensor([[2] * (longest - len(one)) + one for one in contexts])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in contexts])
        with torch.inference_mode():
            out = self.model.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                pad_token_id=2,
            )
        texts: list[list[int]] = out[:, longest:].tolist()
        return texts


class LlamaCpp:
    """llama.cpp's own server in this process, without HTTP, as the wheel `xllamacpp` has it."""

    def __init__(self, gguf: str) -> None:
        self.gguf = gguf
        self.slots = 0
        self.server: Any = None

    def write(self, contexts: list[list[int]], tokens: int) -> list[list[int]]:
        """A greedy text of exactly so many tokens for each context."""
        self._have(len(contexts))
        with ThreadPoolExecutor(len(contexts)) as pool:
            texts = list(pool.map(lambda one: self._one(one, tokens), contexts))
        return (
            []
            if tokens == 1
            else [tokenizer()(text, add_special_tokens=False)["input_ids"] for text in texts]
        )

    def _one(self, context: list[int], tokens: int) -> str:
        answer = self.server.handle_completions(
            {
                "prompt": context,
                "n_predict": tokens,
                "temperature": 0,
                "ignore_eos": True,
                "cache_prompt": False,
            }
        )
        answer = json.loads(answer) if isinstance(answer, str) else answer
        return str(answer["choices"][0]["text"])

    def _have(self, slots: int) -> None:
        if slots == self.slots:
            return
        import xllamacpp

        from vidprompter.engines.drawers.onnx_sessions import usable_cores

        params = xllamacpp.CommonParams()
        params.model.path = self.gguf
        params.n_parallel, params.n_ctx = slots, 512 * slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = usable_cores()
        self.server = None
        self.server, self.slots = xllamacpp.Server(params), slots


class Builtin:
    """Our engine's drawer, as `BuiltinEngine` chooses it."""

    def __init__(self) -> None:
        from vidprompter.engines.builtin import BuiltinEngine
        from vidprompter.engines.drawers.choose import make_drawer

        self.drawer = make_drawer("builtin", BuiltinEngine().adapter)

    def write(self, contexts: list[list[int]], tokens: int) -> list[list[int]]:
        """A greedy text of exactly so many tokens for each context."""
        from vidprompter.engines.decoding import Drawing, Row

        rows = [Row(tuple(one), (0,)) for one in contexts]
        return [list(one[0].ids) for one in self.drawer.draw(rows, Drawing(tokens, 0.0, 1.0, frozenset()))]


CONTENDERS: dict[str, Callable[[str], Contender]] = {
    "float32": lambda gguf: Transformers("float32"),
    "bfloat16": lambda gguf: Transformers("bfloat16"),
    "llama.cpp": LlamaCpp,
    "builtin": lambda gguf: Builtin(),
}


def prepare(gguf: str) -> None:
    """Makes what the contenders read, so that none of them does while it is measured."""
    from engines_gguf import write_q8_0

    from vidprompter.engines.builtin import BuiltinEngine

    Builtin()
    write_q8_0(Path(gguf), BuiltinEngine().adapter)


def tokenizer() -> Any:
    from transformers import AutoTokenizer

    from models.registry import registry
    from models.smollm2.convert import FOLDER

    if not _TOKENIZER:
        folder = registry().get("smollm2-135m-instruct").path() / FOLDER
        _TOKENIZER.append(AutoTokenizer.from_pretrained(folder, local_files_only=True))
    return _TOKENIZER[0]


_TOKENIZER: list[Any] = []


def context_ids(user: str) -> list[int]:
    from vidprompter.engines.prompting import chat

    ids: list[int] = tokenizer()(chat(user), add_special_tokens=False)["input_ids"]
    return ids


def answer(asked: dict[str, int], contender: Contender) -> Any:
    from vidprompter.engines.prompting import context
    from vidprompter.tasks import Task

    if "peak" in asked:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if "texts" in asked:
        ideas = (
            (Path(__file__).parent / "data" / "ideas.txt").read_text(encoding="utf-8").splitlines()[:IDEAS]
        )
        users = [context(Task.SHORT_TO_PROMPT, short=idea) for idea in ideas]
        return contender.write([context_ids(user) for user in users], asked["texts"])
    sheets = (LINES.format(subject=SUBJECTS[n]) for n in range(asked["batch"]))
    contexts = [context_ids(context(Task.VIDEO_TO_PROMPT, lines=sheet)) for sheet in sheets]
    if asked.get("warm"):
        contender.write(contexts, 2)
    began = time.perf_counter()
    contender.write(contexts, asked["tokens"])
    return time.perf_counter() - began


def main() -> None:
    name, gguf = sys.argv[1:]
    said = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    if name == "prepare":
        prepare(gguf)
        return
    contender = CONTENDERS[name](gguf)
    print("1", file=said, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), contender)), file=said, flush=True)


if __name__ == "__main__":
    main()
