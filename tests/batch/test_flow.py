"""The engine's loop: what costs a clip, what ends the run, what is measured ahead."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from batch.caption.flow import FlowOptions, caption_clips
from batch.caption.jobs import CaptionSettings, ClipJob
from batch.caption.prefetch import Prefetcher
from batch.caption.rows import CaptionRow
from batch.inputs.entry import ClipEntry
from tests.batch.stub import IDENTITY, LetterWriter
from vidprompter.engines.protocol import PromptWriter
from vidprompter.errors import GenerationError, InputError, ModelError, WeightsMissing
from vidprompter.sheet.types import CameraMotion, SceneSheet
from vidprompter.tasks import Prompt, Request, Sampling

SETTINGS = CaptionSettings(IDENTITY, Sampling())
OPTIONS = FlowOptions(workers=2, batch_size=3, decode_timeout_seconds=20.0)


def measure(job: ClipJob) -> SceneSheet:
    """What happens is in the name of the clip."""
    name = Path(job.entry.path).name
    if name.startswith("hang"):
        time.sleep(60)
    if name.startswith("crash"):
        os._exit(3)
    if name.startswith("unweighted"):
        raise WeightsMissing("no detector; run: vidprompter models pull builtin")
    if name.startswith("strange"):
        raise ZeroDivisionError("by zero")
    return SceneSheet(name, 1.0, 64, 48, 8.0, CameraMotion("static", 0.0, 1.0), ())


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.rows: list[CaptionRow] = []

    def started(self, job: ClipJob) -> None:
        self.begun.append(job.entry.path)

    def ended(self, ends: Sequence[tuple[ClipJob, CaptionRow]]) -> None:
        self.rows += [row for _, row in ends]

    def errors(self) -> dict[str, str | None]:
        return {row["path"]: row["error"]["type"] if row["error"] else None for row in self.rows}


def jobs(*names: str) -> list[ClipJob]:
    return [ClipJob(ClipEntry(name, "/")) for name in names]


def flow(
    todo: list[ClipJob],
    sink: Kept,
    *,
    load: Callable[[Callable[[str], None]], PromptWriter] = lambda say: LetterWriter(),
    options: FlowOptions = OPTIONS,
) -> bool:
    return caption_clips(
        todo, settings=SETTINGS, options=options, measure=measure, load=load, sink=sink, say=lambda line: None
    )


def test_a_hang_a_crash_and_a_fault_cost_their_rows() -> None:
    sink = Kept()
    todo = jobs("a", "hang", "b", "crash", "c", "strange", "d")
    assert flow(todo, sink, options=replace(OPTIONS, decode_timeout_seconds=1.5))
    assert sink.errors() == {
        "a": None, "b": None, "c": None, "d": None,
        "hang": "DecodeTimeout", "crash": "DecodeCrash", "strange": "WorkerFault",
    }  # fmt: skip
    assert len(sink.rows) == len(todo)


def test_a_clip_known_to_be_unusable_is_not_opened() -> None:
    sink = Kept()
    todo = [ClipJob(ClipEntry("hang", "/", problem=InputError("outside")))]

    def no_load(say: Callable[[str], None]) -> PromptWriter:
        raise AssertionError("nothing is to be written")

    assert flow(todo, sink, load=no_load)
    assert sink.errors() == {"hang": "InputError"}


def test_missing_weights_in_a_worker_end_the_run_and_cost_no_row() -> None:
    sink = Kept()
    with pytest.raises(WeightsMissing, match="models pull"):
        flow(jobs("unweighted", "unweighted2"), sink)
    assert sink.rows == []


def test_a_writer_that_cannot_be_loaded_ends_the_run() -> None:
    def fails(say: Callable[[str], None]) -> PromptWriter:
        raise WeightsMissing("no weights")

    sink = Kept()
    with pytest.raises(WeightsMissing):
        flow(jobs("a", "b"), sink, load=fails)
    assert sink.rows == []


class OtherWriter(LetterWriter):
    revision = "2"


class ForgetfulWriter(LetterWriter):
    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt]:  # type: ignore[override]
        return []


@pytest.mark.parametrize(("writer", "error"), [(OtherWriter, ModelError), (ForgetfulWriter, GenerationError)])
def test_a_writer_that_is_not_what_it_says_ends_the_run(writer: type, error: type[Exception]) -> None:
    with pytest.raises(error):
        flow(jobs("a", "b"), Kept(), load=lambda say: writer())


def test_batches_are_full_and_work_ahead_is_bounded() -> None:
    sizes: list[int] = []
    ahead: list[int] = []
    sink = Kept()

    class Watching(LetterWriter):
        def generate_batch(self, requests: Sequence[Request]) -> list:  # type: ignore[type-arg]
            sizes.append(len(requests))
            ahead.append(len(sink.begun) - len(sink.rows))
            time.sleep(0.05)
            return super().generate_batch(requests)

    assert flow(jobs(*(f"c{i}" for i in range(30))), sink, load=lambda say: Watching())
    assert sum(sizes) == 30
    assert sizes[:-1] == [3] * (len(sizes) - 1)
    in_flight = max(2 * OPTIONS.workers, OPTIONS.batch_size + OPTIONS.workers)
    assert max(ahead) <= 2 * in_flight + OPTIONS.batch_size + 1
    assert len({row["path"] for row in sink.rows}) == 30


def test_a_batch_does_not_wait_for_ever_for_the_last_clip() -> None:
    with Prefetcher(jobs("a", "hang"), measure, workers=2, timeout_seconds=60, ahead=4) as prefetcher:
        taken = prefetcher.take(2, patience_seconds=0.3, stopping=lambda: False)
        assert [outcome.item.entry.path for outcome in taken] == ["a"]
        assert not prefetcher.is_exhausted()
        assert prefetcher.take(2, patience_seconds=0.3, stopping=lambda: True) == []
