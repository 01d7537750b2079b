"""What is scored on the command line: one clip, or none, and captions; mix-ups are told apart from mistakes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidprompter.errors import InputError
from vidprompter.scores import EvaluatorIdentity
from vidprompter.tasks import Request, Task
from vidprompter.video.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, show

NO_IDEA = "a video"
"""Stands for the short prompt of a text that comes without one: evaluators of texts do not look at it."""


@dataclass(frozen=True)
class Asked:
    """clip: None for texts alone. captions: in the order given. start, end: seconds, None for the whole."""

    clip: str | None
    captions: tuple[str, ...]
    start: float | None = None
    end: float | None = None


def asked_of(
    words: Sequence[str],
    listed: Sequence[str],
    *,
    stdin: Callable[[], Iterator[str]],
    command: str,
    has_clip: bool,
    start: float | None = None,
    end: float | None = None,
) -> Asked:
    """The clip and its captions. words: as typed, the clip first where there is one. listed: captions of a file.

    stdin: gives the captions that stand for "-". command: its name, for messages.

    Raises:
        InputError: no clip, no caption, an empty one, or a clip in the place of a caption.
    """
    usage = f'vidprompter {command} CLIP "caption" "caption" ...'
    if has_clip and not words:
        raise InputError(f"no clip was given; try: {usage}, or --captions FILE")
    clip = words[0] if has_clip else None
    typed = words[1:] if has_clip else words
    if clip is not None:
        _check_clip(clip, usage, command)
    captions: list[str] = []
    for number, text in enumerate(typed, 1):
        captions += stdin() if text == "-" else [_checked(text, number, command)]
    captions += listed
    if not captions:
        behind = f" for {show(clip)}" if clip is not None else ""
        raise InputError(f"no caption was given{behind}; try: {usage}")
    if clip is None and (start is not None or end is not None):
        raise InputError("--start and --end are of a clip; leave them out with --no-clip")
    if end is not None and end <= (start or 0.0):
        raise InputError(f"--end {end:g} is not after --start {start or 0.0:g}; give a later end")
    return Asked(clip, tuple(captions), start, end)


def request_for(clip: Path | None, start: float | None = None, end: float | None = None) -> Request:
    """What evaluators are asked about."""
    if clip is None:
        return Request(Task.SHORT_TO_PROMPT, short=NO_IDEA)
    return Request(Task.VIDEO_TO_PROMPT, video=clip, start=start, end=end)


def read_captions(lines: Sequence[str], where: str, say: Callable[[str], None]) -> Iterator[str]:
    """One caption for each line that is not blank; `say` is told how many were."""
    blank = 0
    rows = (
        lines[:-1] if lines and not lines[-1].strip() else lines
    )  # nothing stands behind the last line break
    for line in rows:
        if text := line.strip():
            yield text
        else:
            blank += 1
    if blank:
        say(f"skipped {blank} blank lines of {where}")


def check_videos(identities: Sequence[EvaluatorIdentity], clip: str | None) -> None:
    """Nothing.

    Raises:
        InputError: an evaluator looks at clips, and there is none.
    """
    blind = [one.name for one in identities if one.needs_video]
    if clip is None and blind:
        raise InputError(
            f"{', '.join(blind)} cannot judge a text without its clip; give the clip, or --evaluator rubric or judge"
        )


def _check_clip(clip: str, usage: str, command: str) -> None:
    if clip == "-":
        raise InputError(
            f"the clip cannot come from stdin, captions can; write: vidprompter {command} CLIP -"
        )
    if os.path.lexists(clip):
        if os.path.isdir(clip):  # noqa: PTH112
            raise InputError(
                f"{show(clip)} is a folder; give one clip, or --captions FILE for the rows of many clips"
            )
        return
    if " " in clip.strip() and not _is_clip_name(clip):
        raise InputError(
            f"there is no clip {show(clip)}; the clip comes first, then its captions: {usage}; "
            f"texts without a clip take --no-clip"
        )
    raise InputError(f"there is no clip {show(clip)}; check the path")


def _checked(text: str, number: int, command: str) -> str:
    if not text.strip():
        raise InputError(f"caption {number} is empty; write what is seen in the clip")
    if _is_clip_name(text) and os.path.lexists(text):
        raise InputError(
            f"caption {number} is the file {show(text)}; {command} takes one clip and then captions: "
            f"rows of many clips come with --captions FILE"
        )
    return text


def _is_clip_name(text: str) -> bool:
    return Path(text).suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES
