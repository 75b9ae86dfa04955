"""An HTTP receiver on a free port: records what comes, answers as it is told."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """One request as it came; `at` is monotonic seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0


Reply = Callable[[Seen], Awaitable[Answer] | Answer]


class Receiver:
    """`async with Receiver() as receiver`; set `receiver.reply` to decide the answers."""

    def __init__(self, reply: Reply | None = None, port: int = 0) -> None:
        self.reply: Reply = reply or (lambda seen: Answer())
        self.seen: list[Seen] = []
        self.connections = 0
        self._port = port
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def per_key(self) -> Counter[str]:
        """How often each idempotency key came."""
        return Counter(seen.headers.get("idempotency-key", "") for seen in self.seen)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                answer = self.reply(seen)
                if not isinstance(answer, Answer):
                    answer = await answer
                if answer.after_s:
                    await asyncio.sleep(answer.after_s)
                writer.write(_bytes(answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    line = (await reader.readline()).decode()
    if not line.strip():
        return None
    method, path, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while (text := (await reader.readline()).decode().strip()) != "":
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, body, time.monotonic())


def _bytes(answer: Answer) -> bytes:
    headers = {"content-type": "application/json", "content-length": str(len(answer.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers | answer.headers).items())
    return f"HTTP/1.1 {answer.status} X\r\n{head}\r\n".encode() + answer.body
