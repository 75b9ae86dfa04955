"""Server-sent events for commands: a stream that goes on behind its last place, whatever breaks."""

import json
import time
from collections.abc import Iterator
from typing import Any

from cli.client import Api, Refused, problem_of

SILENT_S, AGAIN_S = 60.0, 0.5


def follow(api: Api, path: str, **parameters: Any) -> Iterator[tuple[str, Any]]:
    """Kinds and data; ("", None) when it is open and whenever nothing happens.

    It ends with `end`. Refused when it may not be had (any more).
    """
    import httpx

    given = {name: value for name, value in parameters.items() if value is not None}
    headers = {"accept": "text/event-stream"}
    while True:
        try:
            with api.http.stream(
                "GET", path, params=given, headers=headers, timeout=httpx.Timeout(10, read=SILENT_S)
            ) as answer:
                if answer.status_code == 503:
                    raise httpx.ConnectError("it starts or ends; soon another one answers")
                if answer.status_code >= 400:
                    answer.read()
                    raise Refused(answer.status_code, problem_of(answer))
                for kind, data, place in _events(answer.iter_lines()):
                    if place is not None:
                        headers["last-event-id"] = place
                    yield kind, data
                    if kind == "end":
                        return
        except httpx.TransportError:
            pass  # also what a server says that ends; the next one is asked
        time.sleep(AGAIN_S)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any, str | None]]:
    kind, data, place = "", None, None
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            place = value
        elif name == "event":
            kind = value
        elif name == "data":
            kind, data = kind or "message", json.loads(value)
        elif not line:
            yield kind, data, place
            kind, data, place = "", None, None
