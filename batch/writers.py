"""The writer that the user named: who it is at no cost, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidprompter.engines.protocol import BUILTIN, Capabilities, PromptWriter, WriterIdentity, identity_of

if TYPE_CHECKING:
    from batch.commands.writing import Writing


@dataclass(frozen=True)
class WriterSource:
    """identity, capabilities: known without loading. load: gives the writer, ready; takes seconds and memory.

    `load` is handed a function that tells the user, in one line, what was chosen and why.
    """

    identity: WriterIdentity
    load: Callable[[Callable[[str], None]], PromptWriter]
    capabilities: Capabilities = BUILTIN


def writer_source(writing: Writing, say: Callable[[str], None]) -> WriterSource:
    """The writer that was chosen. say: is told what a user should hear while it works.

    Raises:
        UnknownModel: no registry entry, folder or hub id of that name.
        WeightsMissing: known, but not here.
        CapabilityError: it cannot do what is asked.
    """
    from vidprompter.api import VidPrompter

    writer = VidPrompter.load(writing.model, writing.engine, options=writing.options, say=say)
    writer.check(writing.sampling)

    def load(tell: Callable[[str], None]) -> PromptWriter:
        tell(writer.prepare())
        return writer

    return WriterSource(identity_of(writer), load, writer.capabilities)
