"""What judges a prompt: CLIP-like models, the built-in evaluator, a rubric, a judge model. See docs/scoring.md.

>>> from scoring import make_evaluator                                          # doctest: +SKIP
>>> from vidprompter import Request, Task                                       # doctest: +SKIP
>>> evaluator = make_evaluator(["builtin"])                                     # doctest: +SKIP
>>> clip = Request(Task.VIDEO_TO_PROMPT, video="clip.mp4")                      # doctest: +SKIP
>>> [scored] = evaluator.score([clip], [["a man in a car", "a dog in a car"]])  # doctest: +SKIP

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoring.ensemble import Ensemble as Ensemble
    from scoring.names import EvaluatorOptions as EvaluatorOptions
    from scoring.names import make_evaluator as make_evaluator
    from scoring.ranking import rank as rank

_WHERE = {
    "Ensemble": "scoring.ensemble",
    "EvaluatorOptions": "scoring.names",
    "make_evaluator": "scoring.names",
    "rank": "scoring.ranking",
}
__all__ = ["Ensemble", "EvaluatorOptions", "make_evaluator", "rank"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'scoring' has no attribute {name!r}")
