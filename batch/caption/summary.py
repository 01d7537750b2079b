"""`<output>.summary.json`: how the last run over an output ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batch.caption.report import Tally
from vidprompter.errors import OutputError


def summary_path(output: Path) -> Path:
    """Where the summary of an output stands: beside it."""
    return output.with_name(output.name + ".summary.json")


def write_summary(
    output: Path, tally: Tally, settings: Mapping[str, Any], outcome: str, began: float
) -> None:
    """Writes the summary in one go: a reader finds the old one or the new one. settings: of the run, as in its keys.

    Raises:
        OutputError: it cannot be written.
    """
    seconds = time.time() - began
    ended = tally.done + tally.failed_total - tally.failed_earlier
    summary = {
        "output": output.name,
        "outcome": outcome,
        **tally.to_json(),
        "seconds": round(seconds, 3),
        "per_minute": round(60 * ended / seconds, 2) if seconds else 0.0,
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "settings": dict(settings),
    }
    place = summary_path(output)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        temporary.replace(place)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{str(place)!r} cannot be written ({error.strerror}); all rows are kept: put that right and run "
            f"the same command again"
        ) from error
