"""Rank prompts of a clip, and say why the last one lost: python examples/rank_prompts.py clip.mp4 "one" "another" ..."""

from __future__ import annotations

import sys
from pathlib import Path

from scoring import make_evaluator, rank
from vidprompter import Request, Task
from vidprompter.errors import VidPrompterError

clip, *prompts = sys.argv[1:]
evaluator = make_evaluator(["builtin"])
[outcome] = evaluator.score([Request(Task.VIDEO_TO_PROMPT, video=Path(clip))], [prompts])
evaluator.close()
if isinstance(outcome, VidPrompterError):
    sys.exit(f"{type(outcome).__name__}: {outcome}")

places = rank(outcome, "builtin")
for place in places:
    print(f"{place.rank}. {place.value or 0:5.1f}  {place.scored.text}")
for wrong in places[-1].scored.of("builtin").details["contradictions"]:
    print(f"   not so: {wrong['kind']} {wrong['said']!r}, measured {wrong['measured'] or 'nothing like it'}")
