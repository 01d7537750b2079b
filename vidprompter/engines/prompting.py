"""The text that the built-in language model reads, the same in training and in use.

The built-in model was trained on this short form and needs no long instruction; the templates with the full
instruction (`vidprompter/templates/`) are for models that were not.
"""

from __future__ import annotations

from vidprompter.errors import InputError
from vidprompter.tasks import Task

_VIDEO = "Write a detailed video prompt from what was measured."
_BOTH = "Write a detailed video prompt from what was measured and the short description."
_SHORT = "Write a detailed video prompt from this idea."


def context(task: Task, *, lines: str | None = None, short: str | None = None) -> str:
    """The user's turn for `task`. lines: a rendered `SheetLines` (tasks 1, 2); short: tasks 2, 3.

    Raises:
        InputError: the task needs a part that is None.
    """
    if task is Task.SHORT_TO_PROMPT:
        if short is None:
            raise InputError("task 3 needs a short prompt; give short=")
        return f"{_SHORT}\nidea: {short.strip()}"
    if lines is None:
        raise InputError(f"task {task.value!r} needs a scene sheet; give a video")
    if task is Task.VIDEO_TO_PROMPT:
        return f"{_VIDEO}\n{lines}"
    if short is None:
        raise InputError("task 2 needs a short description; give short=")
    return f"{_BOTH}\n{lines}\nshort: {short.strip()}"


def chat(user: str) -> str:
    """`user` in the ChatML form of SmolLM2-Instruct, up to where the answer begins."""
    return f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


END_OF_TURN = "<|im_end|>"
