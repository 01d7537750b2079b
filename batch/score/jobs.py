"""One row with what is to be scored of it: its text or its beams, and the clip that it belongs to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from batch.inputs.entry import ClipEntry
from batch.inputs.manifest import folder_of
from batch.inputs.sidecar import checked_seconds
from batch.inputs.stored import split_archive
from batch.score.fields import identities_json
from batch.score.flat import BEAM, NESTED, RANK, without_scores
from vidprompter.errors import InputError, VidPrompterError
from vidprompter.runs.judge import Candidate
from vidprompter.runs.keys import ItemName, settings_text
from vidprompter.scores import EvaluatorIdentity
from vidprompter.video.files import show

NOWHERE = "\0"
"""A path that cannot exist, of rows without a clip: the ledger then looks for changes of no file."""

_NO_CLIP = "<no clip>"


@dataclass(frozen=True)
class ScoreSettings:
    """What is the same for every row of a run.

    text_column, path_column: of the rows. beams: all beams of a row are scored too. best_by: what the best beam is
    chosen by. reuse: scores that a row has already from the same evaluators are kept.
    """

    identities: tuple[EvaluatorIdentity, ...]
    text_column: str = "prompt"
    path_column: str = "path"
    beams: bool = False
    best_by: str = "mean"
    reuse: bool = False

    @property
    def needs_video(self) -> bool:
        """Whether any evaluator looks at clips."""
        return any(one.needs_video for one in self.identities)

    @property
    def names(self) -> list[str]:
        """Of the evaluators, in their order."""
        return [one.name for one in self.identities]

    @cached_property
    def told(self) -> list[dict[str, Any]]:
        """The evaluators as rows name them."""
        return identities_json(self.identities)

    def key_part(self) -> dict[str, Any]:
        """What of it makes another item."""
        part: dict[str, Any] = {"evaluators": self.told}
        columns = {"text": (self.text_column, "prompt"), "path": (self.path_column, "path")}
        part |= {name: used for name, (used, usual) in columns.items() if used != usual}
        return part | ({"beams": True, "best_by": self.best_by} if self.beams else {})

    @cached_property
    def key_text(self) -> str:
        """`key_part` as a part of keys."""
        return settings_text(self.key_part())


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """One row to score. entry: its clip, None for a text alone; its `problem` costs the row. key: in the ledger."""

    row: dict[str, Any]
    entry: ClipEntry | None
    problem: VidPrompterError | None = None
    key: str = ""

    def to_json(self) -> str:
        """One line of ASCII from which `job_of` makes the job again, but for its key."""
        entry = self.entry
        if self.problem is not None:
            entry = ClipEntry(NOWHERE, "", problem=self.problem)
        return json.dumps({"row": self.row, "clip": None if entry is None else json.loads(entry.to_json())})

    def text(self, settings: ScoreSettings) -> str:
        """What stands in the text column, "" for nothing."""
        return self.row.get(settings.text_column) or ""

    def beams(self, settings: ScoreSettings) -> list[str]:
        """The texts of its beams, where these are scored too."""
        return [beam["text"] for beam in beams_of(self.row)] if settings.beams else []


def job_of(text: str, key: str) -> ScoreJob:
    """The job that `ScoreJob.to_json` wrote."""
    told = json.loads(text)
    entry = None if told["clip"] is None else ClipEntry.from_json(json.dumps(told["clip"]))
    if entry is not None and entry.problem is not None:
        return ScoreJob(told["row"], None, entry.problem, key)
    return ScoreJob(told["row"], entry, None, key)


class Places:
    """Makes jobs of the rows of one file. Relative paths start from `root` and cannot leave it."""

    def __init__(self, shown: str, root: Path, settings: ScoreSettings, *, ranks: bool = False) -> None:
        """shown: how messages call the file. ranks: rows will get ranks too."""
        self._shown = shown
        self._root = os.path.abspath(root)  # noqa: PTH100 - links stay links
        self._settings = settings
        self._ranks = ranks

    def job(self, number: int, row: dict[str, Any], file: str = "") -> ScoreJob:
        """The job of a row. What is wrong with it is its `problem`. file: how messages call its file, if not as all.

        Raises:
            InputError: the row has a column of its own where scores would go.
        """
        where = f"{file or self._shown} row {number}"
        self._check_columns(row, where)
        try:
            text = row.get(self._settings.text_column)
            if text is not None and not isinstance(text, str):
                raise InputError(f"{where}: {self._settings.text_column!r} is {text!r}; it must be text")
            if self._settings.beams:
                beams_of(row)
            return ScoreJob(row, self._entry(row, where) if self._settings.needs_video else None)
        except VidPrompterError as error:
            return ScoreJob(row, None, error)

    def _entry(self, row: Mapping[str, Any], where: str) -> ClipEntry | None:
        column = self._settings.path_column
        given = row.get(column)
        if given is None or given == "":
            blind = [one.name for one in self._settings.identities if one.needs_video]
            raise InputError(
                f"{where} has no {column!r}; {', '.join(blind)} cannot judge a text without its clip"
            )
        if not isinstance(given, str):
            raise InputError(f"{where}: {column!r} is {given!r}; it must be the path of a clip")
        start = checked_seconds(row.get("start"), f"{where}: 'start'")
        end = checked_seconds(row.get("end"), f"{where}: 'end'")
        if end is not None and end <= (start or 0.0):
            raise InputError(f"{where}: end {end:g} is not after start {start or 0.0:g}")
        if os.path.isabs(given):  # noqa: PTH117
            return ClipEntry(given, folder_of(given), start=start, end=end, listed=True)
        path = os.path.normpath(os.path.join(self._root, given))  # noqa: PTH118
        if os.path.commonpath([path, self._root]) != self._root:
            raise InputError(
                f"{where}: {show(given)} leaves the folder {show(self._root)}; name another one with --root, or "
                f"write the absolute path"
            )
        if not os.path.lexists(path) and (archive := split_archive(path)) is not None:
            raise InputError(f"{where}: the clip lies in {show(archive[0])}; unpack that to score its clips")
        return ClipEntry(path, self._root, start=start, end=end, listed=True)

    def _check_columns(self, row: Mapping[str, Any], where: str) -> None:
        is_scored = isinstance(row.get("evaluators"), list)
        ours: list[str] = []
        if not is_scored:
            ours += [*NESTED, *(BEAM if self._settings.beams else ())]
        if self._ranks and not (is_scored and "rank_value" in row):
            ours += RANK
        if taken := [name for name in ours if name in row]:
            what = "its rank" if taken[0] in RANK else "scores"
            raise InputError(f"{where} has a column {taken[0]!r}, where {what} would go; rename it")


def candidate_of(job: ScoreJob, settings: ScoreSettings) -> Candidate:
    """The row as the ledger names it: its clip, and a digest of all that stands in it."""
    entry = job.entry
    # Without a clip the ledger has no file whose changes it could notice; the row's digest tells them.
    held_by = NOWHERE if entry is None else None
    words = " ".join(job.text(settings).replace("/", " ").split())[:40]
    path, root = (f"{_NO_CLIP}/{words}", _NO_CLIP) if entry is None else (entry.path, entry.root)
    name = ItemName(
        root=0,
        path=path,
        start=entry.start if entry is not None else None,
        end=entry.end if entry is not None else None,
        task="score",
        short=digest_of(job.row),
        settings=settings.key_text,
    )
    return Candidate(path, root, name, job, listed=True, held_by=held_by)


def digest_of(row: Mapping[str, Any]) -> str:
    """32 hex digits of the row, scores left out."""
    text = json.dumps(without_scores(row), sort_keys=True)
    return blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def beams_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The beams of a row as `caption --beams` writes them; none where it has none.

    In Parquet they stand in the column `more`, in CSV as JSON.

    Raises:
        InputError: what stands there are no beams.
    """
    beams = _loaded(row.get("beams"))
    if beams is None and (more := _loaded(row.get("more"))) is not None:
        beams = more.get("beams") if isinstance(more, dict) else None
    if beams is None:
        return []
    if not isinstance(beams, list) or not all(
        isinstance(beam, dict) and isinstance(beam.get("text"), str) for beam in beams
    ):
        raise InputError("'beams' holds no list of {\"text\": ...}; write it as `caption --beams` does")
    return beams


def beam_rows(row: Mapping[str, Any], settings: ScoreSettings) -> Iterator[dict[str, Any]]:
    """Each beam as a row of its own, with its number as `beam`; the row itself where it has none.

    Scores of beams that the row has already go with them.
    """
    beams = beams_of(row)
    if not beams:
        yield dict(row)
        return
    known = row.get("beam_scores")
    scored: Sequence[Any] = known if isinstance(known, list) and len(known) == len(beams) else ()
    rest = {name: value for name, value in without_scores(row).items() if name not in ("beams", "logprob")}
    for number, beam in enumerate(beams):
        one = {**rest, settings.text_column: beam["text"], "beam": number}
        if "logprob" in beam:
            one["logprob"] = beam["logprob"]
        if scored:
            told = dict(scored[number])
            one |= {
                "scores": told["scores"],
                "mean": told["mean"],
                "truncated": told["truncated"],
                "score_flags": told["flags"],
                "score_error": None,
                "evaluators": row["evaluators"],
            }
        yield one


def _loaded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except ValueError:
        raise InputError(f"a column of beams is no JSON ({value[:40]!r} ...)") from None
