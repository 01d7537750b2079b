"""Files that are there whole or not at all, and the one line that says why a file could not be written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vidprompter.errors import OutputError
from vidprompter.video.files import show


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise for `error`, which writing `path` met."""
    reason = error.strerror or str(error) or type(error).__name__
    return OutputError(
        f"{show(path)} cannot be written ({reason}); nothing that was finished is lost: "
        f"put that right and run the same command again"
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """The disk's errors as ours; `path` is what the line names."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def write_whole(path: Path, write: Callable[[BinaryIO], None], *, flush: bool = True) -> None:
    """Makes `path` hold what `write` writes: a temporary file beside it, flushed to the disk, then renamed.

    Readers see the old file or the new one. On any error the old file stays and the temporary one goes.
    flush: wait until the disk has it, so that a power cut leaves no empty file.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """
    temporary = path.with_name(temporary_name(path.name))
    try:
        with temporary.open("wb") as file:
            write(file)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if flush:
            sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def temporary_name(name: str) -> str:
    """The name of the temporary file of `name`. One run writes it at a time, so a killed one's is used again."""
    kept = os.fsdecode(os.fsencode(name)[:200])  # names have 255 bytes at most
    return f".{kept}.vidprompter-tmp"


def sync_folder(folder: Path) -> None:
    """Flushes the names in `folder` to the disk, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
