"""Everything the user gave on the command line, as one stream of clips."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePath

from batch.inputs.entry import ClipEntry
from batch.inputs.manifest import MANIFEST_SUFFIXES, read_manifest
from batch.inputs.scan import MEDIA_SUFFIXES, natural_key, scan_folder
from batch.inputs.sidecar import read_sidecar
from vidprompter.errors import InputError
from vidprompter.video.files import show

_NO_CLIPS = frozenset((".txt", ".json", ".md", ".log", ".sqlite"))


@dataclass(frozen=True)
class Given:
    """The command line's share. paths: folders, files, globs, manifests, "-"; lines: what stdin holds."""

    paths: Sequence[str]
    lines: Iterable[str] = ()
    short: str | None = None
    use_sidecars: bool = True
    limit: int | None = None


def collect_clips(given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    """The clips, in the order given; folders and globs in natural order.

    A clip that folders, globs and files name twice comes once; every line of a list is its own.
    `short` stands above a list's column, that above a sidecar.

    Raises:
        InputError: nothing there, nothing found, or a file that is no list and no clip.
    """
    for path in given.paths:  # a mistyped argument should not wait until the others are done
        if path != "-" and not os.path.lexists(path) and not glob.has_magic(path):
            raise InputError(f"no such file or folder: {show(path)}; check the path")
    entries = (_described(entry, given) for entry in _once(_all(given, say), say))
    return islice(entries, given.limit)


def _all(given: Given, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    for path in given.paths:
        found = 0
        for entry in _one(path, given.lines, say):
            found += 1
            yield entry
        if not found:
            raise InputError(f"no videos or pictures in {'the list on stdin' if path == '-' else show(path)}")


def _one(path: str, lines: Iterable[str], say: Callable[[str], None]) -> Iterator[ClipEntry]:
    if path == "-":
        return _listed(lines)
    if os.path.isdir(path):  # noqa: PTH112
        root = os.path.abspath(path)  # noqa: PTH100
        return (ClipEntry(_tidy(clip), root) for clip in scan_folder(path, say))
    if os.path.lexists(path):
        return _file(path, say)
    return _globbed(path, say)


def _file(path: str, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    suffix = PurePath(path).suffix.lower()
    if suffix in MANIFEST_SUFFIXES:
        return read_manifest(path, say)
    if suffix in _NO_CLIPS:
        raise InputError(
            f"{show(path)} is no video, picture or manifest ({', '.join(sorted(MANIFEST_SUFFIXES))}); "
            f"a plain list of paths goes to stdin: vidprompter caption - < list.txt"
        )
    return iter([ClipEntry(path, _folder(path))])


def _globbed(pattern: str, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    matches = sorted(glob.glob(pattern, recursive=True), key=natural_key)  # noqa: PTH207 - absolute patterns too
    if not matches:
        raise InputError(f"nothing matches {show(pattern)}; check the pattern")
    root = os.path.abspath(_plain_start(pattern))  # noqa: PTH100
    for match in matches:
        suffix = PurePath(match).suffix.lower()
        if suffix in MEDIA_SUFFIXES:
            yield ClipEntry(match, root)
        elif os.path.isdir(match) and "**" not in pattern:  # noqa: PTH112 - ** lists the contents by itself
            yield from (ClipEntry(_tidy(clip), root) for clip in scan_folder(match, say))
        elif suffix in MANIFEST_SUFFIXES:
            yield from read_manifest(match, say)


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
            yield ClipEntry(path, _folder(path), listed=True)


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


def _described(entry: ClipEntry, given: Given) -> ClipEntry:
    if entry.problem is not None:
        return entry
    if given.short is not None:
        return replace(entry, short=given.short)
    if entry.short is not None or not given.use_sidecars:
        return entry
    try:
        short = read_sidecar(entry.path)
    except InputError as error:
        return replace(entry, problem=error)
    return replace(entry, short=short) if short else entry


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120


def _tidy(path: str) -> str:
    """`./a.mp4` as `a.mp4`."""
    return path[2:] if path.startswith("./") else path
