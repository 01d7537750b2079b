"""A ledger made again from the output it was kept for, when it is damaged or gone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from itertools import chain, count
from pathlib import Path
from typing import Any

from batch.caption.rows import row_json
from batch.outputs.stored_rows import stored_rows
from vidprompter.errors import InputError
from vidprompter.runs.keys import ItemName, adopted_key, settings_text
from vidprompter.runs.ledger import Finished, Ledger
from vidprompter.runs.lock import RunLock
from vidprompter.runs.run import checked_output, ledger_path
from vidprompter.tasks import Sampling

STAGE = "caption"
# What of a row's settings makes its item; the last ones stand only where they were used.
_ASKED = (*(field.name for field in fields(Sampling)), "wording", "options")
_MAY_LACK = ("beams", "stop", "wording", "options")


def repair(output: Path) -> tuple[int, Path | None]:
    """How many rows the new ledger has, and where the damaged one was put.

    The next run with the same files and settings, from the same folder, finds them done: what a row says of
    its clip is all that is known of it. Fingerprints are taken then, so a file that changed meanwhile is not
    noticed.

    Raises:
        InputError: there are no rows to make it from.
        RunError: the output is being written, or a file cannot be.
    """
    real = checked_output(output)
    place = ledger_path(real)
    lock = RunLock(real.with_name(real.name + ".ledger.lock"))
    try:
        rows = stored_rows(real)
        first = next(rows, None)
        if first is None:
            raise InputError(f"{str(output)!r} has no rows to make a ledger from; start over with --fresh")
        half = place.with_name(f".{place.name}.new")
        for path in (half, Path(f"{half}-wal"), Path(f"{half}-shm")):
            path.unlink(missing_ok=True)
        ledger = Ledger(half)
        try:
            adopted = ledger.adopt(STAGE, _ended(first, rows))
        finally:
            ledger.close()
        backup = _put_aside(place)
        half.replace(place)
    finally:
        lock.release()
    return adopted, backup


def _ended(first: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[tuple[str, Finished]]:
    seen: Counter[str] = Counter()
    for row in chain([first], rest):
        if "score_error" in row:
            raise InputError(
                "the rows are scored ones, whose ledger is made by scoring again: give `score` another --out, or --fresh"
            )
        try:
            name = _name(row)
        except (KeyError, TypeError) as error:
            raise InputError(f"a row is none of `caption`: it lacks {error}") from None
        key = adopted_key(name)
        seen[key] += 1
        failure = row["error"] or {}
        yield (
            row["path"],
            Finished(
                key=adopted_key(name, seen[key] - 1),
                status="failed" if row["status"] == "failed" else "done",
                row=row_json(row),
                seconds=row["seconds"],
                revision=row["revision"],
                error_type=failure.get("type"),
                error_message=failure.get("message"),
            ),
        )


def _name(row: dict[str, Any]) -> ItemName:
    """The row's item, by the absolute path of its clip; see `batch.caption.jobs.candidate_of`."""
    told = row["settings"]
    settings = {name: told[name] for name in _ASKED if name in told or name not in _MAY_LACK}
    return ItemName(
        root=0,
        path=os.path.abspath(row["path"]),  # noqa: PTH100 - links stay links
        start=row["start"],
        end=row["end"],
        task=row["task"],
        short=row["short"],
        variant=row["variant"],
        settings=settings_text(
            {"model": row["model"], "revision": row["revision"], "seed": row["seed"], **settings}
        ),
    )


def _put_aside(ledger: Path) -> Path | None:
    """Moves the old ledger to the first free of `.bak`, `.bak2` ..., None where there is none."""
    for end in ("-wal", "-shm"):
        Path(f"{ledger}{end}").unlink(missing_ok=True)
    if not ledger.exists():
        return None
    names = (ledger.with_name(f"{ledger.name}.bak{number if number > 1 else ''}") for number in count(1))
    backup = next(name for name in names if not name.exists())
    ledger.replace(backup)
    return backup
