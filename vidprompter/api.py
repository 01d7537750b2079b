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

from vidprompter.errors import VidPrompterError
from vidprompter.tasks import Answer, Prompt, Request, Sampling, Task, TokenLogprobs, Wording

if TYPE_CHECKING:
    from vidprompter.engines.options import EngineOptions
    from vidprompter.engines.protocol import Capabilities, Engine, WriterIdentity
    from vidprompter.video.clip import Clip


class VidPrompter:
    """Writes prompts with one model. Weights are loaded at the first request."""

    def __init__(self, writer: Engine) -> None:
        self._writer = writer

    @property
    def inner(self) -> Engine:
        """The engine itself, without what keeps the wording."""
        from vidprompter.wording.engine import Worded

        return self._writer.inner if isinstance(self._writer, Worded) else self._writer

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do; the rest it refuses with `CapabilityError`."""
        return self._writer.capabilities

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "builtin",
        engine: str = "auto",
        *,
        options: EngineOptions | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> VidPrompter:
        """The model of that name: "builtin", a name of the registry, a folder, a hub id, or `openai:MODEL@URL`.

        engine: "auto" takes what fits the model; else "builtin", "transformers", "openai" or "vllm". Nothing is
        fetched; what is not on this machine is an error that says how to fetch it. say: is told, a line at a time,
        what a user should hear while a server is waited for.

        Raises:
            UnknownModel: nothing of that name; the message suggests near ones.
            WeightsMissing: known, but not here.
            CapabilityError: no such engine, or it cannot run this model.
        """
        from vidprompter.engines.choose import make_engine
        from vidprompter.wording.engine import Worded

        return cls(Worded(make_engine(str(name_or_path), engine, options, say)))

    @classmethod
    def identify(
        cls,
        name_or_path: str | Path = "builtin",
        engine: str = "auto",
        *,
        options: EngineOptions | None = None,
    ) -> WriterIdentity:
        """Who `load` would give, at no cost: nothing is loaded.

        Raises:
            UnknownModel, WeightsMissing, CapabilityError: as `load`.
        """
        from vidprompter.engines.protocol import identity_of

        return identity_of(cls.load(name_or_path, engine, options=options))

    def check(self, sampling: Sampling) -> None:
        """Nothing; known before anything is loaded.

        Raises:
            CapabilityError: this engine cannot do what is asked.
        """
        from vidprompter.engines.protocol import refuse_what_it_cannot

        refuse_what_it_cannot(self._writer, sampling)

    def prepare(self) -> str:
        """Loads the weights now, which the first request would do otherwise; one line on what was chosen.

        Raises:
            ModelError: weights are missing or damaged.
        """
        return self._writer.load()

    def unload(self) -> None:
        """Drops the weights and gives their memory back; the next request loads them again."""
        self._writer.unload()

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
        variant: int = 0,
        sampling: Sampling | None = None,
        wording: Wording | None = None,
    ) -> Prompt:
        """A prompt for a clip: task 1, or task 2 with a short description (which may be wrong).

        A path is read in this process, without the time limit that `vidprompter caption` puts on decoding.

        Raises:
            VideoError: the clip cannot be read.
        """
        task = Task.VIDEO_AND_SHORT_TO_PROMPT if short else Task.VIDEO_TO_PROMPT
        source = Path(video) if isinstance(video, str) else video
        return self._one(
            Request(
                task,
                video=source,
                short=short,
                seed=seed,
                variant=variant,
                sampling=sampling or Sampling(),
                wording=wording or Wording(),
            )
        )

    def expand(
        self,
        short: str,
        *,
        seed: int = 0,
        variant: int = 0,
        sampling: Sampling | None = None,
        wording: Wording | None = None,
    ) -> Prompt:
        """A prompt for a short idea (task 3); another `variant` gives another prompt."""
        return self._one(
            Request(
                Task.SHORT_TO_PROMPT,
                short=short,
                seed=seed,
                variant=variant,
                sampling=sampling or Sampling(),
                wording=wording or Wording(),
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
            CapabilityError: the engine cannot do what one of them asks.
        """
        for sampling in dict.fromkeys(request.sampling for request in requests):
            self.check(sampling)
        return list(self._writer.generate_batch(requests))

    def summary(self) -> str:
        """What the engine has to say when the work is over, such as the tokens it cost; "" for nothing."""
        from vidprompter.engines.protocol import Reports

        return self.inner.summary() if isinstance(self.inner, Reports) else ""

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """For each text its tokens' log-probabilities as the answer to `request`, which is encoded once.

        Of a string the tokens are the tokenizer's, and the end of the answer counts; of a `Prompt` or `Beam` of this
        model they are its own, so that the total equals what generation reported.

        Raises:
            CapabilityError: this engine cannot tell.
        """
        return self._writer.logprobs(request, texts)

    def stream(self, request: Request) -> Iterator[str]:
        """The model's text as it is written, in pieces; nothing of it is checked or mended.

        Raises:
            CapabilityError: this engine cannot stream.
        """
        return self._writer.stream(request)

    def _one(self, request: Request) -> Prompt:
        result = self.generate_batch([request])[0]
        if isinstance(result, VidPrompterError):
            raise result
        return result
