"""The demo's own receiver: takes what the workflow posts and what subscriptions deliver."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PACKAGES, EVENTS = "/packages", "/events"
ANSWER_S = 0.2


@dataclass(frozen=True)
class Came:
    """One request; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Listens on 127.0.0.1 in threads of its own, from `with` to its end.

    It takes 0.2 s over a package, as somebody who does something with it would.
    """

    def __init__(self, port: int) -> None:
        self.came: list[Came] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._server.shutdown()
        self._server.server_close()

    def packages_per_key(self, execution: str) -> Counter[str]:
        """How often each idempotency key of an execution came."""
        keys = (c.headers.get("idempotency-key", "") for c in self._at(PACKAGES))
        return Counter(key for key in keys if key.startswith(f"{execution}:"))

    def events_of(self, execution: str) -> list[Came]:
        """Deliveries about an execution, in the order in which they came."""
        return [c for c in self._at(EVENTS) if c.json.get("subject") == execution]

    def _at(self, path: str) -> list[Came]:
        return [came for came in list(self.came) if came.path == path]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.came.append(Came(self.path, headers, body))
            if self.path == PACKAGES:
                time.sleep(ANSWER_S)
            answer = b'{"taken": true}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what came is in `came`."""

    return Handler
