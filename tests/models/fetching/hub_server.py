"""A small model hub on loopback: real sockets, the addresses and headers that the hub's own library expects."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep
from typing import Any

from tests.models.hub_files import COMMIT


@dataclass
class Hub:
    """What the hub holds, and what it was asked. revisions: name -> commit; files: by commit."""

    repo: str
    files: dict[str, dict[str, bytes]]
    revisions: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    gated: bool = False
    break_after: int | None = None  # bytes of an answer after which the line goes dead
    breaks: int = 1_000_000  # how often it does
    slow_down_at: int | None = None  # bytes of a file from which on it trickles
    altered: bool = False  # sends weights other than it says
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def settings(self, **more: str) -> dict[str, str]:
        """The environment in which a process finds this hub and no other."""
        return {"HF_ENDPOINT": self.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", **more}

    def fetched(self) -> set[str]:
        """The names of the files of which some bytes were asked for."""
        return {
            path.rsplit("/", 1)[-1] for path in self.asked if path.startswith("GET") and "/resolve/" in path
        }


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """The hub, running until the block ends."""

    class Handler(_Handler):
        holds = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    holds: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _answer(self, *, body: bool) -> None:
        hub, path = self.holds, self.path.split("?")[0]
        hub.asked.append(f"{self.command} {path}")
        if found := re.fullmatch(rf"/api/models/{hub.repo}(?:/revision/([^/]+))?", path):
            self._info(found[1] or "main")
        elif found := re.fullmatch(rf"/api/models/{hub.repo}/tree/([^/]+)", path):
            self._tree(hub.files[found[1]])
        elif found := re.fullmatch(rf"/{hub.repo}/resolve/([^/]+)/(.+)", path):
            self._file(found[1], found[2], body=body)
        else:
            self._refuse(404, "RepoNotFound", "Repository not found")

    def _info(self, revision: str) -> None:
        hub = self.holds
        commit = hub.revisions.get(revision, revision)
        if hub.gated:
            return self._refuse(403, "GatedRepo", "Access to this model is restricted")
        if commit not in hub.files:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": _etag(name, content)}
            for name, content in hub.files[commit].items()
        ]
        answer = {
            "_id": "1",
            "id": hub.repo,
            "modelId": hub.repo,
            "sha": commit,
            "siblings": siblings,
            "tags": [],
        }
        return self._json(answer)

    def _tree(self, files: dict[str, bytes]) -> None:
        self._json(
            [
                {"type": "file", "oid": _etag(name, content), "size": len(content), "path": name}
                for name, content in files.items()
            ]
        )

    def _json(self, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _file(self, commit: str, name: str, *, body: bool) -> None:
        content = self.holds.files[commit][name]
        start = 0
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(found[1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{_etag(name, content)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if body:
            if start:
                self.holds.asked.append(f"RANGE {start} {name}")
            if self.holds.slow_down_at is not None and start >= self.holds.slow_down_at:
                sleep(30)
            self._send(content[start:])

    def _send(self, content: bytes) -> None:
        limit = self.holds.break_after
        if self.holds.altered:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if limit is not None and len(content) > limit and self.holds.breaks > 0:
            self.holds.breaks -= 1
            self.wfile.write(content[:limit])
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(content)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(name: str, content: bytes) -> str:
    """What the hub takes: the sha256 of weights, the git name of other files (here: a sha1)."""
    large = name.endswith((".safetensors", ".bin", ".pt"))
    return (hashlib.sha256 if large else hashlib.sha1)(content).hexdigest()
