"""What a large model is asked: the instruction q of the task, and what the wording wants."""

from __future__ import annotations

from pathlib import Path

from vidprompter.tasks import Request, Task


def asked_text(request: Request, template: str | None = None) -> str:
    """The request's own instruction; else that of its task with its short prompt, and what its wording asks for.

    template: the path of a user's own instruction, with `{short}` where the short prompt goes.

    Raises:
        InputError: the template cannot be used, or the wording names an unknown language or target.
    """
    if request.instruction is not None:
        return request.instruction
    from vidprompter.templates import instruction

    text = instruction(
        request.task, short=request.short, path=Path(template) if template is not None else None
    )
    if not request.wording.fields():
        return text
    from vidprompter.wording import instructions

    asked = instructions(request.wording, short=request.short).strip()
    # Task 3 ends with "Prompt:", which the answer continues, so that nothing may follow it.
    parts = (asked, text) if request.task is Task.SHORT_TO_PROMPT else (text, asked)
    return "\n\n".join(part for part in parts if part)


def answer_text(request: Request, written: str) -> str:
    """What a model wrote as its answer: one line for a prompt, raw for an instruction of the request's own."""
    return " ".join(written.split()) if request.instruction is None else written.strip()
