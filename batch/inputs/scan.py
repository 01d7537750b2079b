"""Clips under a folder, in natural order."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator

from vidprompter.video.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, show

MEDIA_SUFFIXES = VIDEO_SUFFIXES | IMAGE_SUFFIXES
_DIGITS = re.compile(r"\d+")
_OURS = re.compile(r"\.ledger\.|\.summary\.json$")  # beside an output; the texts are sidecars


def natural_key(name: str) -> tuple[str, str]:
    """A sorting key under which `clip2` comes before `clip10`."""
    return _DIGITS.sub(_counted, name.casefold()), name


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
        clips, folders = _listing(folder, ignored)
    except OSError as error:
        say(f"left out {show(folder)}: {error.strerror or type(error).__name__}")
        return
    prefix = os.path.join(folder, "")  # noqa: PTH118
    for name in sorted([*clips, *folders], key=natural_key):
        if name in folders:
            yield from _scan(prefix + name, visited, ignored, say)
        else:
            yield prefix + name


def _listing(folder: str, ignored: Counter[str]) -> tuple[list[str], set[str]]:
    """Names of clips and of folders; names alone, for there may be a million."""
    clips: list[str] = []
    folders: set[str] = set()
    with os.scandir(folder) as listing:
        for entry in listing:
            name = entry.name
            if name.startswith("."):
                continue
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if suffix in MEDIA_SUFFIXES:
                clips.append(name)
            elif _is_folder(entry):
                folders.add(name)
            elif suffix != ".txt" and not _OURS.search(name):
                ignored[suffix] += 1
    return clips, folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _counted(digits: re.Match[str]) -> str:
    """Digits such that a longer number stands behind a shorter one, and any number before any letter."""
    number = str(int(digits[0]))
    return f"\0{chr(len(number))}{number}"
