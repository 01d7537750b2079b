"""What a failed call means: for the run, for its request alone, or only for this attempt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from vidprompter.engines.openai_server.patience import retry_after

SHOWN_CHARACTERS = 200
# Keys as clouds quote them in their messages, half masked or not.
_KEYS = re.compile(r"\b(?:sk|gsk|pk|xai|hf)[-_][\w*.\-]{4,}|(?i:bearer)\s+\S+")
# 429 for ever: the money is spent.
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")


class Weight(Enum):
    """AGAIN: may go better soon. REQUEST: this request never works. RUN: no request will work."""

    AGAIN = "again"
    REQUEST = "request"
    RUN = "run"


@dataclass(frozen=True)
class Failure:
    """text: what happened and, where it helps, what to do; one line without secrets. asked: seconds to wait.

    lost: the server may have worked, and counted tokens, for an answer that never came.
    """

    weight: Weight
    text: str
    asked: float | None = None
    lost: bool = False


def one_line(text: str, *, key: str | None = None) -> str:
    """`text` on one line, at most 200 characters, with the key and whatever looks like one left out."""
    text = " ".join(text.split())
    if key:
        text = text.replace(key, "***")
    text = _KEYS.sub("***", text)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def message_of(body: str) -> tuple[str, str]:
    """(message, code) of a server's error in whichever of the usual forms it comes."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return re.sub(r"<[^>]*>", " ", body), ""
    if not isinstance(found, dict):
        return body, ""
    error = found.get("error", found)
    if not isinstance(error, dict):
        return str(error), ""
    text = error.get("message") or error.get("detail") or error.get("msg") or json.dumps(error)
    return str(text), str(error.get("code") or error.get("type") or "")


def failure_of_status(
    status: int, headers: Mapping[str, str], body: str, *, key: str | None, key_variable: str, url: str
) -> Failure:
    """What an answer other than 200 means."""
    message, code = message_of(body)
    said = f"the server said {status}: {one_line(message, key=key) or 'nothing more'}"
    if status in (401, 403):
        step = f"check the key in {key_variable}" if key else f"put a key into {key_variable}"
        return Failure(Weight.RUN, f"{said} ({step})")
    if status == 404:
        return Failure(Weight.RUN, f"{said} (check the model's name, and whether {url} should end in /v1)")
    if status == 402 or (status == 429 and any(one in (code, message) for one in _NO_MONEY)):
        return Failure(Weight.RUN, f"{said} (the account has no credit left; the same command goes on later)")
    if 300 <= status < 400:
        where = one_line(headers.get("location", "elsewhere").partition("?")[0], key=key)
        return Failure(
            Weight.RUN,
            f"the server said {status}: go to {where} (redirects are not followed; give that address)",
        )
    if status in (408, 409, 425, 429) or status >= 500:
        return Failure(Weight.AGAIN, said, retry_after(headers.get("retry-after")))
    return Failure(Weight.REQUEST, said + _step(status, message))


def _step(status: int, message: str) -> str:
    """What to do about a request that the server does not take."""
    low = message.lower()
    if "max_completion_tokens" in low:
        return " (set token_field to 'max_completion_tokens')"
    if status == 413 or "context" in low or "too long" in low or "too large" in low:
        return " (send fewer or smaller frames)"
    return ""


def failure_of_exception(error: BaseException, *, url: str, seconds: float) -> Failure:
    """What an exception of httpx, or the time limit, means."""
    import ssl

    import httpx

    if any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error)):
        return Failure(
            Weight.RUN,
            f"the certificate of {url} is not trusted: {one_line(str(error))} (SSL_CERT_FILE names a file of trusted ones)",
        )
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return Failure(Weight.RUN, f"{url} cannot be asked: {one_line(str(error))}")
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(Weight.AGAIN, f"{url} did not take the connection in time")
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Failure(Weight.AGAIN, f"no answer from {url} within {seconds:g} s", lost=True)
    if isinstance(error, httpx.ConnectError):
        return Failure(Weight.AGAIN, f"no connection to {url}: {one_line(str(error)) or 'no reason given'}")
    reason = one_line(str(error)) or type(error).__name__
    return Failure(Weight.AGAIN, f"the connection to {url} broke: {reason}", lost=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
