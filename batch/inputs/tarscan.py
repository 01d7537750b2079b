"""The files in a tar, by their headers alone; says where a damaged one breaks."""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from batch.inputs.scan import MEDIA_SUFFIXES
from vidprompter.errors import InputError
from vidprompter.video.files import show

_CHUNK = 1 << 20
_PACKED = (
    (b"\x1f\x8b", "gzip", "gunzip"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"\xfd7zXZ\x00", "xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
)
_BROKEN = (tarfile.TarError, ValueError, OverflowError, OSError)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in a tar. name: as stored; offset, size: its bytes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """What cannot be read. name: the file, None if the tar breaks between files. reason: ends a sentence.

    last: the tar breaks here, so that nothing behind it can be read.
    """

    name: str | None
    reason: str
    last: bool = True


def is_clip(member: Stored | Unusable) -> bool:
    """Whether it is to be a clip by its name; so is what is cut off, that it may be told."""
    pure = PurePosixPath(member.name or "")
    if isinstance(member, Unusable) and member.last:
        return True
    return pure.suffix.lower() in MEDIA_SUFFIXES and not pure.name.startswith(".")


class Namer:
    """The names that members have in paths: inside the archive, and each once.

    A member called `../x.mp4` or `/x.mp4` is only a name, but a path made of it would lead elsewhere.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, stored: str) -> str:
        """The name in paths of the next member, which is called `stored`."""
        parts = ["(..)" if part == ".." else part for part in stored.split("/") if part not in ("", ".")]
        name = unique = "/".join(parts) or "(nameless)"
        number = 2
        while unique in self._seen:
            pure = PurePosixPath(name)
            unique = str(pure.with_name(f"{pure.stem}#{number}{pure.suffix}"))
            number += 1
        self._seen.add(unique)
        return unique


def open_plain(path: str) -> BinaryIO:
    """The file, for reading. Never blocks: a pipe or a folder is an OSError like the others."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(handle, "rb")


def scan_tar(file: BinaryIO, shown: str) -> Iterator[Stored | Unusable]:
    """The files in order, folders left out; an `Unusable` comes last where the tar breaks.

    Tars that were joined end to end are read as one. shown: the archive's name in messages.

    Raises:
        InputError: compressed, or no tar at all.
    """
    length = file.seek(0, 2)
    file.seek(0)
    head = file.read(8)
    for magic, kind, tool in _PACKED:
        if head.startswith(magic):
            raise InputError(
                f"{shown} is compressed ({kind}), so that clips cannot be read from its middle; "
                f"unpack it to a plain .tar ({tool}) and give that"
            )
    start: int | None = 0
    while start is not None and start < length:
        start = yield from _one_tar(file, start, length, shown)


def _one_tar(
    file: BinaryIO, start: int, length: int, shown: str
) -> Generator[Stored | Unusable, None, int | None]:
    """Gives the place behind its end mark where the next one starts, None where there is nothing more."""
    file.seek(start)
    try:
        # The class opens plain tars only, wherever the file stands; it never follows what a member says.
        tar = tarfile.TarFile(fileobj=file, encoding="utf-8", errors="surrogateescape")
    except _BROKEN as error:
        if start == 0:
            raise InputError(f"{shown} is no tar archive ({error}); check the file") from None
        yield Unusable(None, f"breaks at byte {start} of {length} ({error})")
        return None
    at = start
    while True:
        try:
            info = tar.next()
        except _BROKEN as error:
            yield Unusable(None, f"breaks at byte {tar.offset} of {length} ({error})")
            return None
        if info is None:
            break
        tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps them all; memory must not grow with the archive
        if info.size < 0 or tar.offset <= at:
            yield Unusable(None, f"breaks at byte {at} of {length} (a size below zero)")
            return None
        at = tar.offset
        if info.isdir():
            continue
        if info.islnk() or info.issym():
            yield Unusable(info.name, f"is a link to {show(info.linkname)} and holds no bytes", last=False)
        elif info.issparse() or not info.isreg():
            yield Unusable(
                info.name, "is stored in a way that cannot be read in place (sparse or special)", last=False
            )
        elif info.offset_data + info.size > length:
            yield Unusable(info.name, f"is cut off: the archive ends at byte {length}")
            return None
        else:
            yield Stored(info.name, info.offset_data, info.size)
    return (yield from _behind(file, tar.offset, length))


def _behind(file: BinaryIO, end: int, length: int) -> Generator[Unusable, None, int | None]:
    """Looks at what stands where no further header was found."""
    file.seek(end)
    block = file.read(tarfile.BLOCKSIZE)
    if not block:  # without an end mark; some writers leave it out
        return None
    if block.strip(b"\0") or len(block) < tarfile.BLOCKSIZE:
        yield Unusable(None, f"breaks at byte {end} of {length} (no header stands there)")
        return None
    at = end
    file.seek(at)
    while chunk := file.read(_CHUNK):
        zeros = len(chunk) - len(chunk.lstrip(b"\0"))
        if zeros < len(chunk):
            return at + zeros - (at + zeros - end) % tarfile.BLOCKSIZE
        at += len(chunk)
    return None
