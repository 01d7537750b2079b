"""The Python door: load a model by name, write prompts.

>>> from vidprompter import VidPrompter                              # doctest: +SKIP
>>> vp = VidPrompter.load("builtin")                                 # doctest: +SKIP
>>> vp.caption("clip.mp4").text                                      # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from vidprompter.errors import CapabilityError, UnknownModel, VidPrompterError
from vidprompter.tasks import Prompt, Request, Sampling, Task

if TYPE_CHECKING:
    from vidprompter.engines.protocol import Capabilities, Engine, WriterIdentity
    from vidprompter.video.clip import Clip


def _known(name: str, engine: str) -> None:
    if engine not in ("auto", "builtin"):
        raise CapabilityError(f"engine {engine!r} is not here; this version has 'auto' and 'builtin'")
    if name != "builtin":
        raise UnknownModel(
            f"model {name!r} is unknown; this version writes with 'builtin' (`vidprompter models list`)"
        )


class VidPrompter:
    """Writes prompts with one model. Weights are loaded at the first request."""

    def __init__(self, writer: Engine) -> None:
        self._writer = writer

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do; the rest it refuses with `CapabilityError`."""
        return self._writer.capabilities

    @classmethod
    def load(cls, name_or_path: str = "builtin", engine: str = "auto") -> VidPrompter:
        """The model of that name.

        Raises:
            UnknownModel: this version knows `builtin` alone.
            CapabilityError: no such engine.
        """
        _known(name_or_path, engine)
        from vidprompter.engines.builtin import BuiltinEngine

        return cls(BuiltinEngine())

    @classmethod
    def identify(cls, name_or_path: str = "builtin", engine: str = "auto") -> WriterIdentity:
        """Who `load` would give, at no cost: nothing is loaded.

        Raises:
            UnknownModel: this version knows `builtin` alone.
            CapabilityError: no such engine.
        """
        from vidprompter.engines.protocol import identity_of

        return identity_of(cls.load(name_or_path, engine))

    def prepare(self) -> str:
        """Loads the weights now, which the first request would do otherwise; one line on what was chosen.

        Raises:
            ModelError: weights are missing or damaged.
        """
        return self._writer.load()

    @property
    def model(self) -> str:
        """The model's name."""
        return self._writer.model

    @property
    def revision(self) -> str:
        """The pinned revision of its weights."""
        return self._writer.revision

    @property
    def engine(self) -> str:
        """What runs it."""
        return self._writer.engine

    @property
    def spare_cores(self) -> Callable[[], int] | None:
        """How many cores the model may use just now, see `SharesCores`; None: all, or no say in it."""
        from vidprompter.engines.protocol import SharesCores

        return self._writer.spare_cores if isinstance(self._writer, SharesCores) else None

    @spare_cores.setter
    def spare_cores(self, ask: Callable[[], int] | None) -> None:
        from vidprompter.engines.protocol import SharesCores

        if isinstance(self._writer, SharesCores):
            self._writer.spare_cores = ask

    def caption(
        self,
        video: str | Path | Clip,
        short: str | None = None,
        *,
        seed: int = 0,
        sampling: Sampling | None = None,
    ) -> Prompt:
        """A prompt for a clip: task 1, or task 2 with a short description (which may be wrong).

        A path is read in this process, without the time limit that `vidprompter caption` puts on decoding.

        Raises:
            VideoError: the clip cannot be read.
        """
        task = Task.VIDEO_AND_SHORT_TO_PROMPT if short else Task.VIDEO_TO_PROMPT
        source = Path(video) if isinstance(video, str) else video
        return self._one(Request(task, video=source, short=short, seed=seed, sampling=sampling or Sampling()))

    def expand(
        self, short: str, *, seed: int = 0, variant: int = 0, sampling: Sampling | None = None
    ) -> Prompt:
        """A prompt for a short idea (task 3); another `variant` gives another prompt."""
        return self._one(
            Request(
                Task.SHORT_TO_PROMPT, short=short, seed=seed, variant=variant, sampling=sampling or Sampling()
            )
        )

    def generate(self, requests: Iterable[Request], *, batch: int = 8) -> Iterator[Prompt | VidPrompterError]:
        """One result per request, in order; `batch` requests are written at once."""
        remaining = iter(requests)
        while part := list(islice(remaining, batch)):
            yield from self.generate_batch(part)

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        """One result per request, in order; a request that cannot be answered gives its error.

        Raises:
            OutOfMemory: the memory does not hold so many at once; with fewer it may.
        """
        return list(self._writer.generate_batch(requests))

    def _one(self, request: Request) -> Prompt:
        result = self.generate_batch([request])[0]
        if isinstance(result, VidPrompterError):
            raise result
        return result
