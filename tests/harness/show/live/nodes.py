"""Nodes that tell what a test says, over HTTP."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import msgspec

from tests.common.http.samples import statistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from common.http.statistics import Statistics


@dataclass
class FakeNode:
    """What it tells, grown by one at each time that it is asked; None: it refuses. `asked` are the paths."""

    tells: Statistics | None = field(default_factory=statistics)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    refusal: str = "not now"

    def answer(self, path: str) -> tuple[int, bytes]:
        """Answer a request, and live on for a second."""
        self.asked.append(path)
        if self.tells is None:
            return 503, msgspec.json.encode({"error": self.refusal})
        body = msgspec.json.encode(self.tells)
        self.tells = msgspec.structs.replace(
            self.tells, uptime_s=self.tells.uptime_s + 1, accepted=self.tells.accepted + 5, cpu_s=self.tells.cpu_s + 0.1
        )
        return 200, body


@contextmanager
def serving(node: FakeNode, port: int = 0) -> Iterator[FakeNode]:
    """Serve a node on a port of loopback, any if it is 0, and set its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = node.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="fake-node")
        thread.start()
        node.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield node
        finally:
            server.shutdown()
            thread.join()
