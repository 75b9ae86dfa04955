"""The one HTTP receiver of the tests, on a free port: records what comes, answers as it is told."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
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

    @property
    def id(self) -> str:
        """The id of a delivery."""
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0


Said = Answer | int | None
"""A number is an answer with that status; None is none at all, for as long as somebody waits."""
Reply = Callable[[Seen], Awaitable[Said] | Said]


def says(*answers: Said) -> Reply:
    """One after the other; the last one for ever."""
    left = list(answers)
    return lambda seen: left.pop(0) if len(left) > 1 else left[0]


class Receiver:
    """`async with Receiver() as receiver`; `reply` decides the answers, `replies` those of a path.

    `seen` is what came, `answered` what was answered and with which status, each in its order.
    """

    def __init__(self, reply: Reply | None = None, port: int = 0) -> None:
        self.reply: Reply = reply or (lambda seen: Answer())
        self.replies: dict[str, Reply] = {}
        self.seen: list[Seen] = []
        self.answered: list[tuple[Seen, int]] = []
        self.connections = 0
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        return self._port

    @property
    def pair(self) -> str:
        """As an operator allows it."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.pair}"

    def at(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    def arrived(self, path: str) -> list[Seen]:
        """What was answered with success."""
        return [seen for seen, status in self.answered if seen.path == path and status < 300]

    def per_key(self, prefix: str = "") -> Counter[str]:
        """How often each idempotency key came."""
        keys = (seen.headers.get("idempotency-key", "") for seen in list(self.seen))
        return Counter(key for key in keys if key.startswith(prefix))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                answer = await self._said(seen)
                self.answered.append((seen, answer.status))
                writer.write(_bytes(answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _said(self, seen: Seen) -> Answer:
        said = self.replies.get(seen.path, self.reply)(seen)
        if isinstance(said, Awaitable):
            said = await said
        if said is None:
            await asyncio.Event().wait()
        answer = said if isinstance(said, Answer) else Answer(said or 0)
        if answer.after_s:
            await asyncio.sleep(answer.after_s)
        return answer


@contextmanager
def receiving(reply: Reply | None = None) -> Iterator[Receiver]:
    """The same for tests that are not asynchronous: in a thread of its own."""
    receiver, ready = Receiver(reply), threading.Event()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with receiver:
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10), "the receiver does not listen"
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


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
