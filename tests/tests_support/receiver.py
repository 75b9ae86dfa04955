"""A customer's endpoint: a real HTTP server that keeps what it got and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return msgspec.json.decode(self.body)


Answer = int | tuple[int, dict[str, str]] | None
Script = Callable[[Got], Awaitable[Answer]]


@dataclass
class Receiver:
    """`answers[path]` decides on each request; None answers never. Without one it is 200."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answered: list[tuple[Got, int]] = field(default_factory=list)
    answers: dict[str, Script] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def pair(self) -> str:
        return f"127.0.0.1:{self.port}"

    def at(self, path: str) -> list[Got]:
        return [got for got in self.got if got.path == path]

    def arrived(self, path: str) -> list[Got]:
        """What was answered with success, in that order."""
        return [got for got, status in self.answered if got.path == path and status < 300]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.got.append(request)
                script = self.answers.get(request.path)
                answer = await script(request) if script else 200
                if answer is None:
                    await asyncio.Event().wait()
                status, extra = answer if isinstance(answer, tuple) else (answer or 0, {})
                lines = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
                head = f"HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n{lines}\r\n"
                self.answered.append((request, status))
                writer.write(head.encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Got | None:
    first = (await reader.readline()).decode()
    if not first:
        return None
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(first.split(" ")[1], headers, body)


def says(*answers: Answer) -> Script:
    """One after the other; the last one for ever."""
    left = list(answers)

    async def script(got: Got) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return script


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
