"""What a file is, before any decoder touches it: a video, a picture, or a typed error."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from vidprompter.errors import EmptyVideo, NotAVideoFile, VideoNotFound, VideoUnreadable

Kind = Literal["video", "image"]

_VIDEO_ENDINGS = """
mp4 m4v mov qt mkv webm avi divx mpg mpeg vob ts m2ts mts wmv asf flv f4v 3gp 3g2 ogv mxf y4m ivf dv nut
h264 264 h265 265 hevc
"""
_IMAGE_ENDINGS = "jpg jpeg jpe png apng webp bmp gif tif tiff ppm pgm"
VIDEO_SUFFIXES = frozenset(f".{ending}" for ending in _VIDEO_ENDINGS.split())
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in _IMAGE_ENDINGS.split())

_IMAGE_MAGIC = (
    (b"\xff\xd8\xff", "JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "PNG picture"),
    (b"GIF87a", "GIF picture"),
    (b"GIF89a", "GIF picture"),
    (b"II*\x00", "TIFF picture"),
    (b"MM\x00*", "TIFF picture"),
)
_OTHER_MAGIC = (
    (b"PK\x03\x04", "a zip archive (or an office document)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x93NUMPY", "a numpy array"),
)
_CONTAINER_MAGIC = (
    (b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (b"OggS", "Ogg"),
    (b"FLV\x01", "Flash video"),
    (b"0&\xb2u\x8ef\xcf\x11", "Windows Media"),
    (b"\x00\x00\x01\xba", "MPEG program stream"),
    (b"\x00\x00\x01\xb3", "MPEG video"),
    (b"YUV4MPEG2 ", "YUV4MPEG"),
    (b"DKIF", "IVF"),
)
_ISO_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof", b"pnot"))
_HEAD_BYTES = 65536
_ZERO_SCAN_BYTES = 256 << 20
_SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def show(path: str | Path) -> str:
    """The path as messages show it: on one line, quotes and line breaks escaped, very long ones cut."""
    text = repr(os.fsdecode(path))
    return text if len(text) <= 300 else f"{text[:140]}...{text[-140:]}"


def identify(path: Path) -> Kind:
    """Says whether to read `path` as a video or as a picture; looks at the file's own bytes, never blocks.

    Raises:
        VideoNotFound: no such file, or a dangling link.
        VideoUnreadable: permission or I/O says no.
        NotAVideoFile: a folder, pipe, device, text, archive, or a picture under a video's name.
        EmptyVideo: zero bytes, or nothing but zeros.
    """
    size = _regular_size(path)
    if size == 0:
        raise EmptyVideo(f"{show(path)} is empty (0 bytes); copy or download it again")
    head = _read_head(path)
    if not any(head) and _all_zero(path, size):
        raise EmptyVideo(f"{show(path)} holds {size} zero bytes and nothing else; copy or download it again")
    suffix = path.suffix.lower()
    picture = _image_name(head)
    if picture is not None:
        if suffix in VIDEO_SUFFIXES:
            raise NotAVideoFile(f"{show(path)} is a {picture} under a video's name; rename it to use it")
        return "image"
    other = _other_name(head)
    if other is not None:
        raise NotAVideoFile(f"{show(path)} is {other}, not a video; leave it out of the list")
    if suffix in IMAGE_SUFFIXES and container_name(head) is None:
        # Formats without a clear signature (PPM, odd BMP) are Pillow's to judge.
        return "image"
    return "video"


def container_name(head: bytes) -> str | None:
    """The video container that these first bytes belong to, or None."""
    if head[4:8] in _ISO_BOXES:
        return "MP4 or QuickTime"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if any(all(head[at : at + 1] == b"G" for at in range(lead, lead + 188 * 3, 188)) for lead in (0, 4)):
        return "MPEG transport stream"
    return next((name for magic, name in _CONTAINER_MAGIC if head.startswith(magic)), None)


def container_of(path: Path) -> str | None:
    """`container_name` of the file at `path`."""
    return container_name(_read_head(path))


def lacks_index(path: Path) -> bool:
    """True for an MP4 or QuickTime file whose top level holds no complete `moov` or `moof` box."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return not any(name in (b"moov", b"moof") and end <= size for name, end in _boxes(file, size))
    except OSError:
        return False


