"""A folder that goes away in mid-run: that is no fault of the clips in it."""

from __future__ import annotations

import os

from batch.caption.jobs import file_of
from batch.inputs.entry import ClipEntry
from vidprompter.errors import FolderVanished, InputError, VideoError, VidPrompterError
from vidprompter.video.files import show


def check_folder(entry: ClipEntry, error: VidPrompterError) -> None:
    """Called when a clip could not be read: says so if its whole folder cannot be.

    Raises:
        FolderVanished: the run should stop, and go on when the folder is back.
    """
    if not isinstance(error, VideoError | InputError) or entry.problem is not None:
        return
    folder = os.path.dirname(os.path.abspath(file_of(entry)))  # noqa: PTH100, PTH120
    if entry.listed and entry.member is None and os.path.isdir(entry.root):  # noqa: PTH112
        return  # a list may name what never was
    why = _missing(folder)
    if why is not None:
        raise FolderVanished(
            f"the folder {show(folder)} has gone away ({why}); nothing that was finished is lost: "
            f"run the same command again when it is back"
        )


def _missing(folder: str) -> str | None:
    try:
        with os.scandir(folder) as content:
            return None if next(content, None) is not None else "it is empty now"
    except OSError as error:
        return error.strerror or type(error).__name__
