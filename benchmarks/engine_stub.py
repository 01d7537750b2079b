"""A writer and a measurement that cost nothing, for benchmarks of the engine around them."""

from __future__ import annotations

from collections.abc import Sequence

from batch.caption.jobs import ClipJob
from batch.writers import WriterSource
from vidprompter.engines.protocol import WriterIdentity
from vidprompter.sheet.types import CameraMotion, SceneSheet
from vidprompter.tasks import Prompt, Request

IDENTITY = WriterIdentity("stub", "1", "stub")
TEXT = "A quiet street at dusk, seen from a low angle. " * 12  # as long as a real prompt


class StubWriter:
    """Gives every request the same text."""

    model, revision, engine = IDENTITY.model, IDENTITY.revision, IDENTITY.engine

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt]:
        """One prompt per request."""
        return [Prompt(TEXT, one.task, self.model, self.revision, self.engine, one.seed) for one in requests]


def measure(job: ClipJob) -> SceneSheet:
    """The same sheet for every clip; the file is not opened."""
    return SceneSheet(job.entry.path, 1.0, 64, 48, 8.0, CameraMotion("static", 0.0, 1.0), ())


def stub_source() -> WriterSource:
    """The stub as the engine takes it."""
    return WriterSource(IDENTITY, lambda say: StubWriter())
