"""Rows of `captions.jsonl`; the fields are documented in docs/output_fields.md and stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from batch.caption.jobs import CaptionSettings, ClipJob
from vidprompter.errors import VidPrompterError
from vidprompter.tasks import Prompt


class ErrorField(TypedDict):
    """Why a row failed: the error's type name (vidprompter/errors.py) and its one line."""

    type: str
    message: str


class BeamField(TypedDict):
    """One beam: its text, log p of it, its tokens with the end, and how it ended."""

    text: str
    logprob: float
    tokens: int
    finish: str


class CaptionRow(TypedDict):
    """One row. See docs/output_fields.md."""

    path: str
    start: float | None
    end: float | None
    task: str
    short: str | None
    variant: int
    prompt: str | None
    status: Literal["done", "failed", "skipped"]
    error: ErrorField | None
    finish: str | None
    flags: list[str]
    model: str
    revision: str
    engine: str
    settings: dict[str, Any]
    seed: int
    seconds: float
    negative: NotRequired[str]
    beams: NotRequired[list[BeamField]]


class ExpandRow(TypedDict):
    """One row of `expand --json`; see docs/output_fields.md."""

    short: str
    variant: int
    prompt: str | None
    status: Literal["done", "failed"]
    error: ErrorField | None
    finish: str | None
    flags: list[str]
    model: str
    revision: str
    engine: str
    settings: dict[str, Any]
    seed: int
    negative: NotRequired[str]
    beams: NotRequired[list[BeamField]]


def done_row(job: ClipJob, prompt: Prompt, settings: CaptionSettings, seconds: float) -> CaptionRow:
    """The row of a clip whose prompt was written."""
    row = _row(job, settings, seconds)
    row["prompt"] = prompt.text
    row["status"] = "done"
    row["finish"] = prompt.finish
    row["flags"] = list(prompt.flags)
    row["model"], row["revision"], row["engine"] = prompt.model, prompt.revision, prompt.engine
    row["seed"] = prompt.seed
    row["settings"] = {**row["settings"], **prompt.settings}
    add_where_asked(row, prompt)
    return row


def add_where_asked(row: CaptionRow | ExpandRow, prompt: Prompt) -> None:
    """Fields that a row has only where they were asked for: the beams, the target's negative prompt."""
    if prompt.negative is not None:
        row["negative"] = prompt.negative
    if prompt.beams:
        row["beams"] = [
            {"text": beam.text, "logprob": beam.logprob, "tokens": len(beam.ids), "finish": beam.finish}
            for beam in prompt.beams
        ]


def failed_row(
    job: ClipJob, error: VidPrompterError, settings: CaptionSettings, seconds: float
) -> CaptionRow:
    """The row of a clip that failed."""
    row = _row(job, settings, seconds)
    row["error"] = error_field(error)
    return row


def error_field(error: VidPrompterError) -> ErrorField:
    """An error as rows show it."""
    return {"type": type(error).__name__, "message": " ".join(str(error).split())}


def row_json(row: Mapping[str, Any]) -> str:
    """The row as one line of JSON."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a file name that is not valid UTF-8
        return json.dumps(row, ensure_ascii=True, allow_nan=False)
    return text


def _row(job: ClipJob, settings: CaptionSettings, seconds: float) -> CaptionRow:
    entry, writer = job.entry, settings.writer
    return {
        "path": entry.path,
        "start": entry.start,
        "end": entry.end,
        "task": job.task.value,
        "short": entry.short,
        "variant": entry.variant,
        "prompt": None,
        "status": "failed",
        "error": None,
        "finish": None,
        "flags": [],
        "model": writer.model,
        "revision": writer.revision,
        "engine": writer.engine,
        "settings": settings.asked_fields,
        "seed": settings.seed,
        "seconds": round(seconds, 3),
    }
