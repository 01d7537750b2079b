"""Task 3: a short idea in, several detailed prompts out, to choose from.

python examples/expand_idea.py "a cat on a roof"
"""

from __future__ import annotations

import sys

from vidprompter import Request, Task, VidPrompter
from vidprompter.errors import VidPrompterError

if len(sys.argv) != 2:
    sys.exit('usage: python examples/expand_idea.py "IDEA"')

vp = VidPrompter.load("builtin")
requests = [Request(Task.SHORT_TO_PROMPT, short=sys.argv[1], variant=v, seed=v) for v in range(3)]
for prompt in vp.generate(requests):  # all three are written at once
    if isinstance(prompt, VidPrompterError):
        sys.exit(str(prompt))
    print(f"[{prompt.variant}] {prompt.text}\n")
