"""Rows and their clips as a WebDataset shard: a tar with one sample for each row that is done."""

from __future__ import annotations

import heapq
import json
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from batch.inputs.stored import open_clip
from batch.inputs.tarscan import Stored, Unusable, open_plain, scan_tar
from batch.outputs.mark import Mark
from batch.outputs.parts import PART_BYTES, PART_ROWS, PART_SECONDS, PartedOutput, Say
from batch.outputs.tarwrite import TarWriter, comment_of
from vidprompter.errors import InputError
from vidprompter.runs.output import Row
from vidprompter.video.files import show

OpenClip = Callable[[str], BinaryIO]
_COMMENT = "vidprompter "
_PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}")


class TarOutput(PartedOutput):
    """An output as one tar; the clips of done rows of whole files are copied into it.

    open_clip: gives the bytes of the clip that a row names by its `path`, or raises OSError.
    """

    def __init__(
        self,
        path: Path,
        *,
        open_clip: OpenClip = open_clip,
        part_rows: int = PART_ROWS,
        part_seconds: float = PART_SECONDS,
        part_bytes: int = PART_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            path,
            TarForm(open_clip),
            part_rows=part_rows,
            part_seconds=part_seconds,
            part_bytes=part_bytes,
            clock=clock,
        )


class TarForm:
    """How rows become a tar: `000000042.mp4`, `000000042.txt` (the prompt), `000000042.json` (the row).

    The number is the row's place. Rows of a stretch have no video: it would be the whole file's. Where an
    earlier file has the sample of just this row, its bytes are taken: the clip may be gone, or changed.
    """

    suffix = ".tar"

    def __init__(self, open_clip: OpenClip) -> None:
        self._open_clip = open_clip

    def mark(self, path: Path) -> Mark | None:
        """What the archive's header says of its rows; None if it is no archive of this program."""
        try:
            with open_plain(str(path)) as file:
                comment = comment_of(file)
        except OSError:
            return None
        return Mark.from_text(comment.removeprefix(_COMMENT)) if comment else None

    def weight(self, row: Row) -> int:
        """The size of the row's clip, 0 if it cannot be had."""
        clip = clip_name(json.loads(row.text))
        if clip is None:
            return 0
        try:
            with self._open_clip(clip) as file:
                return file.seek(0, 2)
        except OSError:
            return 0

    def write(
        self, file: BinaryIO, rows: Iterator[Row], *, mark: Mark, sources: Sequence[Path], say: Say
    ) -> None:
        """Writes sample after sample; tells at the end how many have no video though they should."""
        missing = _Missing()
        tar = TarWriter(file, _COMMENT + mark.to_text())
        with closing(_Earlier(sources, say)) as earlier:
            for row in rows:
                fields = json.loads(row.text)
                if fields.get("status") == "done":
                    self._write_sample(tar, row, fields, earlier.sample_of(row), missing)
        tar.end()
        missing.tell(say)

    def _write_sample(
        self, tar: TarWriter, row: Row, fields: dict[str, Any], earlier: _Sample | None, missing: _Missing
    ) -> None:
        key = f"{row.seq:09d}"
        clip = clip_name(fields)
        if clip is not None:
            error = self._add_earlier(tar, key, earlier) and self._add_clip(tar, key, clip)
            if error:
                missing.note(clip, error)
        tar.add(f"{key}.txt", str(fields.get("prompt") or "").encode("utf-8", "backslashreplace"))
        tar.add(f"{key}.json", row.text.encode("utf-8", "backslashreplace"))

    def _add_earlier(self, tar: TarWriter, key: str, earlier: _Sample | None) -> OSError | None:
        if earlier is None or earlier.video is None:
            return OSError("no earlier sample has it")
        suffix = PurePosixPath(earlier.video.name).suffix
        try:
            source = open_plain(str(earlier.path))
        except OSError as error:
            return error
        with source:
            source.seek(earlier.video.offset)
            return tar.add_from(key + suffix, source, earlier.video.size)

    def _add_clip(self, tar: TarWriter, key: str, clip: str) -> OSError | None:
        try:
            source = self._open_clip(clip)
            size = source.seek(0, 2)
        except OSError as error:
            return error
        with source:
            source.seek(0)
            return tar.add_from(key + member_suffix(clip), source, size)


