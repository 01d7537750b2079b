"""Where the text of a row goes: beside its clip, or under a folder that mirrors the clips' folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from batch.inputs.stored import ARCHIVE_SUFFIX, split_archive

NAME_BYTES = 255  # of a file name, on the file systems in use


class Spot(NamedTuple):
    """path: the text file, absolute; below: folders under it may be made, None: none (a vanished disk)."""

    path: Path
    below: Path | None


Place = Callable[[Mapping[str, Any]], Spot]


def beside(row: Mapping[str, Any]) -> Spot:
    """`clip.txt` beside `clip.mp4`; for a clip in `shard.tar` in the folder `shard` beside that."""
    inside = split_archive(row["path"])
    if inside is None:
        return Spot(_named(Path(os.path.abspath(row["path"])), row), None)  # noqa: PTH100
    archive = Path(os.path.abspath(inside[0]))  # noqa: PTH100
    folder = archive.with_name(archive.name[: -len(ARCHIVE_SUFFIX)] or "shard")
    return Spot(_named(folder / inside[1], row), archive.parent)


def under(folder: Path, roots: Sequence[Path]) -> Place:
    """Places under `folder`, by the clips' paths from `roots`, or from what holds all of them.

    A clip from elsewhere keeps its whole path under `folder`.
    """
    top = Path(os.path.abspath(folder))  # noqa: PTH100
    base = Path(os.path.commonpath([os.path.abspath(root) for root in roots])) if roots else Path.cwd()  # noqa: PTH100

    def place(row: Mapping[str, Any]) -> Spot:
        clip = Path(os.path.abspath(row["path"]))  # noqa: PTH100
        mirrored = clip.relative_to(base if clip.is_relative_to(base) else clip.anchor)
        return Spot(_named(top / mirrored, row), top)

    return place


def names_of(spot: Spot, row: Mapping[str, Any]) -> Iterator[Path]:
    """Names for the text, best first: `a.txt`, then `a.mov.txt`, `a.mov.2.txt` ... where others have those."""
    clip = Path(row["path"])
    if spot.path != Path(os.path.abspath(clip)):  # noqa: PTH100 - a clip that is called .txt
        yield spot.path
    yield spot.path.with_name(_short_enough(clip.name, f"{_ending(row)}.txt"))
    for number in count(2):
        yield spot.path.with_name(_short_enough(clip.name, f"{_ending(row)}.{number}.txt"))


def _named(clip: Path, row: Mapping[str, Any]) -> Path:
    return clip.with_name(_short_enough(clip.stem, f"{_ending(row)}.txt"))


def _short_enough(stem: str, ending: str) -> str:
    """The name; a stem that file systems would refuse is cut and gets a hash."""
    if len(os.fsencode(stem + ending)) <= NAME_BYTES:
        return stem + ending
    mark = "-" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:12] + ending
    return os.fsdecode(os.fsencode(stem)[: NAME_BYTES - len(mark)]) + mark


def _ending(row: Mapping[str, Any]) -> str:
    """What tells the rows of one clip apart: `.0.000-4.200` for a stretch, `.v1` for the second prompt."""
    start, end, variant = row.get("start"), row.get("end"), row.get("variant")
    ending = ""
    if start is not None or end is not None:
        ending = f".{start or 0.0:.3f}-{'end' if end is None else f'{end:.3f}'}"
    return f"{ending}.v{variant}" if variant else ending
