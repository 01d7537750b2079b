"""Task 3: a short idea in, several detailed prompts out, to choose from.

    python examples/expand_idea.py "a cat on a roof"
"""

from __future__ import annotations

import sys

from vidprompter import Request, Task, VidPrompter

if len(sys.argv) != 2:
    sys.exit('usage: python examples/expand_idea.py "IDEA"')

vp = VidPrompter.load("builtin")
requests = [Request(Task.SHORT_TO_PROMPT, short=sys.argv[1], variant=v, seed=v) for v in range(3)]
for prompt in vp.generate(requests):
    print(f"[{prompt.variant}] {prompt.text}\n")
