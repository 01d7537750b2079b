"""The loop: rows of one clip found together inside a window, scored in batches, every end recorded as it comes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.caption.interrupt import StopRequest
from batch.caption.vanished import check_folder
from batch.score.asked import request_for
from batch.score.asking import Asking
from batch.score.jobs import ScoreJob, ScoreSettings
from batch.score.rows import empty_scored, failed_row, known_row, scored_row
from scoring.names import EvaluatorOptions
from vidprompter.errors import VidPrompterError
from vidprompter.runs.fingerprint import Fingerprint, fingerprint
from vidprompter.scores import Evaluator, Scored

WINDOW_ROWS = 2048
"""So many rows are looked at ahead, to find those of one clip together."""
BATCH_CLIPS = 64
FIRST_BATCH = 4  # somebody watches, and a run that is killed early has something to show for it
BATCH_TEXTS = 1024


def batch_clips_for(names: Sequence[str], options: EvaluatorOptions) -> int:
    """How many clips are scored at once: as many as keep everything busy, and no more, since a batch ends as one."""
    sizes = [BATCH_CLIPS]
    if "builtin" in names:  # it takes seconds for a clip
        sizes.append(max(8, 4 * options.workers))
    if "judge" in names:
        sizes.append(max(8, 4 * options.judge_options.concurrency))
    return min(sizes)


@dataclass(frozen=True, slots=True)
class End:
    """The end of a job. mark: of its clip before it was read, None without one. error: why it has no score."""

    job: ScoreJob
    row: dict[str, Any]
    seconds: float
    mark: Fingerprint | None = None
    error: VidPrompterError | None = None


Sink = Callable[[Sequence[End]], None]
Group = list[ScoreJob]


def score_rows(
    jobs: Iterator[ScoreJob],
    *,
    settings: ScoreSettings,
    evaluator: Evaluator,
    sink: Sink,
    say: Callable[[str], None],
    show: Callable[[str], None] = lambda doing: None,
    batch_clips: int = BATCH_CLIPS,
) -> bool:
    """True when every job came to its end, False when somebody asked to stop.

    jobs: taken as they are needed. sink: is told ends, a batch at a time. batch_clips: scored and recorded at once. A
    clip's error costs its rows.

    Raises:
        ModelError, RunError: the evaluator cannot be used, or the output cannot be written.
        KeyboardInterrupt: Ctrl-C for the second time.
    """

    def stopping(_: str) -> None:
        say("stopping after the rows now being scored; Ctrl-C again stops at once")

    asking = Asking(evaluator, say)
    with StopRequest(stopping) as stop:
        for batch in batches(jobs, min(FIRST_BATCH, batch_clips), batch_clips):
            if stop.asked:
                return False
            show(f"scoring {sum(map(len, batch))} rows of {len(batch)} clips" if settings.needs_video else "")
            sink(_scored(batch, settings, asking))
        return not stop.asked


def batches(
    jobs: Iterator[ScoreJob], first: int = FIRST_BATCH, following: int = BATCH_CLIPS
) -> Iterator[list[Group]]:
    """Rows grouped by their clips, so many clips at a time; in the order in which the clips came."""
    size = first
    waiting: OrderedDict[Hashable, Group] = OrderedDict()
    rows = 0
    is_open = True
    while is_open or waiting:
        while is_open and rows < WINDOW_ROWS:
            job = next(jobs, None)
            if job is None:
                is_open = False
                break
            waiting.setdefault(_clip_of(job), []).append(job)
            rows += 1
        batch: list[Group] = []
        texts = 0
        while waiting and len(batch) < size and texts < BATCH_TEXTS:
            _, group = waiting.popitem(last=False)
            batch.append(group)
            texts += len(group)
        rows -= texts
        size = following
        if batch:
            yield batch


def _clip_of(job: ScoreJob) -> Hashable:
    entry = job.entry
    if entry is None or job.problem is not None:
        return id(job)  # a text alone stands for itself
    return entry.path, entry.start, entry.end


def _scored(batch: Sequence[Group], settings: ScoreSettings, asking: Asking) -> list[End]:
    """The ends of all rows of a batch, in its order."""
    began = time.monotonic()
    marks = [_mark(group[0]) for group in batch]
    known = {
        id(job): row for group in batch for job in group if (row := known_row(job, settings)) is not None
    }
    texts = [
        [text for job in group if id(job) not in known for text in _texts(job, settings) if text.strip()]
        for group in batch
    ]
    asked = [n for n, group in enumerate(batch) if texts[n] and group[0].problem is None]
    requests = [_request(batch[n][0]) for n in asked]
    outcomes = dict(zip(asked, asking.score(requests, [texts[n] for n in asked]), strict=True))
    seconds = (time.monotonic() - began) / max(1, sum(map(len, batch)))
    ends: list[End] = []
    for n, group in enumerate(batch):
        outcome = outcomes.get(n, [])
        error = group[0].problem or (outcome if isinstance(outcome, VidPrompterError) else None)
        if error is not None and group[0].entry is not None:
            check_folder(group[0].entry, error)
        answers = iter(outcome if not isinstance(outcome, VidPrompterError) else [])
        for job in group:
            if id(job) in known:
                ends.append(End(job, known[id(job)], seconds, marks[n]))
            elif error is not None and any(text.strip() for text in _texts(job, settings)):
                ends.append(End(job, failed_row(job, error, settings), seconds, marks[n], error))
            else:
                row = scored_row(job, _answers(job, settings, answers), settings)
                ends.append(End(job, row, seconds, marks[n]))
    return ends


def _texts(job: ScoreJob, settings: ScoreSettings) -> list[str]:
    return [job.text(settings), *job.beams(settings)]


def _answers(job: ScoreJob, settings: ScoreSettings, answers: Iterator[Scored]) -> list[Scored]:
    """Those of the job's texts; what has no words was not asked."""
    return [next(answers) if text.strip() else empty_scored(settings, text) for text in _texts(job, settings)]


def _request(job: ScoreJob) -> Any:
    entry = job.entry
    return request_for(None) if entry is None else request_for(Path(entry.path), entry.start, entry.end)


def _mark(job: ScoreJob) -> Fingerprint | None:
    return fingerprint(job.entry.path) if job.entry is not None else None