def clip_name(fields: dict[str, Any]) -> str | None:
    """The clip that belongs to the row's sample, None for a stretch or a row that is not done."""
    is_whole = fields.get("start") is None and fields.get("end") is None
    path = fields.get("path")
    return path if fields.get("status") == "done" and is_whole and isinstance(path, str) else None


def member_suffix(clip: str) -> str:
    """`.mp4` for `a.MP4`; `.bin` where the suffix is none that a member can have beside its texts."""
    suffix = PurePosixPath(clip).suffix.lower()
    return suffix if _PLAIN_SUFFIX.fullmatch(suffix) and suffix not in (".txt", ".json") else ".bin"


@dataclass
class _Missing:
    """Clips that could not be copied."""

    count: int = 0
    first: str = ""

    def note(self, clip: str, error: OSError) -> None:
        self.first = self.first or f"{show(clip)}: {error.strerror or error}"
        self.count += 1

    def tell(self, say: Say) -> None:
        if self.count:
            say(f"{self.count} samples have texts and no video, which could not be read ({self.first})")


@dataclass
class _Sample:
    """A sample of an earlier file."""

    seq: int
    path: Path
    video: Stored | None = None
    row: Stored | None = None

    def holds(self, row: Row) -> bool:
        """Whether it was made of just this row."""
        text = row.text.encode("utf-8", "backslashreplace")
        if self.row is None or self.row.size != len(text):
            return False
        try:
            with open_plain(str(self.path)) as file:
                file.seek(self.row.offset)
                return file.read(self.row.size) == text
        except OSError:
            return False


class _Earlier:
    """The samples of earlier files, by rising place; each is asked for once, in that order."""

    def __init__(self, sources: Sequence[Path], say: Say) -> None:
        # The final file and the parts may overlap: a run was killed between merging and tidying up.
        self._streams = [_samples_in(sources[:1], say), _samples_in(sources[1:], say)]
        self._samples = heapq.merge(*self._streams, key=lambda sample: sample.seq)
        self._next = next(self._samples, None)

    def sample_of(self, row: Row) -> _Sample | None:
        """The sample that was made of just this row, preferably one with a video."""
        found: _Sample | None = None
        while self._next is not None and self._next.seq <= row.seq:
            sample = self._next
            if sample.seq == row.seq and (found is None or found.video is None) and sample.holds(row):
                found = sample
            self._next = next(self._samples, None)
        return found

    def close(self) -> None:
        """Closes the files."""
        for stream in self._streams:
            stream.close()


def _samples_in(paths: Sequence[Path], say: Say) -> Generator[_Sample, None, None]:
    for path in paths:
        again = "samples that it lacks are made again from their clips"
        try:
            with open_plain(str(path)) as file:
                for member in _grouped(file, path):
                    if isinstance(member, Unusable):
                        say(f"{show(path)} {member.reason}; {again}")
                    else:
                        yield member
        except InputError as error:
            say(f"{error}; {again}")
        except OSError as error:
            say(f"{show(path)} cannot be read ({error.strerror}); {again}")


def _grouped(file: BinaryIO, path: Path) -> Iterator[_Sample | Unusable]:
    sample: _Sample | None = None
    for member in scan_tar(file, show(path)):
        if isinstance(member, Unusable):
            yield member
            continue
        pure = PurePosixPath(member.name)
        if not pure.stem.isdecimal():
            continue
        if sample is None or sample.seq != int(pure.stem):
            if sample is not None:
                yield sample
            sample = _Sample(int(pure.stem), path)
        if pure.suffix == ".json":
            sample.row = member
        elif pure.suffix != ".txt":
            sample.video = member
    if sample is not None:
        yield sample
