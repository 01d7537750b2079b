"""A five-line writer and a real, small measurement, for tests of the engine around them.

`python -m tests.batch.stub caption ...` is the command with these two in place of the built-in model.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from batch.caption.jobs import ClipJob
from batch.cli import run as _real_run
from batch.inputs.stored import on_disk
from batch.writers import WriterSource
from vidprompter.engines.protocol import WriterIdentity
from vidprompter.errors import GenerationError, VidPrompterError
from vidprompter.sheet.types import CameraMotion, SceneSheet
from vidprompter.tasks import Prompt, Request
from vidprompter.video.source import VideoSource

IDENTITY = WriterIdentity("letters", "1", "stub")


class LetterWriter:
    """Writes one sentence with the clip's width and short description.

    Sleeps STUB_SECONDS a batch; touches the file STUB_MARK when a batch begins.
    """

    model, revision, engine = IDENTITY.model, IDENTITY.revision, IDENTITY.engine

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        if mark := os.environ.get("STUB_MARK"):
            Path(mark).touch()
        time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
        return [self._write(request) for request in requests]

    def _write(self, request: Request) -> Prompt | VidPrompterError:
        if request.short == "refuse":
            return GenerationError("nothing usable came out; try another seed")
        about = f"{request.sheet.width} wide" if request.sheet else "an idea"
        text = f"{request.short or 'A clip'}, {about}, variant {request.variant}, seed {request.seed}."
        return Prompt(text, request.task, *self._identity(), request.seed, request.variant)

    def _identity(self) -> tuple[str, str, str]:
        return self.model, self.revision, self.engine


def measure(job: ClipJob) -> SceneSheet:
    """A sheet with the true size and length, read by the real video reader."""
    if slow := float(os.environ.get("STUB_MEASURE_SECONDS", "0")):
        time.sleep(slow)
    with on_disk(job.entry) as path:
        info = VideoSource(path, start=job.entry.start, end=job.entry.end).info
    still = CameraMotion("static", 0.0, 1.0)
    return SceneSheet(job.entry.path, info.duration, info.width, info.height, info.fps, still, ())


def stub_source() -> WriterSource:
    return WriterSource(IDENTITY, lambda say: LetterWriter())


def write_video(path: Path, *, frames: int = 4, width: int = 64, shade: int = 0) -> Path:
    """A tiny clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
        for index in range(frames):
            picture = np.full((48, width, 3), (shade + 20 * index) % 256, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def main(arguments: Sequence[str]) -> int:
    """`vidprompter` with the stub writer and measurement."""
    import batch.caption.run
    import batch.commands.caption as caption
    import batch.commands.expand as expand

    caption.writer_source = lambda *_: stub_source()  # type: ignore[assignment]
    expand.writer_source = lambda *_: stub_source()  # type: ignore[assignment]
    caption.CaptionRun = _measured_by_stub(batch.caption.run.CaptionRun)  # type: ignore[assignment, misc]
    return _real_run(arguments)


def _measured_by_stub(original):  # type: ignore[no-untyped-def]
    return lambda **parts: replace(original(**parts), measure=measure)


if __name__ == "__main__":
    import batch.cli
    from batch.entry import main as entry_main
    from tests.batch.stub import main as stub_main  # by name: the workers must find `measure`

    batch.cli.run = stub_main
    sys.exit(entry_main())
