"""The load generator: `python -m benchmarks.generator`, a process of its own, a job on stdin."""

import asyncio
import resource
import sys
import time
from collections import Counter
from typing import cast

import msgspec

SILENT_MAX_S = 75.0


class Job(msgspec.Struct):
    """Calls over kept connections, each with the next call when the last one is answered; ends
    after `seconds` or after `count` calls. Connection i sends `requests[i % len(requests)]`.
    With `keeps` the bodies of the answers with that status come back."""

    host: str
    port: int
    requests: list[str]
    connections: int
    seconds: float | None = None
    count: int | None = None
    keeps: int | None = None


class Done(msgspec.Struct):
    """`began` and `ended` are this machine's monotonic clock; 0 is a connection that broke."""

    began: float
    ended: float
    statuses: dict[int, int]
    latencies_ms: list[float]
    cpu_s: float
    bodies: list[str] = []

    @property
    def answered(self) -> int:
        return len(self.latencies_ms)


class Load:
    """What all connections share: how much is left to send, and what came back."""

    def __init__(self, job: Job) -> None:
        self.left = job.count
        self.began = time.perf_counter()
        self.until = None if job.seconds is None else self.began + job.seconds
        self.statuses: Counter[int] = Counter()
        self.latencies_ms: list[float] = []
        self.keeps = job.keeps
        self.bodies: list[str] = []

    def another(self) -> bool:
        """Whether one more call is to be sent; counts it."""
        if self.until is not None and time.perf_counter() >= self.until:
            return False
        if self.left is not None:
            if self.left == 0:
                return False
            self.left -= 1
        return True

    def answered(self, status: int, since: float) -> None:
        self.statuses[status] += 1
        self.latencies_ms.append((time.perf_counter() - since) * 1000)


class Connection(asyncio.Protocol):
    """One kept connection; `done` is set when there is nothing more to send."""

    def __init__(self, load: Load, request: bytes) -> None:
        self.load, self.request = load, request
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def begin(self) -> None:
        self._next()

    def _next(self) -> None:
        assert self._transport is not None, "begun after the connection was made"
        if not self.load.another():
            self._end()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head = self._got.find(b"\r\n\r\n")
        if head < 0 or len(self._got) < head + 4 + length_of(self._got[:head]):
            return
        status = int(self._got[9:12])
        if status == self.load.keeps:
            self.load.bodies.append(self._got[head + 4 :].decode())
        self._got = b""
        self.load.answered(status, self._sent_at)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.load.answered(0, self._sent_at)
            self._end()

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self._transport is not None:
            self._transport.close()


def length_of(head: bytes) -> int:
    """The length of the body that a head announces; answers in pieces are not expected here."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError("an answer without content-length")
    value = lowered[at + 17 :].partition(b"\r\n")[0]
    return int(value)


async def drive(job: Job) -> Done:
    """All connections are open before the first call is sent."""
    loop = asyncio.get_running_loop()
    requests = [request.encode("latin-1") for request in job.requests]
    load = Load(job)
    made = [
        (await loop.create_connection(
            lambda i=i: Connection(load, requests[i % len(requests)]), job.host, job.port
        ))[1]
        for i in range(job.connections)
    ]  # fmt: skip
    load.began = time.perf_counter()
    load.until = None if job.seconds is None else load.began + job.seconds
    began, used = time.monotonic(), cpu_s()
    for connection in made:
        connection.begin()
    async with asyncio.timeout((job.seconds or 0) + SILENT_MAX_S + (job.count or 0) / 20):
        await asyncio.gather(*(connection.done for connection in made))
    return Done(
        began, time.monotonic(), dict(load.statuses), load.latencies_ms, cpu_s() - used,
        load.bodies,
    )  # fmt: skip


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    import uvloop

    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(job))))


if __name__ == "__main__":
    main()
