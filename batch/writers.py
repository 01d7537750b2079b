"""The writer that the user named: who it is at no cost, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidprompter.engines.protocol import PromptWriter, WriterIdentity


@dataclass(frozen=True)
class WriterSource:
    """identity: known without loading. load: gives the writer; takes seconds and memory."""

    identity: WriterIdentity
    load: Callable[[], PromptWriter]


def writer_source(model: str) -> WriterSource:
    """The writer of that name.

    Raises:
        UnknownModel: no registry entry, folder or hub id of that name.
    """
    from vidprompter.api import VidPrompter

    return WriterSource(VidPrompter.identify(model), lambda: VidPrompter.load(model))
