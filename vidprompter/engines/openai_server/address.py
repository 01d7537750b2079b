"""Where the server is and which key it gets: `openai:MODEL@BASE_URL`, and the environment."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from vidprompter.errors import InputError

PREFIX = "openai:"
ADDRESS_VARIABLE = "OPENAI_BASE_URL"
KEY_VARIABLE = "OPENAI_API_KEY"
_CALL = "/chat/completions"


@dataclass(frozen=True)
class Address:
    """A checked base URL, without a slash at its end, such as `http://localhost:8000/v1`."""

    url: str
    host: str
    encrypted: bool

    @property
    def loopback(self) -> bool:
        """Whether it is this machine; no proxy is asked for it then."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def digest(self, model: str) -> str:
        """12 hexadecimal digits that stand for this address and `model`; no key goes into them."""
        return hashlib.sha256(f"{self.url}\x1f{model}".encode()).hexdigest()[:12]


def parse_name(text: str) -> tuple[str, str]:
    """(model, base URL) of `openai:MODEL@BASE_URL`; `openai:` may be left out.

    Without `@BASE_URL` the environment variable OPENAI_BASE_URL says where; there is no address of our own.

    Raises:
        InputError: there is no model or no address, or the address cannot be used.
    """
    name = text.strip().removeprefix(PREFIX)
    # A model's own name may hold an @, so what follows must look like an address.
    at = max(name.rfind("@http://"), name.rfind("@https://"))
    model, url = (name[:at], name[at + 1 :]) if at >= 0 else (name, os.environ.get(ADDRESS_VARIABLE, ""))
    if not model.strip():
        raise InputError(
            f"{without_secrets(text)!r} names no model; write openai:MODEL@http://HOST:PORT/v1, with the model's name "
            "as the server lists it"
        )
    if not url.strip():
        raise InputError(
            f"model {model!r} needs a server: write openai:{model}@http://HOST:PORT/v1 or set {ADDRESS_VARIABLE}"
        )
    return model.strip(), checked_address(url).url


def checked_address(url: str) -> Address:
    """`url` as an address.

    Raises:
        InputError: it is no http(s) address, or holds a user name, a query or the path of one call.
    """
    shown = without_secrets(url)
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(
            f"base URL {shown!r} is not an address ({error}); write http://HOST:PORT/v1"
        ) from None
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(f"base URL {shown!r} is not an http(s) address; write http://HOST:PORT/v1")
    if parts.username is not None or parts.password is not None:
        raise InputError(
            f"base URL {shown!r} holds a user name or password; take it out and put the key into the environment "
            f"variable {KEY_VARIABLE}"
        )
    if parts.query or parts.fragment:
        raise InputError(f"base URL {shown!r} holds a query or fragment; write http://HOST:PORT/v1")
    path = parts.path.rstrip("/")
    if path.endswith(_CALL):
        raise InputError(f"base URL {shown!r} is that of one call; leave {_CALL} out")
    return Address(f"{parts.scheme}://{parts.netloc}{path}", host, parts.scheme == "https")


def read_key(variable: str) -> str | None:
    """The key in the environment variable `variable`; None where it is not set or empty.

    Raises:
        InputError: it holds what no HTTP header can carry. The message does not show it.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            f"the key in {variable} holds a space or a character that is not ASCII; copy it again"
        )
    return key


def without_secrets(url: str) -> str:
    """`url` for messages: whatever stands before an @ in the host is left out."""
    head, slashes, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    host = "***@" + host.rpartition("@")[2] if slashes and "@" in host else host
    return f"{head}{slashes}{host}{slash}{path.partition('?')[0]}"
