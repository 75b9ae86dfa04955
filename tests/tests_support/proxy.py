"""A TCP proxy that can lose an answer, so that nobody hears of what was carried out, or all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """`lose_answer_to(text)`: the next request with `text` in it reaches the server whole; when
    the server begins to answer, both connections are cut. `take_down` cuts all, and lets nobody
    through until `put_up`."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._text = b""
        self._armed = False
        self._down = False
        self._clients: set[asyncio.StreamWriter] = set()
        self.lost = 0
        self.url = ""

    def lose_answer_to(self, text: str) -> None:
        self._text, self._armed = text.encode(), True

    def take_down(self) -> None:
        self._down = True
        for client in self._clients:
            client.transport.abort()

    def put_up(self) -> None:
        self._down = False

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._down:
            to_client.transport.abort()
            return
        self._clients.add(to_client)
        try:
            await self._serve(client, to_client)
        finally:
            self._clients.discard(to_client)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(*self._to)
        cut = asyncio.Event()
        both = [
            asyncio.create_task(self._requests(client, to_server, cut)),
            asyncio.create_task(self._answers(server, to_client, cut)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        to_client.close()
        to_server.close()

    async def _requests(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await client.read(65536):
            if self._armed and self._text in data:
                self._armed = False
                cut.set()
            to_server.write(data)
            await to_server.drain()

    async def _answers(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await server.read(65536):
            if cut.is_set():
                self.lost += 1
                return
            to_client.write(data)
            await to_client.drain()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the server of `url`, at `proxy.url`."""
    at = urlsplit(url)
    proxy = Proxy(at.hostname or "127.0.0.1", at.port or 5432)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    proxy.url = f"{at.scheme}://127.0.0.1:{port}"
    try:
        yield proxy
    finally:
        listening.close()
