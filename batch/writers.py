"""The writer that the user named: who it is at no cost, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidprompter.engines.protocol import BUILTIN, Capabilities, PromptWriter, WriterIdentity


@dataclass(frozen=True)
class WriterSource:
    """identity, capabilities: known without loading. load: gives the writer, ready; takes seconds and memory.

    `load` is handed a function that tells the user, in one line, what was chosen and why.
    """

    identity: WriterIdentity
    load: Callable[[Callable[[str], None]], PromptWriter]
    capabilities: Capabilities = BUILTIN


def writer_source(model: str) -> WriterSource:
    """The writer of that name.

    Raises:
        UnknownModel: no registry entry, folder or hub id of that name.
    """
    from vidprompter.api import VidPrompter

    def load(say: Callable[[str], None]) -> PromptWriter:
        writer = VidPrompter.load(model)
        say(writer.prepare())
        return writer

    return WriterSource(VidPrompter.identify(model), load)
