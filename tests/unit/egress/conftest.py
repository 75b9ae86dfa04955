"""A real listener on the loopback that counts connections, and roads that all lead to it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from tests_support.inside import Everything, lead_to

from libs.egress import Policy

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def http(status: str = "200 OK", body: bytes = b"ok", headers: Sequence[str] = ()) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Listener:
    """Answers each request with the next of `answers` (the last one again and again)."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[bytes | Answer] = field(default_factory=lambda: [http()])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await self._answer(await self._request(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client has hung up
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        request = await reader.readuntil(b"\r\n\r\n")
        for line in request.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                request += await reader.readexactly(int(value))
        self.requests.append(request)
        self.asked.set()
        return request

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(request, writer)


@pytest.fixture
def answer() -> Callable[..., bytes]:
    return http


@pytest.fixture
def guard_off() -> Policy:
    return Everything()


@pytest.fixture
async def start_listener() -> AsyncIterator[Callable[..., Awaitable[Listener]]]:
    servers: list[asyncio.Server] = []

    async def start(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Listener:
        listener = Listener()
        server = await asyncio.start_server(listener.serve, host, 0, ssl=tls)
        servers.append(server)
        listener.port = server.sockets[0].getsockname()[1]
        return listener

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def listener(start_listener: Callable[..., Awaitable[Listener]]) -> Listener:
    return await start_listener()


@pytest.fixture
def all_roads_lead_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Listener], list[str]]:
    """Below the guard, any address whatsoever reaches the listener; returns the addresses."""
    return lambda listener: lead_to(listener.port, monkeypatch)
