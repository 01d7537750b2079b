"""The engine's loop: what costs a clip, what ends the run, what is measured ahead."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from batch.caption.flow import End, FlowOptions, caption_clips
from batch.caption.jobs import CaptionSettings, ClipJob, stretches_of
from batch.caption.measure import Read, reader
from batch.caption.prefetch import Prefetcher
from batch.caption.rows import CaptionRow
from batch.caption.split import Split
from batch.inputs.entry import ClipEntry
from tests.batch.stub import IDENTITY, LetterWriter, write_video
from vidprompter.engines.protocol import PromptWriter
from vidprompter.errors import (
    FolderVanished,
    GenerationError,
    InputError,
    ModelError,
    OutOfMemory,
    VideoNotFound,
    VidPrompterError,
    WeightsMissing,
)
from vidprompter.runs.fingerprint import Fingerprint
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
    if name.startswith("missing"):
        raise VideoNotFound(f"{name} does not exist; check the path")
    return SceneSheet(name, 1.0, 64, 48, 8.0, CameraMotion("static", 0.0, 1.0), ())


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.rows: list[CaptionRow] = []
        self.marks: list[Fingerprint | None] = []

    def cut(self, job: ClipJob, read: Read) -> list[ClipJob]:
        return [ClipJob(entry) for entry in stretches_of(job.entry, read.stretches or [])]

    def ended(self, ends: Sequence[End]) -> None:
        self.rows += [end.row for end in ends]
        self.marks += [end.mark for end in ends]

    def errors(self) -> dict[str, str | None]:
        return {row["path"]: row["error"]["type"] if row["error"] else None for row in self.rows}


def jobs(*names: str) -> list[ClipJob]:
    return [ClipJob(ClipEntry(name, "/")) for name in names]


def flow(
    todo: Iterable[ClipJob],
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
    taken = 0

    def lazily() -> Iterator[ClipJob]:
        nonlocal taken
        for job in jobs(*(f"c{i}" for i in range(60))):
            taken += 1
            yield job

    class Watching(LetterWriter):
        def generate_batch(self, requests: Sequence[Request]) -> list:  # type: ignore[type-arg]
            sizes.append(len(requests))
            ahead.append(taken - len(sink.rows))
            time.sleep(0.05)
            return super().generate_batch(requests)

    assert flow(lazily(), sink, load=lambda say: Watching())
    assert sum(sizes) == 60
    assert sizes[:-1] == [3] * (len(sizes) - 1)
    in_flight = OPTIONS.batch_size + 2 * OPTIONS.workers
    assert max(ahead) <= 2 * in_flight + OPTIONS.batch_size + 1
    assert len({row["path"] for row in sink.rows}) == 60


def test_the_first_batch_is_small() -> None:
    sizes: list[int] = []

    class Counting(LetterWriter):
        def generate_batch(self, requests: Sequence[Request]) -> list:  # type: ignore[type-arg]
            sizes.append(len(requests))
            return super().generate_batch(requests)

    todo = jobs(*(f"c{i}" for i in range(60)))
    assert flow(todo, Kept(), load=lambda say: Counting(), options=replace(OPTIONS, batch_size=32))
    assert sizes == [8, 32, 20]


def test_a_batch_does_not_wait_for_ever_for_the_last_clip() -> None:
    todo = jobs("a", "hang")
    read = reader(measure, whole=False)
    with Prefetcher(todo, read, expand=Kept().cut, workers=2, timeout_seconds=60, ahead=4) as prefetcher:
        assert prefetcher.wait_for_work()
        taken = prefetcher.take(2, patience_seconds=0.3, stopping=lambda: False)
        assert [one.job.entry.path for one in taken] == ["a"]
        assert not prefetcher.is_exhausted()
        assert prefetcher.busy == 1
        assert prefetcher.take(2, patience_seconds=0.3, stopping=lambda: True) == []


# --- the writer ---------------------------------------------------------------------------------------------


class Greedy(LetterWriter):
    """Has memory for two requests."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        self.sizes.append(len(requests))
        if len(requests) > 2:
            raise OutOfMemory(f"{len(requests)} requests at once; try a smaller --batch-size")
        return super().generate_batch(requests)


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    writer, said, sink = Greedy(), [], Kept()
    finished = caption_clips(
        jobs(*(f"c{i}" for i in range(14))),
        settings=SETTINGS,
        options=replace(OPTIONS, batch_size=8),
        measure=measure,
        load=lambda say: writer,
        sink=sink,
        say=said.append,
    )
    assert finished
    assert len({row["path"] for row in sink.rows}) == 14
    assert set(sink.errors().values()) == {None}
    assert [size for size in writer.sizes if size > 2] == [8, 4]  # learned once
    assert said == [
        "out of memory with 8 clips at once; going on with 4",
        "out of memory with 4 clips at once; going on with 2",
    ]


def test_a_clip_that_is_too_large_alone_costs_its_row() -> None:
    class Tiny(LetterWriter):
        def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
            if len(requests) > 1 or "big" in str(requests[0].video):
                raise OutOfMemory("no room")
            return super().generate_batch(requests)

    sink = Kept()
    assert flow(jobs("a", "big", "b", "c"), sink, load=lambda say: Tiny())
    assert sink.errors() == {"a": None, "big": "OutOfMemory", "b": None, "c": None}


class Brittle(LetterWriter):
    """Breaks on some requests as no engine should."""

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        if any("odd" in str(request.video) for request in requests):
            raise RuntimeError("shapes do not match")
        return super().generate_batch(requests)


def test_a_fault_of_the_model_costs_the_clip_it_belongs_to() -> None:
    sink = Kept()
    assert flow(jobs("a", "b", "odd", "c"), sink, load=lambda say: Brittle())
    assert sink.errors() == {"a": None, "b": None, "odd": "GenerationError", "c": None}
    (row,) = [row for row in sink.rows if row["error"]]
    assert row["error"] and "RuntimeError: shapes do not match" in row["error"]["message"]


def test_a_model_that_always_breaks_ends_the_run() -> None:
    with pytest.raises(ModelError, match="shapes do not match"):
        flow(jobs(*(f"odd{i}" for i in range(40))), Kept(), load=lambda say: Brittle())


# --- folders and stretches ----------------------------------------------------------------------------------


def test_a_folder_that_goes_away_ends_the_run_and_costs_no_row(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    todo = [ClipJob(ClipEntry(str(gone / "missing.mp4"), str(gone)))]
    sink = Kept()
    with pytest.raises(FolderVanished, match="run the same command again when it is back"):
        flow(todo, sink)
    assert sink.rows == []


def test_a_list_may_name_what_never_was(tmp_path: Path) -> None:
    path = str(tmp_path / "gone" / "missing.mp4")
    sink = Kept()
    assert flow([ClipJob(ClipEntry(path, str(tmp_path), listed=True))], sink)
    assert sink.errors() == {path: "VideoNotFound"}


def test_files_are_cut_and_their_stretches_done(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", frames=80)  # ten seconds
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    sink = Kept()
    todo = [ClipJob(ClipEntry(str(one), str(tmp_path)), split=Split(every=2.0)) for one in (path, broken)]
    assert flow(todo, sink)
    good = sorted((row["start"], row["end"]) for row in sink.rows if row["error"] is None)
    assert good == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0), (8.0, 10.0)]
    assert sink.errors()[str(broken)] == "NotAVideoFile"
    assert all(mark is not None and mark.size > 0 for mark in sink.marks)
