"""Clips under a folder, in natural order."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePath

from vidprompter.video.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, show

MEDIA_SUFFIXES = VIDEO_SUFFIXES | IMAGE_SUFFIXES
_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, str, int], ...]:
    """A sorting key under which `clip2` comes before `clip10`."""
    parts = _DIGITS.split(name.casefold())
    folded = ((1, "", int(part)) if part.isdecimal() else (0, part, 0) for part in parts)
    return (*folded, (2, name, 0))


def scan_folder(folder: str, say: Callable[[str], None]) -> Iterator[str]:
    """Paths of videos and pictures under `folder`, which they start with; hidden ones are left out.

    Anything with a media suffix counts, be it a dangling link or a folder: it gets its row and its reason.
    Links to folders are followed, each real folder once. `say` is told what was left out.
    """
    ignored: Counter[str] = Counter()
    yield from _scan(folder, set(), ignored, say)
    if ignored:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in ignored.most_common(5))
        say(f"left out {sum(ignored.values())} files in {show(folder)}, no videos or pictures ({kinds})")


def _scan(
    folder: str, visited: set[tuple[int, int]], ignored: Counter[str], say: Callable[[str], None]
) -> Iterator[str]:
    try:
        here = os.stat(folder)  # noqa: PTH116
        if (here.st_dev, here.st_ino) in visited:
            say(f"left out {show(folder)}: a link to a folder that is read already")
            return
        visited.add((here.st_dev, here.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        say(f"left out {show(folder)}: {error.strerror or type(error).__name__}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        suffix = PurePath(entry.name).suffix.lower()
        if suffix in MEDIA_SUFFIXES:
            yield entry.path
        elif _is_folder(entry):
            yield from _scan(entry.path, visited, ignored, say)
        elif suffix != ".txt" and ".ledger." not in entry.name:  # sidecars, and our own ledger
            ignored[suffix] += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
