"""A small, real evaluator that looks at clips, for tests of the commands around it.

`python -m tests.batch.score.stub score ...` is the command with it in place of those with weights.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from batch.cli import run as _real_run
from scoring.ensemble import Ensemble
from scoring.names import EvaluatorOptions, parse_names
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.scores import TRUNCATED, Evaluator, EvaluatorIdentity, Outcome, Score, Scored, empty_score
from vidprompter.tasks import Request
from vidprompter.video.source import VideoSource

RANGES = {"rubric": (0.0, 10.0), "judge": (0.0, 10.0)}
BLIND = ("rubric", "judge")
MAX_WORDS = 20


class WordsAndWidth:
    """100 less the distance between the clip's width and the number of letters; reads 20 words.

    Appends the clips of every call to the file STUB_CALLS; sleeps STUB_SECONDS a call; "hopeless" breaks it.
    """

    def __init__(self, name: str, revision: str, frames: int) -> None:
        low, high = RANGES.get(name, (-100.0, 100.0))
        self.needs_video = name not in BLIND
        self.identities = (
            EvaluatorIdentity(
                name, low, high, "words", revision, self.needs_video, MAX_WORDS, {"frames": frames}
            ),
        )
        self.name = name

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        if calls := os.environ.get("STUB_CALLS"):
            with Path(calls).open("a") as file:
                file.write(
                    "".join(
                        f"{request.video} {len(texts)}\n"
                        for request, texts in zip(requests, candidates, strict=True)
                    )
                )
        time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
        return [self._one(request, texts) for request, texts in zip(requests, candidates, strict=True)]

    def close(self) -> None:
        pass

    def _one(self, request: Request, texts: Sequence[str]) -> Outcome:
        width = 0
        if self.needs_video:
            assert isinstance(request.video, Path)
            try:
                width = VideoSource(request.video, start=request.start, end=request.end).info.width
            except VidPrompterError as error:
                return error
        if "hopeless" in texts:
            raise RuntimeError("no hope")
        return [Scored(text, (self._score(text, width),)) for text in texts]

    def _score(self, text: str, width: int) -> Score:
        words = text.split()
        if not words:
            return empty_score(self.name)
        cut = max(0, len(words) - MAX_WORDS)
        letters = len(" ".join(words[:MAX_WORDS]))
        value = 100.0 - abs(width - letters) if self.needs_video else min(10.0, len(words) / 2)
        return Score(
            self.name,
            max(-100.0, value),
            len(words),
            cut,
            (TRUNCATED,) if cut else (),
            {"letters": letters},
        )


def make_stub(
    asked: Sequence[str],
    options: EvaluatorOptions | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluator:
    """As `make_evaluator`; "judge" needs no model, "clip=NAME" is another revision."""
    options = options or EvaluatorOptions()
    members = [WordsAndWidth(one.name, f"1{one.where or ''}", options.frames) for one in parse_names(asked)]
    if not members:
        raise InputError("no evaluator was named")
    return Ensemble(members)


def main(arguments: Sequence[str]) -> int:
    """`vidprompter` with the stub evaluator."""
    from importlib import import_module
    from importlib.util import find_spec

    for name in ("score", "rank", "eval"):
        module = f"batch.commands.{name}"
        if find_spec(module):
            import_module(module).make_evaluator = make_stub  # type: ignore[attr-defined]
    return _real_run(arguments)


if __name__ == "__main__":
    import batch.cli
    from batch.entry import main as entry_main

    batch.cli.run = main
    sys.exit(entry_main())
