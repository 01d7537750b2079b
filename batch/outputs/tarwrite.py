"""A tar written member by member, the same bytes for the same members; memory does not grow with it."""

from __future__ import annotations

import tarfile
from typing import BinaryIO

_COPY_BYTES = 1 << 20


class TarWriter:
    """Writes a tar to a seekable file: mode 0644, owner and times 0. Call `end` last."""

    def __init__(self, file: BinaryIO, comment: str) -> None:
        """comment: stands in the archive's own header, which readers of members never see."""
        self._file = file
        self._members = 0
        file.write(tarfile.TarInfo.create_pax_global_header({"comment": comment}))

    def add(self, name: str, data: bytes) -> None:
        """Adds a file."""
        self._head(name, len(data))
        self._file.write(data)
        self._pad(len(data))

    def add_from(self, name: str, source: BinaryIO, size: int) -> OSError | None:
        """Adds a file of `size` bytes from where `source` stands.

        Gives the error where `source` fails or ends early; then nothing was added.
        """
        begin = self._file.tell()
        self._head(name, size)
        left = size
        while left:
            try:
                chunk = source.read(min(left, _COPY_BYTES))
                if not chunk:
                    raise OSError(0, f"{left} bytes fewer than it had")
            except OSError as error:
                self._file.seek(begin)
                self._file.truncate()
                return error
            self._file.write(chunk)
            left -= len(chunk)
        self._pad(size)
        return None

    def end(self) -> None:
        """Writes the end mark."""
        if not self._members:  # tarfile takes an archive without any member for a broken one
            folder = tarfile.TarInfo("./")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            self._file.write(folder.tobuf(tarfile.PAX_FORMAT))
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        self._file.write(bytes(-self._file.tell() % tarfile.RECORDSIZE))

    def _head(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size = size
        self._members += 1
        self._file.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % tarfile.BLOCKSIZE))


def comment_of(file: BinaryIO) -> str | None:
    """The comment of an archive, None if it has none or is no archive."""
    try:
        with tarfile.TarFile(fileobj=file) as tar:
            return tar.pax_headers.get("comment")
    except (tarfile.TarError, ValueError, OSError):
        return None
