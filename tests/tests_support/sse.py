"""A reader of server-sent events, as a browser reads them, for tests."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests_support.api import SSE, Api


@dataclass
class Heard:
    """What a stream said so far; `last` is the place that a browser would resume from."""

    response: httpx.Response
    last: str | None = None
    events: list[tuple[str, str | None, Any]] = field(default_factory=list)
    comments: int = 0
    closed: bool = False

    @property
    def data(self) -> list[Any]:
        return [data for kind, _, data in self.events if kind == "message"]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]

    def wait(self, good: Any, within_s: float = 40) -> Any:
        deadline = time.monotonic() + within_s
        while not (found := good(self)):
            assert time.monotonic() < deadline, self
            time.sleep(0.02)
        return found

    def _read(self) -> None:
        kind, lines = "message", []
        try:
            for line in self.response.iter_lines():
                if line.startswith(":"):
                    self.comments += 1
                elif line.startswith("id: "):
                    self.last = line[4:]
                elif line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    lines.append(line[6:])
                elif not line:
                    if lines:
                        self.events.append((kind, self.last, json.loads("\n".join(lines))))
                    kind, lines = "message", []
        except (httpx.TransportError, httpx.StreamError):
            pass  # this side has closed it
        self.closed = True


@contextmanager
def listening(api: Api, path: str, after: str | None = None) -> Iterator[Heard]:
    """An open stream, read in a thread; closed at the end."""
    headers = api.headers({"Accept": SSE} | ({"Last-Event-ID": after} if after else {}))
    with api.client.stream("GET", path, headers=headers, timeout=60) as response:
        assert response.status_code == 200, response.read()
        heard = Heard(response)
        reader = threading.Thread(target=heard._read, daemon=True)
        reader.start()
        heard.wait(lambda h: h.last is not None or h.events)
        try:
            yield heard
        finally:
            response.close()
            reader.join(5)
