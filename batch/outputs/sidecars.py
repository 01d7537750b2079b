"""Prompts as text files of their own, beside the clips or under a folder."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from batch.outputs.placed import Placed, PlacedTexts
from batch.outputs.spots import Place, Spot, beside, names_of, under
from batch.outputs.whole import cannot_write, temporary_name, write_whole, writing
from vidprompter.runs.output import Row, Rows
from vidprompter.video.files import show

__all__ = ["Mode", "Place", "SidecarOutput", "Spot", "beside", "under"]

Mode = Literal["skip", "overwrite", "append", "prepend"]
OLD_TEXT_BYTES = 1 << 20  # more than that is no description of a clip; nothing is added to it
_CHUNK_ROWS = 100


class SidecarOutput:
    """An `Output` of one text file for each row that is done.

    mode: what becomes of a text that stands there already: it stays as it is, or is overwritten, or the
    prompt goes behind or in front of it. Whatever is left alone is counted and told when the run ends.

    What was written where, and what stood there before, is kept in `state`. So a killed run adds nothing
    twice, and a text whose row is taken out of the ledger is taken back as long as nobody has edited it.
    """

    def __init__(self, mode: Mode, place: Place, *, state: Path) -> None:
        """place: gives the spot of a row's text, see `beside` and `under`. state: a file for what is known.

        Raises:
            LedgerError, OutputError: see `PlacedTexts`.
        """
        self._mode = mode
        self._place = place
        self._state = PlacedTexts(state)
        self._say: Callable[[str], None] = _silent
        self._left_alone: Counter[str] = Counter()
        self._examples: dict[str, Path] = {}
        self._shared = 0
        self._again = 0

    def recover(self, rows: Rows, *, stale: bool, say: Callable[[str], None]) -> None:
        """Takes back texts without a row, puts back texts that are gone, writes what is not written yet."""
        self._say = say
        seq, text = self._state.progress()
        there = next(iter(rows.after(seq - 1)), None) if seq else None
        if stale or (seq and (there is None or there.seq != seq or _sha256(_encoded(there.text)) != text)):
            self._take_back(rows, seq)
        self._put_back(rows)
        todo = rows.after(self._state.progress()[0])
        while chunk := list(islice(todo, _CHUNK_ROWS)):
            for row in chunk:
                self._tidy(row)
            self.add(chunk)

    def add(self, rows: Sequence[Row]) -> None:
        """Writes the texts of the rows that are done."""
        if rows:
            self._publish(rows)
            self._state.reached(rows[-1].seq, _sha256(_encoded(rows[-1].text)))

    def finish(self, rows: Rows) -> None:
        """Tells what was left alone and why; every text is in its place already."""
        for reason, number in self._left_alone.most_common():
            self._say(f"left {number} text files alone that {reason}, such as {show(self._examples[reason])}")
        if self._shared:
            self._say(
                f"{self._shared} clips share their name with another one; their texts are named after the whole "
                f"file, such as {show(self._examples['shared'])}"
            )
        if self._again:
            self._say(f"{self._again} text files were written again: each holds its clip's newest prompt")
        self._left_alone.clear()
        self._shared = self._again = 0

    def close(self) -> None:
        """Closes what is known."""
        self._state.close()

    def is_somebodys(self, row: Mapping[str, Any]) -> bool:
        """Whether the text file of a row to come stands there already and is not ours.

        row: `path`, `start`, `end` and `variant` are looked at.
        """
        if self._state.of_owner(owner_of(row)) is not None:
            return False
        free = (path for path in names_of(self._place(row), row) if self._state.at(os.fsencode(path)) is None)
        return os.path.lexists(next(free))

    # --- writing -------------------------------------------------------------------------------------------

    def _publish(self, rows: Sequence[Row]) -> None:
        plans: dict[bytes, _Plan] = {}
        for row in rows:
            fields = json.loads(row.text)
            if fields.get("status") != "done" or not isinstance(fields.get("prompt"), str):
                continue
            target = self._target(fields, plans)
            if os.fsencode(target) in plans:  # the clip again: its file has to be there to be judged
                self._carry_out(plans)
            plan = self._plan(row.seq, fields, target)
            if plan is not None:
                plans[plan.file.target] = plan
        self._carry_out(plans)

    def _carry_out(self, plans: dict[bytes, _Plan]) -> None:
        self._state.note([plan.file for plan in plans.values()])
        for plan in plans.values():
            target = Path(os.fsdecode(plan.file.target))
            with writing(target):
                _make_folders(target, plan.below)
            _replace_text(target, plan.data)
        plans.clear()

    def _target(self, fields: Mapping[str, Any], plans: Mapping[bytes, _Plan]) -> Path:
        """The file for the row: the one it has already, or the first that no other clip has."""
        owner = owner_of(fields)
        known = self._state.of_owner(owner)
        if known is not None:
            return Path(os.fsdecode(known.target))
        spot = self._place(fields)
        for path in names_of(spot, fields):
            place = os.fsencode(path)
            taken = plans[place].file if place in plans else self._state.at(place)
            if taken is None or taken.owner == owner:
                break
        if path != spot.path:
            self._shared += 1
            self._examples.setdefault("shared", path)
        return path

    def _plan(self, seq: int, fields: Mapping[str, Any], target: Path) -> _Plan | None:
        """What to write, None where the file is left alone."""
        owner = owner_of(fields)
        known = self._state.of_owner(owner)
        prompt = _encoded(fields["prompt"])
        try:
            with writing(target):
                current = _read(target, self._mode)
            before = self._before(current, known, prompt)
        except _LeftAlone as reason:
            self._left_alone[str(reason)] += 1
            self._examples.setdefault(str(reason), target)
            if known is not None:
                self._state.forget(owner)
            return None
        if known is not None and known.seq < seq:
            self._again += 1
        data = composed(self._mode, before, prompt)
        kept = before if self._mode in ("append", "prepend") else None
        replaced = _sha256(current) if current is not None else ""
        file = Placed(owner, os.fsencode(target), seq, len(data), _sha256(data), kept, replaced)
        return _Plan(file, data, self._place(fields).below)

    def _before(self, current: bytes | None, known: Placed | None, prompt: bytes) -> bytes | None:
        """What would stand in the file without us, of what stands in it now; None: nothing.

        Raises:
            _LeftAlone: the file is not to be touched.
        """
        if current is None:
            return None
        if known is not None and _sha256(current) in (known.sha256, known.replaced):
            return known.before
        if known is None:  # ours all the same, if what was known got lost
            recognised = without(self._mode, current, prompt)
            if recognised is not current:
                return recognised
        if self._mode == "skip":
            raise _LeftAlone("stood there already")
        return current

    # --- mending -------------------------------------------------------------------------------------------

    def _take_back(self, rows: Rows, progress: int) -> None:
        """Takes back the texts whose rows are not in the ledger any more."""
        taken, edited, last = 0, 0, Row(0, "")
        stream = rows.after(0)
        row = next(stream, None)
        for file in self._state.all():
            while row is not None and row.seq < file.seq:
                last, row = row, next(stream, None)
            if row is not None and row.seq == file.seq and owner_of(json.loads(row.text)) == file.owner:
                continue
            target = Path(os.fsdecode(file.target))
            with writing(target):
                if _is_as_written(target, file):
                    taken += 1
                    if file.before is None:
                        target.unlink()
                    else:
                        _replace_text(target, file.before)
                elif target.exists():
                    edited += 1
            self._state.forget(file.owner)
        while row is not None and row.seq <= progress:
            last, row = row, next(stream, None)
        self._state.reached(last.seq, _sha256(_encoded(last.text)))
        if taken:
            self._say(f"took back {taken} text files whose clips are done again")
        if edited:
            self._say(
                f"{edited} text files whose clips are done again were edited since, and stay as they are"
            )

    def _put_back(self, rows: Rows) -> None:
        """Writes texts again that are gone, or empty as a power cut leaves them."""
        back = homeless = 0
        progress = self._state.progress()[0]
        for file in self._state.all():
            target = Path(os.fsdecode(file.target))
            if file.seq > progress or not _is_lost(target, file):
                continue
            if not target.parent.is_dir():
                homeless += 1
                continue
            row = next(iter(rows.after(file.seq - 1)), None)
            if row is not None and row.seq == file.seq:
                with suppress(FileNotFoundError):
                    target.unlink()
                self._publish([row])
                back += 1
        if back:
            self._say(f"put {back} text files back that were gone")
        if homeless:
            self._say(
                f"{homeless} text files are gone with their folders; they come back when those are there"
            )

    def _tidy(self, row: Row) -> None:
        """Removes the temporary file that a killed run may have left for that row."""
        fields = json.loads(row.text)
        if fields.get("status") == "done":
            known = self._state.of_owner(owner_of(fields))
            if known is not None:
                target = Path(os.fsdecode(known.target))
                with writing(target), suppress(FileNotFoundError):
                    target.with_name(temporary_name(target.name)).unlink()


class _Plan(NamedTuple):
    """A file to write. below: folders under it may be made."""

    file: Placed
    data: bytes
    below: Path | None


class _LeftAlone(Exception):
    """The file is not touched; str: why."""


def owner_of(row: Mapping[str, Any]) -> str:
    """What tells rows apart that need a text of their own: clip, stretch, variant."""
    return json.dumps([row.get(name) for name in ("path", "start", "end", "variant")])


def composed(mode: Mode, before: bytes | None, prompt: bytes) -> bytes:
    """The whole text file."""
    old = (before or b"").strip()
    if mode == "append" and old:
        return (before or b"").rstrip(b"\r\n") + b"\n" + prompt + b"\n"
    if mode == "prepend" and old:
        return prompt + b"\n" + (before or b"")
    return prompt + b"\n"


def without(mode: Mode, text: bytes, prompt: bytes) -> bytes | None:
    """`text` without the prompt that was added to it; `text` itself if it was not, None if nothing is left."""
    if text == prompt + b"\n":
        return None
    if mode == "append" and text.endswith(b"\n" + prompt + b"\n"):
        return text[: -len(prompt) - 1]
    if mode == "prepend" and text.startswith(prompt + b"\n"):
        return text[len(prompt) + 1 :]
    return text


def _read(target: Path, mode: Mode) -> bytes | None:
    """The text at `target`, None if there is nothing; b"" stands for a long one that is overwritten anyway."""
    try:
        info = target.stat()
    except FileNotFoundError:
        if target.is_symlink():
            raise _LeftAlone("are links to nowhere") from None
        return None
    if not stat.S_ISREG(info.st_mode):
        raise _LeftAlone("are no regular files")
    adds = mode in ("append", "prepend")
    if info.st_size > OLD_TEXT_BYTES:
        if adds:
            raise _LeftAlone("are larger than 1 MiB")
        return b""
    text = target.read_bytes()
    if adds:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            raise _LeftAlone("are not UTF-8 text") from None
    return text


def _replace_text(target: Path, data: bytes) -> None:
    real = Path(os.path.realpath(target)) if target.is_symlink() else target
    mode = None
    with suppress(OSError):
        mode = stat.S_IMODE(real.stat().st_mode)

    def write(file: BinaryIO) -> None:
        if mode is not None:
            Path(file.name).chmod(mode)
        file.write(data)

    # No flush for each of many small files: `recover` notices what a power cut left empty.
    write_whole(real, write, flush=False)


def _make_folders(target: Path, below: Path | None) -> None:
    if below is None or target.parent.is_dir():
        return
    folder = below
    for part in target.parent.relative_to(below).parts:
        folder = folder / part
        folder.mkdir(exist_ok=True)


def _is_as_written(target: Path, file: Placed) -> bool:
    try:
        return target.stat().st_size == file.size and _sha256(target.read_bytes()) == file.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_lost(target: Path, file: Placed) -> bool:
    try:
        return target.stat().st_size == 0 < file.size
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise cannot_write(target, error) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _silent(_: str) -> None:
    """Tells nobody."""
