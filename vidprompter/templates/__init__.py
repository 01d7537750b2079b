"""The instruction of each task as a text file, for models that were not trained on our short form.

Written after the requirements of the VidPrompter paper, Figure 3, in our own words. A user can pass a file of
their own; `{short}` in it is replaced by the short prompt.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from vidprompter.errors import InputError
from vidprompter.tasks import Task


def template(task: Task, path: Path | None = None) -> str:
    """The template text of `task`, or of the user's file.

    Raises:
        InputError: the file cannot be read, or lacks `{short}` where the task has a short prompt.
    """
    if path is None:
        return files(__name__).joinpath(f"{task.value}.txt").read_text(encoding="utf-8").strip()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"template {path} cannot be read: {error}; give a UTF-8 text file") from error
    if task is not Task.VIDEO_TO_PROMPT and "{short}" not in text:
        raise InputError(
            f"template {path} lacks {{short}}, where the short prompt of {task.value} goes; add it"
        )
    return text


def instruction(task: Task, *, short: str | None = None, path: Path | None = None) -> str:
    """The instruction q of `task` with the short prompt filled in.

    Raises:
        InputError: as `template`; or the task needs a short prompt and there is none.
    """
    text = template(task, path)
    if task is Task.VIDEO_TO_PROMPT:
        return text
    if not (short or "").strip():
        raise InputError(f"task {task.value!r} needs a short prompt; give short=")
    return text.replace("{short}", str(short).strip())
