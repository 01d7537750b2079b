"""A proxy on loopback that passes calls on to a real server, and spoils some of them on the way.

Calls are counted by their X-Request-Id, whose last part is the number of the attempt.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import urlsplit

CHAT = "/v1/chat/completions"


@dataclass(frozen=True, eq=False)
class Fault:
    """What is answered instead. hang: seconds in which nothing is answered. cut: the answer breaks off."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "made by the fault proxy"}}'
    hang: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Call:
    """One call that arrived. name: of the request it belongs to; answer: what the server said, if it was asked."""

    name: str
    time: float
    key: str | None
    body: dict[str, Any]
    fault: Fault | None
    answer: dict[str, Any] | None = None


Plan = Callable[[int], Fault | None]


def seeded(share: float, faults: list[Fault], seed: int = 0) -> Plan:
    """A plan that spoils `share` of the calls, with each of `faults` in turn."""
    rng, turn = Random(seed), iter(range(10**9))
    return lambda number: faults[next(turn) % len(faults)] if rng.random() < share else None


class FaultProxy:
    """Listens on a free port while in its `with` block. plan: the fault of the n-th chat call, or None."""

    def __init__(self, upstream: str, plan: Plan = lambda number: None) -> None:
        self.plan = plan
        self.calls: list[Call] = []
        self.list_faults: list[Fault] = []  # of the next calls that ask what is served
        self._upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._number = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fault = proxy.list_faults.pop(0) if proxy.list_faults else None
                if fault is None:
                    self._pass_on(b"")
                else:
                    self._spoil(fault)

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                fault = proxy._fault_of(self.path)
                arrived = time.monotonic()
                if fault is None:
                    proxy._note(self, data, arrived, None, self._pass_on(data))
                else:
                    proxy._note(self, data, arrived, fault, None)
                    self._spoil(fault)

            def _spoil(self, fault: Fault) -> None:
                if fault.hang:
                    proxy._over.wait(fault.hang)
                    self.close_connection = True
                    return
                self.send_response(fault.status)
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                data = fault.body.encode()
                self.send_header("Content-Length", str(len(data) + 99 * fault.cut))
                self.end_headers()
                self.wfile.write(data)
                self.close_connection = fault.cut

            def _pass_on(self, data: bytes) -> dict[str, Any] | None:
                upstream = http.client.HTTPConnection(proxy._upstream, timeout=120)
                try:
                    upstream.request(
                        self.command, self.path, data or None, {"Content-Type": "application/json"}
                    )
                    response = upstream.getresponse()
                    body = response.read()
                finally:
                    upstream.close()
                self.send_response(response.status)
                self.send_header("Content-Type", response.getheader("Content-Type") or "")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return json.loads(body) if response.status == 200 and data else None

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients that left
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def served(self) -> Counter[str]:
        """How often the server answered each request."""
        with self._lock:
            return Counter(call.name for call in self.calls if call.answer is not None)

    def _fault_of(self, path: str) -> Fault | None:
        if path != CHAT:
            return None
        with self._lock:
            self._number += 1
            return self.plan(self._number - 1)

    def _note(
        self, handler: Any, data: bytes, arrived: float, fault: Fault | None, answer: dict[str, Any] | None
    ) -> None:
        name = handler.headers.get("X-Request-Id", "").rpartition("-")[0]
        key = handler.headers.get("Authorization")
        with self._lock:
            self.calls.append(Call(name, arrived, key, json.loads(data), fault, answer))
