"""`caption --dry-run`: what would be done, how much of it there is, how long it might take."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import tee

from batch.caption.flow import usable_cores
from batch.caption.jobs import candidate_of, task_of
from batch.caption.rows import row_json
from batch.caption.run import STAGE, CaptionRun, shown
from batch.inputs.entry import ClipEntry
from batch.progress import span
from batch.runs_report import run_status
from vidprompter.runs.run import Verdict, ledger_path, peek

# One core's time for one clip of ten seconds with the built-in model: benchmarks/caption_throughput.py, x86 with
# AVX-512. A first guess, until the ledger knows this machine.
CORE_SECONDS = 4.5
WOULD: dict[Verdict, str] = {
    "done": "skip (done)",
    "split": "skip (cut already)",
    "failed": "skip (failed)",
    "left out": "skip (has a text)",
    "elsewhere": "other shard",
    "changed": "write again",
    "retry": "try again",
    "new": "write",
}


def show_plan(run: CaptionRun, entries: Iterable[ClipEntry]) -> int:
    """0; shows what `run.execute` would do with each clip, and writes nothing."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for entry, verdict in _foreseen(run, entries):
        would = WOULD[verdict]
        counts[would] += 1
        if verdict == "elsewhere":
            continue
        size = _size(entry)
        sizes[would] += size or 0
        if run.options.as_json:
            row = {"path": entry.path, "task": task_of(entry).value, "would": would, "bytes": size}
            run.talk.answer(row_json(row | {"start": entry.start, "end": entry.end}))
        else:
            run.talk.answer(f"{would:<12}  {_human(size):>9}  {shown(entry.path)}")
    told = [f"{number} {would} ({_human(sizes[would])})" for would, number in counts.items()]
    run.talk.say("dry run: " + (", ".join(told) or "nothing to do"))
    todo = sum(number for would, number in counts.items() if would in ("write", "write again", "try again"))
    if todo:
        run.talk.say(_estimate(run, todo))
    return 0


def _foreseen(run: CaptionRun, entries: Iterable[ClipEntry]) -> Iterator[tuple[ClipEntry, Verdict]]:
    options = run.options
    if options.out is None:
        yield from ((entry, "new") for entry in run.asked(entries))
        return
    first, second = tee(run.asked(entries))
    has_one = options.needs_none if run.settings.split is None else None
    candidates = (
        candidate_of(entry, run.settings, leave_out=has_one is not None and has_one(entry, None))
        for entry in second
    )
    judged = peek(options.out, candidates, stage=STAGE, rules=options.rules, forget=options.fresh)
    yield from ((entry, item.verdict) for entry, item in zip(first, judged, strict=True))


def _estimate(run: CaptionRun, todo: int) -> str:
    """How long `todo` clips might take, and where that is from."""
    clips = f"{todo} files, each cut into clips," if run.settings.split is not None else f"{todo} clips"
    out = run.options.out
    if out is not None and ledger_path(out).is_file() and not run.options.fresh:
        rate = run_status(out)["per_minute"]
        if rate:
            return f"estimate: {clips} in {span(60 * todo / rate)}, by the {rate} a minute of this run so far"
    if run.source.capabilities.frames:
        return f"no estimate for {clips}: run --limit 20 first, which measures this model on this machine"
    seconds = todo * CORE_SECONDS / usable_cores()
    return (
        f"estimate: {clips} in {span(seconds)} on {usable_cores()} cores with the built-in model; a guess, until "
        f"--limit 20 has measured this machine"
    )


def _size(entry: ClipEntry) -> int | None:
    """Bytes of the clip; None where there is no such file."""
    if entry.member is not None:
        return entry.member.size
    try:
        return os.stat(entry.path).st_size  # noqa: PTH116
    except (OSError, ValueError):
        return None


def _human(size: int | None) -> str:
    if size is None:
        return "no file"
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
