"""Bytes of clips, be they files or members of a tar."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import BinaryIO

from batch.inputs.entry import ClipEntry, Member
from batch.inputs.tarscan import Namer, Stored, is_clip, open_plain, scan_tar
from vidprompter.errors import InputError, VideoNotFound, VideoUnreadable
from vidprompter.video.files import show

ARCHIVE_SUFFIX = ".tar"
_COPY_BYTES = 1 << 20
_TEMPORARY = "vidprompter-clip-"
_ORPHAN_SECONDS = 3600.0


@contextmanager
def on_disk(entry: ClipEntry) -> Iterator[Path]:
    """A path that decoders can open: the clip's own, or a temporary copy of a member with its suffix.

    Raises:
        VideoNotFound: the archive is gone.
        VideoUnreadable: the member cannot be read, or there is no room for the copy.
    """
    if entry.member is None:
        yield Path(entry.path)
        return
    _remove_orphans(os.getpid())
    suffix = PurePosixPath(entry.member.name).suffix
    name = os.fsencode(suffix).decode("ascii", "ignore").replace("/", "")
    try:
        handle, place = tempfile.mkstemp(name, f"{_TEMPORARY}{os.getpid()}-")
    except OSError as error:
        raise VideoUnreadable(
            f"no temporary copy of {show(entry.path)} can be made ({error.strerror}); set TMPDIR to a place with room"
        ) from None
    copy = Path(place)
    try:
        with os.fdopen(handle, "wb") as target:
            _copy_member(entry.member, target, show(entry.path))
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def open_clip(path: str) -> BinaryIO:
    """The bytes of the clip that a row names by `path`, also `shard.tar/name.mp4`; seekable.

    Raises:
        OSError: gone, unreadable, no regular file, or an archive that does not hold it (any more).
    """
    try:
        return open_plain(path)
    except (FileNotFoundError, NotADirectoryError):
        archive, name = split_archive(path) or (None, "")
        if archive is None:
            raise
    info = os.stat(archive)  # noqa: PTH116
    try:
        found = _index(os.path.abspath(archive), info.st_size, info.st_mtime_ns).get(name)  # noqa: PTH100
    except InputError as error:
        raise OSError(str(error)) from None
    if found is None:
        raise FileNotFoundError(2, "the archive does not hold it", path)
    return io.BufferedReader(_Window(open_plain(archive), found.offset, found.size))


def split_archive(path: str) -> tuple[str, str] | None:
    """`shard.tar/name.mp4` as (`shard.tar`, `name.mp4`) where `shard.tar` is a file; None for others."""
    at = path.lower().find(f"{ARCHIVE_SUFFIX}/")
    while at >= 0:
        archive = path[: at + len(ARCHIVE_SUFFIX)]
        if os.path.isfile(archive):  # noqa: PTH113
            return archive, path[len(archive) + 1 :]
        at = path.lower().find(f"{ARCHIVE_SUFFIX}/", at + 1)
    return None


@lru_cache(maxsize=4)
def _index(archive: str, size: int, changed: int) -> dict[str, Stored]:
    """The members of an archive by their names in paths. size, changed: a changed archive is read again."""
    found = {}
    namer = Namer()
    with open_plain(archive) as file:
        for member in scan_tar(file, show(archive)):
            if member.name is not None and is_clip(member):
                name = namer(member.name)
                if isinstance(member, Stored):
                    found[name] = member
    return found


def _copy_member(member: Member, target: BinaryIO, shown: str) -> None:
    try:
        source = open_plain(member.archive)
    except FileNotFoundError:
        raise VideoNotFound(f"{shown}: the archive is not there any more; check the path") from None
    except OSError as error:
        raise VideoUnreadable(f"{shown}: the archive cannot be read ({error.strerror})") from None
    with source, io.BufferedReader(_Window(source, member.offset, member.size)) as window:
        try:
            copyfileobj(window, target, _COPY_BYTES)
            copied = target.tell()
        except OSError as error:
            raise VideoUnreadable(
                f"{shown} cannot be copied out of its archive ({error.strerror}); is there room for temporary files?"
            ) from None
    if copied != member.size:
        raise VideoUnreadable(
            f"{shown}: the archive is shorter than when it was listed; it has changed, so run the same again"
        )


class _Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, (0, self._at, self._size)[whence] + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


@lru_cache(maxsize=1)
def _remove_orphans(_: int) -> None:
    """Removes copies that killed runs left behind; once for each process."""
    with suppress(OSError):
        for copy in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
            with suppress(OSError, ValueError):
                owner = int(copy.name.removeprefix(_TEMPORARY).split("-")[0])
                # The age protects copies of processes that cannot be seen from here (containers).
                if not _alive(owner) and time.time() - copy.stat().st_mtime > _ORPHAN_SECONDS:
                    copy.unlink()


def _alive(process: int) -> bool:
    if os.name != "posix":
        return True  # signal 0 ends a process there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
