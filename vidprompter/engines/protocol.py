"""What the batch engine asks of anything that writes prompts; `vidprompter.VidPrompter` is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vidprompter.errors import CapabilityError, VidPrompterError
from vidprompter.tasks import Answer, Prompt, Request, Sampling, TokenLogprobs


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do; what it cannot do it refuses with `CapabilityError`.

    logprobs: the probabilities of given texts, and with them evidence per word. streaming: text as it is written.
    frames: wants the frames of a clip; False: a scene sheet stands for them. languages: writes others than English.
    candidates: how many are drawn for a request that does not say. choice: draws several and keeps the best.
    """

    video: bool
    beams: bool
    logprobs: bool
    streaming: bool
    frames: bool = False
    languages: bool = False
    candidates: int = 1
    choice: bool = True


BUILTIN = Capabilities(video=True, beams=True, logprobs=True, streaming=True, candidates=4)
"""What the built-in engine can do."""


@dataclass(frozen=True)
class WriterIdentity:
    """Who writes: known before any weight is loaded, so that a finished run is resumed without a model."""

    model: str
    revision: str
    engine: str


class PromptWriter(Protocol):
    """Turns requests into prompts, many at a time."""

    @property
    def model(self) -> str:
        """The model's registry name, folder or hub id."""
        ...

    @property
    def revision(self) -> str:
        """The pinned revision of its weights."""
        ...

    @property
    def engine(self) -> str:
        """What runs it, e.g. "transformers"."""
        ...

    def generate_batch(self, requests: Sequence[Request]) -> Sequence[Prompt | VidPrompterError]:
        """One result per request, in their order; a request that cannot be answered gives its error."""
        ...


class Engine(PromptWriter, Protocol):
    """A writer whose weights are loaded when first needed, or before."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, known before anything is loaded."""
        ...

    def load(self) -> str:
        """Loads the weights now; one line on what was chosen and why."""
        ...

    def unload(self) -> None:
        """Drops the weights and gives their memory back; the next request loads them again."""
        ...

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """For each text its tokens' log-probabilities as the answer to `request`, which is encoded once.

        Raises:
            CapabilityError: this engine cannot tell.
        """
        ...

    def stream(self, request: Request) -> Iterator[str]:
        """The model's text as it is written, in pieces; unlike `generate_batch` nothing is checked or mended.

        Raises:
            CapabilityError: this engine cannot stream.
        """
        ...


@runtime_checkable
class SharesCores(Protocol):
    """A writer that computes on the cores which others use too.

    spare_cores: how many of them it may use just now, asked again and again while it writes; None: all of them.
    The number of threads may change results in the last bits.
    """

    spare_cores: Callable[[], int] | None


@runtime_checkable
class Reports(Protocol):
    """A writer that has something to say when a run is over, such as what it cost."""

    def summary(self) -> str:
        """One line; "" for nothing."""
        ...


def identity_of(writer: PromptWriter) -> WriterIdentity:
    """The identity of a loaded writer."""
    return WriterIdentity(writer.model, writer.revision, writer.engine)


def refuse_what_it_cannot(engine: Engine, sampling: Sampling) -> None:
    """Nothing.

    Raises:
        CapabilityError: the engine cannot do what is asked.
    """
    can = engine.capabilities
    if sampling.beams > 1 and not can.beams:
        raise CapabilityError(
            f"{engine.model} ({engine.engine}) has no beam search, and {sampling.beams} beams were asked for; "
            "leave out the beams, or take a model that runs in transformers"
        )
    if (sampling.candidates or 1) > 1 and not can.choice:
        raise CapabilityError(
            f"{engine.model} ({engine.engine}) draws one candidate for a prompt, and {sampling.candidates} were asked "
            "for; leave them out (several prompts are --per-clip or -n)"
        )
