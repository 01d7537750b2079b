"""Everything the user gave on the command line, as one stream of clips."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from batch.inputs.entry import ClipEntry
from batch.inputs.manifest import MANIFEST_SUFFIXES, folder_of, read_manifest
from batch.inputs.scan import MEDIA_SUFFIXES, natural_key, scan_folder
from batch.inputs.sidecar import read_sidecar
from vidprompter.errors import InputError
from vidprompter.video.files import show

ARCHIVE_SUFFIX = ".tar"
_NO_CLIPS = frozenset((".txt", ".json", ".md", ".log", ".sqlite"))


@dataclass(frozen=True)
class Given:
    """The command line's share.

    paths: folders, files, globs, manifests, archives, "-"; lines: what stdin holds, read as it is needed.
    columns: of manifests, ours to theirs (see `parse_columns`).
    """

    paths: Sequence[str]
    lines: Iterable[str] = ()
    short: str | None = None
    use_sidecars: bool = True
    limit: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def collect_clips(given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    """The clips, in the order given; folders and globs in natural order. Lists are read as they are needed.

    A clip that folders, globs and files name twice comes once; every line of a list is its own.
    `short` stands above a list's column, that above a sidecar.

    Raises:
        InputError: nothing there, nothing found, or a file that is no list and no clip.
    """
    for path in given.paths:  # a mistyped argument should not wait until the others are done
        if path != "-" and not os.path.lexists(path) and not glob.has_magic(path):
            raise InputError(f"no such file or folder: {show(path)}; check the path")
    entries = _all(given, say)
    if _can_repeat(given.paths):
        entries = _once(entries, say)
    return islice(_described(entries, given), given.limit)


def _can_repeat(paths: Sequence[str]) -> bool:
    """Whether to remember all clips. A folder, list or archive by itself names none twice, or means it."""
    return len(paths) > 1 or any(path != "-" and not os.path.lexists(path) for path in paths)


def _all(given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    for path in given.paths:
        found = False
        for entry in _one(path, given, say):
            found = True
            yield entry
        if not found:
            raise InputError(f"no videos or pictures in {'the list on stdin' if path == '-' else show(path)}")


def _one(path: str, given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    if path == "-":
        return _listed(given.lines)
    if os.path.isdir(path):  # noqa: PTH112
        return _scanned(path, os.path.abspath(path), say)  # noqa: PTH100
    if os.path.lexists(path):
        return _file(path, given, say)
    return _globbed(path, given, say)


def _scanned(folder: str, root: str, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    # `./a.mp4` as `a.mp4`
    start = 2 if folder == "." or folder.startswith("./") else 0
    return (ClipEntry(clip[start:], root) for clip in scan_folder(folder, say))


def _file(path: str, given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    suffix = _suffix(path)
    if suffix in MANIFEST_SUFFIXES:
        return read_manifest(path, say, given.columns)
    if suffix == ARCHIVE_SUFFIX:
        return _archived(path, given, say)
    if suffix in _NO_CLIPS:
        raise InputError(
            f"{show(path)} is no video, picture, archive (.tar) or manifest "
            f"({', '.join(sorted(MANIFEST_SUFFIXES))}); "
            f"a plain list of paths goes to stdin: vidprompter caption - < list.txt"
        )
    return iter([ClipEntry(path, folder_of(path))])


def _globbed(pattern: str, given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    matches = sorted(glob.glob(pattern, recursive=True), key=natural_key)  # noqa: PTH207 - absolute patterns too
    if not matches:
        raise InputError(f"nothing matches {show(pattern)}; check the pattern")
    root = os.path.abspath(_plain_start(pattern))  # noqa: PTH100
    for match in matches:
        suffix = _suffix(match)
        if suffix in MEDIA_SUFFIXES:
            yield ClipEntry(match, root)
        elif os.path.isdir(match):  # noqa: PTH112
            if "**" not in pattern:  # which lists the contents by itself
                yield from _scanned(match, root, say)
        elif suffix in MANIFEST_SUFFIXES:
            yield from read_manifest(match, say, given.columns)
        elif suffix == ARCHIVE_SUFFIX:
            yield from _archived(match, given, say)


def _archived(path: str, given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    from batch.inputs.archive import read_archive

    return read_archive(path, given.use_sidecars, say)


def _plain_start(pattern: str) -> str:
    """The folder part of a pattern before its first magic character."""
    folder = os.path.dirname(pattern)  # noqa: PTH120
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120
    return folder


def _listed(lines: Iterable[str]) -> Iterator[ClipEntry]:
    for line in lines:
        path = line.rstrip("\r\n")
        if path.strip():
            yield ClipEntry(path, folder_of(path), listed=True)


def _once(entries: Iterable[ClipEntry], say: Callable[[str], None]) -> Iterator[ClipEntry]:
    seen: set[str] = set()
    repeated = 0
    for entry in entries:
        if not entry.listed:
            absolute = os.path.abspath(entry.path)  # noqa: PTH100
            if absolute in seen:
                repeated += 1
                continue
            seen.add(absolute)
        yield entry
    if repeated:
        say(f"{repeated} clips were named twice on the command line and are done once")


def _described(entries: Iterator[ClipEntry], given: Given) -> Iterator[ClipEntry]:
    if given.short is not None:
        for_all = given.short
        return (entry if entry.problem is not None else replace(entry, short=for_all) for entry in entries)
    return map(_with_sidecar, entries) if given.use_sidecars else entries


def _with_sidecar(entry: ClipEntry) -> ClipEntry:
    if entry.short is not None or entry.problem is not None or entry.member is not None:
        return entry
    try:
        short = read_sidecar(entry.path)
    except InputError as error:
        return replace(entry, problem=error)
    return replace(entry, short=short) if short else entry


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122
