"""Clips inside tar archives: WebDataset shards and plain tars. They are read where they lie."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from batch.inputs.entry import ClipEntry, Member
from batch.inputs.sidecar import MAX_SHORT_CHARACTERS, checked_seconds, checked_short
from batch.inputs.stored import ARCHIVE_SUFFIX, on_disk, open_clip
from batch.inputs.tarscan import Namer, Stored, Unusable, is_clip, open_plain, scan_tar
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.video.files import show

__all__ = ["ARCHIVE_SUFFIX", "on_disk", "open_clip", "read_archive"]

_TEXT_BYTES = 4 * MAX_SHORT_CHARACTERS + 4
_JSON_BYTES = 1 << 20
_SAMPLE_MEMBERS = 1000  # a sample larger than this is a plain tar whose names begin alike


def read_archive(path: str, use_texts: bool, say: Callable[[str], None]) -> Iterator[ClipEntry]:
    """The clips of a tar, one entry each, in its order; only headers and texts are read.

    Members of one name up to the first dot that follow each other are one sample, as WebDataset has it. Its
    `.json` may hold `start` and `end` (seconds). With `use_texts`, the short description is the `short` of
    the `.json`, or its `caption`, or the `.txt`. Where the archive breaks, an entry with that problem comes
    last. `say` is told what was left out.

    Raises:
        InputError: it cannot be opened, is compressed, or is no tar.
    """
    reader = _Reader(path, use_texts)
    try:
        file = open_plain(path)
    except OSError as error:
        raise InputError(f"{show(path)} cannot be read ({error.strerror}); check the path") from None
    with file:
        yield from reader.entries(file)
    if reader.left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in reader.left_out.most_common(5))
        say(f"left out {sum(reader.left_out.values())} members of {show(path)} ({kinds})")


@dataclass
class _Sample:
    """Members that stand together."""

    key: str
    clips: list[tuple[str, Stored | Unusable]] = field(default_factory=list)
    texts: list[Stored] = field(default_factory=list)


class _Reader:
    def __init__(self, path: str, use_texts: bool) -> None:
        self.left_out: Counter[str] = Counter()
        self._path = path
        self._root = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
        self._use_texts = use_texts

    def entries(self, file: BinaryIO) -> Iterator[ClipEntry]:
        """The clips of the archive."""
        sample = _Sample("")
        namer = Namer()
        damage: Unusable | None = None
        for member in scan_tar(file, show(self._path)):
            if isinstance(member, Unusable) and member.name is None:
                damage = member
                break
            assert member.name is not None
            key = sample_key(member.name)
            if key != sample.key or len(sample.clips) + len(sample.texts) >= _SAMPLE_MEMBERS:
                yield from self._clips_of(sample, file)
                sample = _Sample(key)
            self._put(sample, member, namer)
        yield from self._clips_of(sample, file)
        if damage is not None:
            yield ClipEntry(self._path, self._root, listed=True, problem=self._problem(damage))

    def _put(self, sample: _Sample, member: Stored | Unusable, namer: Namer) -> None:
        assert member.name is not None
        pure = PurePosixPath(member.name)
        suffix = pure.suffix.lower()
        if is_clip(member):
            sample.clips.append((namer(member.name), member))
        elif pure.name.startswith("."):
            self.left_out["hidden"] += 1
        elif suffix in (".txt", ".json") and isinstance(member, Stored):
            sample.texts.append(member)
        else:
            self.left_out[suffix or "without suffix"] += 1

    def _clips_of(self, sample: _Sample, file: BinaryIO) -> Iterator[ClipEntry]:
        used: set[str] = set()
        for name, clip in sample.clips:
            path = f"{self._path}/{name}"
            if isinstance(clip, Unusable):
                yield ClipEntry(path, self._root, listed=True, problem=self._problem(clip))
                continue
            member = Member(self._path, clip.name, clip.offset, clip.size)
            texts = _texts_for(clip.name, sample.texts)
            used.update(text.name for text in texts.values())
            try:
                short, start, end = self._described(texts, file)
            except VidPrompterError as error:
                yield ClipEntry(path, self._root, listed=True, problem=error, member=member)
                continue
            yield ClipEntry(path, self._root, short, start, end, listed=True, member=member)
        unused = Counter(PurePosixPath(t.name).suffix.lower() for t in sample.texts if t.name not in used)
        self.left_out.update({f"{kind} without a clip": number for kind, number in unused.items()})

    def _described(
        self, texts: dict[str, Stored], file: BinaryIO
    ) -> tuple[str | None, float | None, float | None]:
        """Short description, start and end."""
        fields = self._fields(texts[".json"], file) if ".json" in texts else {}
        where = f"{show(texts['.json'].name)} in {show(self._path)}" if fields else ""
        start, end = _seconds(fields, "start", where), _seconds(fields, "end", where)
        if end is not None and end <= (start or 0.0):
            raise InputError(f"{where}: end {end} is not after start {start or 0.0}")
        if not self._use_texts:
            return None, start, end
        for name in ("short", "caption"):
            if isinstance(fields.get(name), str):
                return checked_short(fields[name], f"{where}: {name!r}"), start, end
        if "short" in fields or ".txt" not in texts:  # `short: null` of a row of ours says that there is none
            return None, start, end
        return self._text(texts[".txt"], file), start, end

    def _fields(self, member: Stored, file: BinaryIO) -> dict[str, Any]:
        if member.size <= _JSON_BYTES:
            try:
                fields = json.loads(_bytes_of(file, member, _JSON_BYTES))
            except (ValueError, RecursionError):
                fields = None
            if isinstance(fields, dict):
                return fields
        self.left_out[".json that holds no object"] += 1
        return {}

    def _text(self, member: Stored, file: BinaryIO) -> str | None:
        where = f"{show(member.name)} in {show(self._path)}"
        try:
            text = _bytes_of(file, member, _TEXT_BYTES).decode("utf-8-sig")
        except ValueError:
            raise InputError(f"{where} is not UTF-8 text, or too long; see --no-sidecar") from None
        return checked_short(text, where)

    def _problem(self, damage: Unusable) -> InputError:
        where = f"{show(self._path)}: {show(damage.name)}" if damage.name is not None else show(self._path)
        advice = "get the archive again, or make it anew; what stands before that place is used"
        if not damage.last:
            advice = "store the file itself"
        return InputError(f"{where} {damage.reason}; {advice}")


def sample_key(name: str) -> str:
    """The part of a member's name that its sample shares: up to the first dot after the last slash."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.split(".", 1)[0]


def _texts_for(clip: str, texts: list[Stored]) -> dict[str, Stored]:
    """The `.txt` and `.json` of a clip: those of just its name stand above those of its sample."""
    found: dict[str, Stored] = {}
    for stem in (sample_key(clip), str(PurePosixPath(clip).with_suffix(""))):
        for text in texts:
            pure = PurePosixPath(text.name)
            if str(pure.with_suffix("")) == str(PurePosixPath(stem)):
                found[pure.suffix.lower()] = text
    return found


def _seconds(fields: dict[str, Any], name: str, where: str) -> float | None:
    return checked_seconds(fields.get(name), f"{where}: {name!r}")


def _bytes_of(file: BinaryIO, member: Stored, most: int) -> bytes:
    file.seek(member.offset)
    return file.read(min(member.size, most))
