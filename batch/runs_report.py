"""What a ledger tells about its runs, for `vidprompter runs`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from batch.progress import span
from vidprompter.errors import InputError
from vidprompter.runs.ledger import Ledger
from vidprompter.runs.run import ledger_path

RECENT_SECONDS = 300.0
_SUFFIX = ".ledger.sqlite"


class RunStatus(TypedDict):
    """counts: items by status. per_minute: while runs were at work; recent: in the last five minutes.

    seconds_left: what is pending at the recent rate, or else the other; None where there is no rate.
    """

    output: str
    counts: dict[str, int]
    errors: dict[str, int]
    per_minute: float
    per_minute_recent: float
    seconds_left: float | None
    last_run: str | None


def find_ledgers(folder: Path) -> list[Path]:
    """The outputs under `folder` that have a ledger, in alphabetical order."""
    return sorted(path.with_name(path.name.removesuffix(_SUFFIX)) for path in folder.rglob(f"*{_SUFFIX}"))


def run_status(output: Path) -> RunStatus:
    """Counts and rates of one output.

    Raises:
        InputError: it has no ledger.
    """
    with _opened(output) as ledger:
        stages = ledger.stages()
        counts: dict[str, int] = {}
        errors: dict[str, int] = {}
        recent = 0
        for stage in stages:
            for name, number in ledger.counts(stage).items():
                counts[name] = counts.get(name, 0) + number
            for name, number in ledger.failures(stage).items():
                errors[name] = errors.get(name, 0) + number
            recent += ledger.finished_since(stage, time.time() - RECENT_SECONDS)
        runs = ledger.runs()
        minutes = sum(ledger.working_seconds(stage) for stage in stages) / 60
    ended = counts.get("done", 0) + counts.get("failed", 0)
    recent_rate = recent / (RECENT_SECONDS / 60)
    rate = recent_rate or (ended / minutes if minutes else 0.0)
    left = counts.get("pending", 0)
    return {
        "output": str(output),
        "counts": counts,
        "errors": errors,
        "per_minute": round(ended / minutes, 2) if minutes else 0.0,
        "per_minute_recent": round(recent_rate, 2),
        "seconds_left": round(60 * left / rate, 1) if rate else None,
        "last_run": (runs[-1]["outcome"] or "at work, or killed") if runs else None,
    }


def status_lines(status: RunStatus) -> list[str]:
    """The status for people."""
    names = {"split": "files cut", "pending": "to do"}
    counts = {names.get(name, name): number for name, number in status["counts"].items()}
    lines = [status["output"], *(f"{name:<20} {number:>7}" for name, number in counts.items())]
    lines += [f"  {name:<18} {number:>7}" for name, number in status["errors"].items()]
    lines.append(f"{'per minute':<20} {status['per_minute']:>7}  over all runs")
    lines.append(f"{'':<20} {status['per_minute_recent']:>7}  in the last five minutes")
    if status["counts"].get("pending") and status["seconds_left"] is not None:
        lines.append(f"{'time left':<20} {span(status['seconds_left']):>7}")
    lines.append(f"{'last run':<20} {status['last_run']}")
    return lines


def failed_items(output: Path) -> list[dict[str, Any]]:
    """Failed items with `stage`, `name`, `attempts`, `error_type` and `error_message`.

    Raises:
        InputError: the output has no ledger.
    """
    with _opened(output) as ledger:
        return [{"stage": stage, **item} for stage in ledger.stages() for item in ledger.failed(stage)]


@contextmanager
def _opened(output: Path) -> Iterator[Ledger]:
    place = output if output.name.endswith(_SUFFIX) else ledger_path(output)
    if not place.is_file():
        raise InputError(f"{str(output)!r} has no ledger {place.name!r} beside it; give the --out of a run")
    ledger = Ledger(place, read_only=True)
    try:
        yield ledger
    finally:
        ledger.close()
