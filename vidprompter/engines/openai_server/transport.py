"""Calls to the server: time limits, new attempts, and which failures end what.

Connections to this machine never go through a proxy; others go where the environment says. Redirects are not followed,
so that the key goes to the given address alone.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from vidprompter.engines.openai_server.failures import (
    Failure,
    Weight,
    failure_of_exception,
    failure_of_status,
    one_line,
)
from vidprompter.engines.openai_server.patience import Patience
from vidprompter.engines.openai_server.spending import Till, usage_of
from vidprompter.errors import GenerationError, ModelError

if TYPE_CHECKING:
    import httpx

    from vidprompter.engines.openai_server.address import Address

CONNECT_SECONDS = 10.0
_CHAT = "/chat/completions"
# A server that answers a GET /models so has no list: nothing follows for its chat completions. (500: `transformers
# serve` on a machine without a hub cache.) 503 is none of them: llama.cpp says so while it loads.
_NO_LIST = (404, 405, 500, 501)


@dataclass(frozen=True)
class Door:
    """How the server is reached. key: never shown by `repr`, since this class has its own."""

    address: Address
    key: str | None
    key_variable: str
    timeout_seconds: float
    concurrency: int

    def __repr__(self) -> str:
        return f"Door({self.address.url!r}, key {'set' if self.key else 'not set'})"

    def headers(self) -> dict[str, str]:
        """Sent with each call."""
        said = {"Content-Type": "application/json", "User-Agent": "vidprompter"}
        return said | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def options(self) -> dict[str, Any]:
        """What a client of httpx is made with."""
        import httpx

        return {
            "headers": self.headers(),
            "timeout": httpx.Timeout(
                self.timeout_seconds, connect=min(CONNECT_SECONDS, self.timeout_seconds), pool=None
            ),
            "limits": httpx.Limits(max_connections=self.concurrency),
            "trust_env": not self.address.loopback,
            "follow_redirects": False,
        }


class Transport:
    """Sends bodies and gives answers; counts calls and tokens in `till`, waits by `patience`."""

    def __init__(self, door: Door, patience: Patience, till: Till, say: Callable[[str], None]) -> None:
        self.door, self._patience, self._till, self._say = door, patience, till, say
        # Waits differ from run to run on purpose; no text depends on them.
        self._rng = Random()

    # ---- many calls at once ---------------------------------------------------------------------------------

    def client(self) -> httpx.AsyncClient:
        """A client for one event loop."""
        import httpx

        with self._can_be_made():
            return httpx.AsyncClient(**self.door.options())

    async def ask(self, client: httpx.AsyncClient, body: bytes) -> dict[str, Any]:
        """The JSON of the answer to `body`, after as many attempts as it takes.

        Raises:
            ModelError: no call can work (key, model or address are wrong).
            GenerationError: this one does not work, or not within the attempts.
        """
        name = uuid.uuid4().hex
        for tried in range(self._patience.attempts):
            result = await self._attempt(client, body, f"{name}-{tried}")
            if isinstance(result, dict):
                return result
            wait = self._wait(result, tried)
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, client: httpx.AsyncClient, body: bytes, name: str) -> dict[str, Any] | Failure:
        import httpx

        self._till.add(calls=1)
        try:
            # httpx limits each read; this limits the call, however slowly bytes drip.
            async with asyncio.timeout(self.door.timeout_seconds):
                response = await client.post(
                    self.door.address.url + _CHAT, content=body, headers={"X-Request-Id": name}
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return self._broken(error)
        return self._judged(response)

    # ---- one call at a time ---------------------------------------------------------------------------------

    def models(self) -> list[dict[str, Any]] | None:
        """What `GET /models` lists; None where the server has no list that can be read.

        Raises:
            ModelError: the server cannot be reached, or does not let us in.
        """
        import httpx

        with self._can_be_made():
            client = httpx.Client(**self.door.options())
        with client:
            for tried in range(self._patience.attempts):
                try:
                    response = client.get(self.door.address.url + "/models")
                except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                    failure = self._broken(error)
                else:
                    if response.status_code == 200:
                        return _listed(response)
                    failure = self._refused(response)
                    if failure.weight is Weight.REQUEST or response.status_code in _NO_LIST:
                        return None
                if failure.weight is Weight.RUN or tried + 1 == self._patience.attempts:
                    raise ModelError(
                        f"{failure.text}; is the server started, and is this its address?"
                        if failure.weight is Weight.AGAIN
                        else failure.text
                    )
                time.sleep(self._wait(failure, tried))
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def lines(self, body: bytes) -> Iterator[Iterator[str]]:
        """The lines of a streamed answer; new attempts are made until the answer begins.

        Raises:
            ModelError, GenerationError: as `ask`; also when the stream breaks off.
        """
        import httpx

        with self._can_be_made():
            client = httpx.Client(**self.door.options())
        with client:
            response = self._opened(client, body)
            try:
                yield response.iter_lines()
            except (httpx.HTTPError, OSError) as error:
                raise GenerationError(self._broken(error).text) from None
            finally:
                response.close()

    def _opened(self, client: httpx.Client, body: bytes) -> httpx.Response:
        import httpx

        name = uuid.uuid4().hex
        for tried in range(self._patience.attempts):
            self._till.add(calls=1)
            request = client.build_request(
                "POST",
                self.door.address.url + _CHAT,
                content=body,
                headers={"X-Request-Id": f"{name}-{tried}"},
            )
            try:
                response = client.send(request, stream=True)
                if response.status_code == 200:
                    return response
                response.read()
                failure = self._refused(response)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                failure = self._broken(error)
            time.sleep(self._wait(failure, tried))
        raise AssertionError("the last attempt returns or raises")

    # ---- what a failure means -------------------------------------------------------------------------------

    def _judged(self, response: httpx.Response) -> dict[str, Any] | Failure:
        if response.status_code != 200:
            return self._refused(response)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return Failure(
                Weight.AGAIN, f"the server's answer is no JSON object: {self._short(response.text)}"
            )
        error = body.get("error")
        if error and not body.get("choices"):  # routers answer 200 with the error of the server behind them
            code = error.get("code") if isinstance(error, dict) else None
            return self._refused(response, code if isinstance(code, int) and 400 <= code < 600 else 500)
        self._till.take(usage_of(body))
        return body

    def _refused(self, response: httpx.Response, status: int | None = None) -> Failure:
        return failure_of_status(
            status or response.status_code,
            response.headers,
            response.text,
            key=self.door.key,
            key_variable=self.door.key_variable,
            url=self.door.address.url,
        )

    def _broken(self, error: BaseException) -> Failure:
        failure = failure_of_exception(error, url=self.door.address.url, seconds=self.door.timeout_seconds)
        if failure.lost:
            self._till.add(lost=1)
        return failure

    def _wait(self, failure: Failure, tried: int) -> float:
        """Seconds until the next attempt.

        Raises:
            ModelError, GenerationError: there is none.
        """
        if failure.weight is Weight.RUN:
            raise ModelError(failure.text)
        if failure.weight is Weight.REQUEST:
            raise GenerationError(failure.text)
        if tried + 1 >= self._patience.attempts:
            raise GenerationError(f"{failure.text} ({tried + 1} attempts; --retry-failed tries again later)")
        if failure.asked is not None and failure.asked > self._patience.cap_seconds:
            self._till.add(cut_waits=1)
            self._say(
                f"the server asks to wait {failure.asked:.0f} s; waiting {self._patience.cap_seconds:g} s, which is the cap"
            )
        return self._patience.seconds(tried, failure.asked, self._rng)

    def _short(self, text: str) -> str:
        return one_line(text, key=self.door.key)

    @contextmanager
    def _can_be_made(self) -> Iterator[None]:
        """A client that cannot be made (a proxy of the environment that httpx does not know) is a ModelError."""
        try:
            yield
        except (ImportError, ValueError, OSError) as error:
            raise ModelError(
                f"no connection can be made with the proxies or certificates of the environment: {self._short(str(error))}"
            ) from None


def _listed(response: httpx.Response) -> list[dict[str, Any]] | None:
    """The entries of a list of models; None where the answer is none."""
    try:
        body: Any = json.loads(response.text)
    except ValueError:
        return None
    data = body.get("data") if isinstance(body, dict) else None
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else None
