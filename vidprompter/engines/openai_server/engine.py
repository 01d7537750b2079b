"""The engine for OpenAI-compatible servers: frames or files out, prompts in, many calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vidprompter.engines.asking import answer_text
from vidprompter.engines.openai_server.address import KEY_VARIABLE, checked_address, parse_name, read_key
from vidprompter.engines.openai_server.answers import (
    Answer,
    ThoughtFilter,
    answer_of,
    events,
    piece_of,
)
from vidprompter.engines.openai_server.messages import (
    BodyOptions,
    Content,
    Send,
    TokenField,
    body_of,
    content_of,
    seed,
)
from vidprompter.engines.openai_server.patience import Patience
from vidprompter.engines.openai_server.pictures import PictureOptions
from vidprompter.engines.openai_server.served import greeting, near
from vidprompter.engines.openai_server.spending import Prices, Spending, Till, prices_of_environment, usage_of
from vidprompter.engines.openai_server.transport import Door, Transport
from vidprompter.engines.protocol import Capabilities
from vidprompter.errors import CapabilityError, GenerationError, InputError, ModelError, VidPrompterError
from vidprompter.tasks import Answer as GivenAnswer
from vidprompter.tasks import Prompt, Request, TokenLogprobs

if TYPE_CHECKING:
    import httpx

# As many requests in a row without an answer, and the server is no longer asked.
FRUITLESS = 16


class OpenAIEngine:
    """A model behind an OpenAI-compatible server. Nothing is asked of the network before `load` or a request.

    frames, max_side: how many pictures of a clip, and their longer side in pixels at most. send: "frames" as pictures,
    or the "file" whole, as `video_url`. concurrency: calls at once; give `generate_batch` at least as many requests,
    better four times as many. timeout_seconds: for one call, whole. attempts: of one request; the first wait is up to
    `first_wait_seconds`, each next one up to twice that, 30 s at most; `Retry-After` is honoured up to
    `retry_after_cap_seconds`. token_field, leave_out, extra: see `BodyOptions`. prices: else those of the environment.
    template: path of an instruction of one's own.
    say: is told what a user should hear while it works.

    Several candidates are refused: there are no facts here to choose by, and each would cost money.
    """

    engine = "openai"
    capabilities = Capabilities(
        video=True, beams=False, logprobs=False, streaming=True, frames=True, languages=True, choice=False
    )

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        key_variable: str = KEY_VARIABLE,
        frames: int = 8,
        max_side: int = 768,
        send: Send = "frames",
        concurrency: int = 8,
        timeout_seconds: float = 120.0,
        attempts: int = 6,
        first_wait_seconds: float = 0.5,
        retry_after_cap_seconds: float = 60.0,
        max_file_bytes: int = 50_000_000,
        token_field: TokenField = "max_tokens",
        leave_out: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
        prices: Prices | None = None,
        template: str | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        if not model.strip():
            raise InputError("the model has no name; give the one that the server lists")
        if not 1 <= concurrency <= 1024:
            raise InputError(f"concurrency is {concurrency}; it must be between 1 and 1024")
        if not 0 < timeout_seconds <= 86_400:
            raise InputError(f"timeout_seconds is {timeout_seconds}; it must be above 0 and at most 86400")
        self.model = model.strip()
        self._address = checked_address(base_url)
        self._key_variable, self._concurrency, self._timeout = key_variable, concurrency, timeout_seconds
        self._patience = Patience(attempts, first_wait_seconds, cap_seconds=retry_after_cap_seconds)
        self._body = BodyOptions(
            send,
            PictureOptions(frames, max_side, max_file_bytes=max_file_bytes),
            token_field,
            tuple(leave_out),
            dict(extra or {}),
            template,
        )
        self._till = Till(prices if prices is not None else prices_of_environment())
        self._say = say
        self._greeted: str | None = None
        self._listed: tuple[str, ...] = ()
        self._fruitless = 0

    @classmethod
    def named(cls, name: str, **options: Any) -> OpenAIEngine:
        """The engine of `openai:MODEL@BASE_URL`; options as of the class.

        Raises:
            InputError: as `parse_name`.
        """
        model, base_url = parse_name(name)
        return cls(model, base_url=base_url, **options)

    def __repr__(self) -> str:
        return f"OpenAIEngine({self.model!r}, base_url={self.base_url!r})"

    @property
    def base_url(self) -> str:
        """Where the server is; there is no key in it."""
        return self._address.url

    @property
    def revision(self) -> str:
        """`server.` and 12 digits that stand for address and model. Which weights are there only the server knows."""
        return f"server.{self._address.digest(self.model)}"

    @cached_property
    def _transport(self) -> Transport:
        key = read_key(self._key_variable)
        door = Door(self._address, key, self._key_variable, self._timeout, self._concurrency)
        return Transport(door, self._patience, self._till, self._say)

    def load(self) -> str:
        """Asks the server once whether it is there and has the model; one line on what was found.

        Raises:
            ModelError: it is not there, does not let us in, or does not have the model.
        """
        if self._greeted is None:
            models = self._transport.models()
            self._listed = tuple(str(one.get("id", "")) for one in models or ())
            said = greeting(self.model, models)
            self._greeted = f"{self.model} at {self.base_url}: {said}{self._warning()}"
        return self._greeted

    def _warning(self) -> str:
        door = self._transport.door
        if not door.key or door.address.encrypted or door.address.loopback:
            return ""
        return f"; warning: the key goes to {door.address.host} unencrypted (http), where others may read it"

    def unload(self) -> None:
        """Forgets the key and what the server said; the next request asks again."""
        self.__dict__.pop("_transport", None)
        self._greeted, self._listed = None, ()

    def logprobs(self, request: Request, texts: Sequence[GivenAnswer]) -> list[TokenLogprobs]:
        """Servers of this kind tell no probabilities of given texts.

        Raises:
            CapabilityError: always.
        """
        raise CapabilityError(
            f"{self.model} is behind a server, which tells no log-probabilities of given texts; load its weights here"
        )

    def spending(self) -> Spending:
        """Calls, tokens and money since this engine was made."""
        return self._till.total()

    def summary(self) -> str:
        """One line on what was spent, for the end of a run."""
        return f"{self.model}: {self.spending().line()}"

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        """One result per request, in order; a request that cannot be answered gives its error.

        When 16 requests in a row got no answer, those that were not sent yet give an error; the next call, or this
        one if nothing of it was answered, raises.

        Raises:
            CapabilityError: a request asks for beams; nothing was sent then.
            ModelError: no call can work (key, model, address), or the server has stopped answering. Calls that were
                under way are broken off.
        """
        self._check(requests)
        self.load()
        if self._fruitless >= FRUITLESS:
            raise self._given_up()
        results = _run(self._all(requests))
        if self._fruitless >= FRUITLESS and not any(isinstance(one, Prompt) for one in results):
            raise self._given_up([one for one in results if isinstance(one, GenerationError)])
        return results

    def _check(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if request.sampling.beams > 1:
                raise CapabilityError(
                    f"beams is {request.sampling.beams}, and {self.model} is behind a server, which does no beam search; "
                    "take beams 1, or load its weights here"
                )

    def _given_up(self, errors: Sequence[GenerationError] = ()) -> ModelError:
        count, self._fruitless = self._fruitless, 0
        last = f"; the first: {errors[0]}" if errors else ""
        return ModelError(f"{self.base_url} left {count} requests in a row without an answer{last}")

    async def _all(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        gate = asyncio.Semaphore(self._concurrency)
        tasks: list[asyncio.Task[Prompt | VidPrompterError]] = []
        async with self._transport.client() as client:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._gated(gate, client, one)) for one in requests]
            except BaseExceptionGroup as group_error:
                # All others are broken off by now; several may have failed alike at the same moment.
                raise self._first(group_error) from None
        return [task.result() for task in tasks]

    def _first(self, group: BaseExceptionGroup[BaseException]) -> BaseException:
        """The error that ends the run: of the server where there is one, else the first."""
        hopeless = [one for one in group.exceptions if isinstance(one, ModelError)]
        return self._explained(hopeless[0]) if hopeless else group.exceptions[0]

    def _explained(self, error: ModelError) -> ModelError:
        close = near(self.model, self._listed) if self.model not in self._listed else []
        more = f"; the server lists {', '.join(close)}" if close and " 404" in str(error) else ""
        return ModelError(f"{self.model}: {error}{more}")

    async def _gated(
        self, gate: asyncio.Semaphore, client: httpx.AsyncClient, request: Request
    ) -> Prompt | VidPrompterError:
        # Frames are decoded inside the gate too, so that no more requests than `concurrency` hold theirs.
        async with gate:
            if self._fruitless >= FRUITLESS:
                return GenerationError(
                    f"not sent: {self._fruitless} requests before it got no answer (--retry-failed sends it)"
                )
            try:
                content = await asyncio.to_thread(content_of, request, self._body)
            except ModelError:
                raise
            except VidPrompterError as error:
                return error
            try:
                return await self._written(client, request, content)
            except GenerationError as error:
                self._till.add(failed=1)
                return error

    async def _asked(self, client: httpx.AsyncClient, body: bytes) -> dict[str, Any]:
        """The answer's JSON; counts how many requests in a row had none."""
        try:
            answer = await self._transport.ask(client, body)
        except GenerationError:
            self._fruitless += 1
            raise
        self._fruitless = 0
        return answer

    async def _written(self, client: httpx.AsyncClient, request: Request, content: Content) -> Prompt:
        """The prompt; a text that goes in circles is drawn again, and marked if it stays one that does."""
        from vidprompter.wording.loops import MAX_RETRIES, is_loop

        # What an instruction of its own gets is raw: whoever asked knows a good answer from a bad one.
        retries = MAX_RETRIES if request.instruction is None else 0
        best: tuple[int, Answer, bool] | None = None
        for attempt in range(1 + retries):
            try:
                answer = answer_of(await self._asked(client, self._json(request, content, attempt)))
                answer = replace(answer, text=answer_text(request, answer.text))
            except GenerationError:
                if best is None:
                    raise
                break
            loops = is_loop(answer.text)
            best = (attempt, answer, loops)
            if not loops:
                break
        assert best is not None
        return self._prompt(request, content, *best)

    def _json(self, request: Request, content: Content, attempt: int = 0, stream: bool = False) -> bytes:
        return body_of(request, content, model=self.model, options=self._body, attempt=attempt, stream=stream)

    def _prompt(
        self, request: Request, content: Content, attempt: int, answer: Answer, loops: bool
    ) -> Prompt:
        usage = answer.usage
        flags = (
            *answer.flags,
            *(("retried:loop",) if attempt else ()),
            *(("unknown:tokens",) if usage is None else ()),
        )
        left_out = {"leave_out": list(self._body.leave_out)} if self._body.leave_out else {}
        extra = {"extra": dict(self._body.extra)} if self._body.extra else {}
        return Prompt(
            text=answer.text,
            task=request.task,
            model=self.model,
            revision=self.revision,
            engine=self.engine,
            seed=request.seed,
            variant=request.variant,
            finish="loop" if loops else answer.finish,
            tokens_in=usage.prompt if usage else 0,
            tokens_out=usage.completion if usage else 0,
            flags=flags,
            settings=request.sampling.fields()
            | {"candidates": 1, "server": self.base_url, "server_seed": seed(request, attempt)}
            | left_out
            | extra
            | dict(content.told)
            | answer.told,
            sheet=request.sheet,
        )

    def stream(self, request: Request) -> Iterator[str]:
        """The model's text as it is written, in pieces; nothing is checked. New attempts end where the text begins.

        Raises:
            CapabilityError, ModelError: as `generate_batch`.
            GenerationError: no answer, or one that broke off.
        """
        self._check([request])
        self.load()
        content = content_of(request, self._body)
        thoughts, usage, ended, wrote = ThoughtFilter(), None, False, False
        with self._transport.lines(self._json(request, content, stream=True)) as lines:
            for event in events(lines):
                piece, reason = piece_of(event)
                usage, ended = usage_of(event) or usage, ended or reason is not None
                if shown := thoughts.pass_on(piece):
                    wrote = True
                    yield shown
        self._till.take(usage)
        if rest := thoughts.rest():
            wrote = True
            yield rest
        if not ended:
            raise GenerationError("the server broke the stream off before its end; ask again")
        if not wrote:
            raise GenerationError("the model wrote nothing; try another seed or more max_new_tokens")


def _run(work: Coroutine[Any, Any, list[Prompt | VidPrompterError]]) -> list[Prompt | VidPrompterError]:
    """What `work` gives; where an event loop runs already (a notebook), in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
