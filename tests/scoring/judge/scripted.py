"""A server that stands for judges of others: it answers chat completions as a script says, over real HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[str, dict[str, Any]], str | int | dict[str, Any]]
"""(the judged text, the call's body) -> the answer's text, a status that fails, or a whole message."""
_JUDGED = re.compile(r"===== BEGIN OF DESCRIPTION (\w+) =====\n(.*)\n===== END OF DESCRIPTION \1 =====", re.S)


class ScriptedJudge:
    """Listens on a free port of loopback while in its `with` block. calls: the bodies that came, in order."""

    model = "scripted-judge"

    def __init__(self, script: Script) -> None:
        self.calls: list[dict[str, Any]] = []
        lock = threading.Lock()
        judge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send(200, {"data": [{"id": judge.model}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    judge.calls.append(body)
                    said = script(judged_text(body), body)
                if isinstance(said, int):
                    self._send(said, {"error": {"message": "scripted"}})
                    return
                message = said if isinstance(said, dict) else {"content": said}
                reason = message.pop("finish_reason", "stop")
                choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
                usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
                self._send(200, {"choices": [choice], "usage": usage})

            def _send(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def name(self) -> str:
        """As `--judge` names it."""
        return f"openai:{self.model}@http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ScriptedJudge:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def judged_text(body: dict[str, Any]) -> str:
    """The text between the template's lines."""
    found = _JUDGED.search(body["messages"][0]["content"])
    assert found is not None, body
    return found[2]