def is_cut_off(path: Path) -> bool:
    """True where the container says that it is longer than the file: MP4, QuickTime, Matroska, WebM, AVI."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            name = container_name(head)
            if name == "AVI":
                return int.from_bytes(head[4:8], "little") + 8 > size
            if name == "Matroska or WebM":
                return _segment_end(head) > size
            return name == "MP4 or QuickTime" and any(end > size for _, end in _boxes(file, size))
    except OSError:
        return False


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Names and ends of the top-level boxes of an MP4; the last may end behind `size`."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length == 0:  # up to the end of the file
            length = size - at
        if length < 8:
            return
        at += length
        yield name, at


def _segment_end(head: bytes) -> int:
    """Where the one segment of a Matroska file ends; 0 where it does not say (a live recording)."""
    after_id = 4
    length, width = _ebml_size(head, after_id)
    at = after_id + width + length
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return 0
    length, width = _ebml_size(head, at + 4)
    is_unknown = length == (1 << 7 * width) - 1
    return 0 if is_unknown or not width else at + 4 + width + length


def _ebml_size(head: bytes, at: int) -> tuple[int, int]:
    """The variable-length number at `at`, and how many bytes it takes (0: none there)."""
    first = head[at] if at < len(head) else 0
    if first == 0:
        return 0, 0
    width = 9 - first.bit_length()
    return int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1), width


def _regular_size(path: Path) -> int:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            target = os.fspath(path.readlink())
            raise VideoNotFound(f"{show(path)} is a link to {show(target)}, which does not exist") from None
        raise VideoNotFound(f"{show(path)} does not exist; check the path") from None
    except ValueError as error:
        raise VideoNotFound(f"{show(path)} is not a possible file name ({error})") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise VideoNotFound(f"{show(path)} leads nowhere ({error.strerror})") from None
        raise _unreadable(path, error) from None
    for is_special, what in _SPECIAL:
        if is_special(found.st_mode):
            raise NotAVideoFile(f"{show(path)} is {what}, not a video file; leave it out of the list")
    return found.st_size


def _read_head(path: Path) -> bytes:
    try:
        # O_NONBLOCK: the file may have become a pipe since it was looked at.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from None


def _all_zero(path: Path, size: int) -> bool:
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                if any(chunk):
                    return False
                if file.tell() >= _ZERO_SCAN_BYTES:
                    file.seek(max(file.tell(), size - (1 << 20)))
                    return not any(file.read(1 << 20))
    except OSError as error:
        raise _unreadable(path, error) from None
    return True


def _unreadable(path: Path, error: OSError) -> VideoUnreadable:
    reason = error.strerror or type(error).__name__
    return VideoUnreadable(f"{show(path)} cannot be read ({reason}); check its permissions and its disk")


def _image_name(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP picture"
    if head[:2] == b"BM" and len(head) >= 26 and head[6:10] == b"\0\0\0\0":
        return "BMP picture"
    return next((name for magic, name in _IMAGE_MAGIC if head.startswith(magic)), None)


def _other_name(head: bytes) -> str | None:
    archive = next((name for magic, name in _OTHER_MAGIC if head.startswith(magic)), None)
    return archive or _text_name(head)


def _text_name(head: bytes) -> str | None:
    """What kind of text this is. A playlist counts: a decoder would follow it to other files and hosts."""
    if head.startswith(b"YUV4MPEG2 "):
        return None
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            text = head[: len(head) // 2 * 2].decode("utf-16")
        except UnicodeDecodeError:
            return None
    else:
        try:
            text = head.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # A character cut in two at the end of the head is still text.
            if error.start < len(head) - 4 or len(head) < _HEAD_BYTES:
                return None
            text = head[: error.start].decode("utf-8-sig")
    if any(ord(letter) < 32 and letter not in "\t\n\r\f\x1b" for letter in text):
        return None
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html")) or "<html" in start:
        return "a web page (HTML)"
    if start.startswith("<svg") or "<svg" in start:
        return "an SVG drawing"
    if start.startswith("<"):
        return "an XML file"
    if start.startswith(("{", "[")):
        return "a JSON file"
    if start.startswith("#extm3u"):
        return "a playlist"
    if start.startswith("version https://git-lfs"):
        return "a Git LFS pointer (run `git lfs pull`)"
    return "a text file"
