"""What the servers can do at best: single acknowledged publishes and single commits."""

import asyncio
import multiprocessing
import os
import time
from typing import Any

import nats
import psycopg
from nats.js import api
from psycopg.conninfo import make_conninfo

from benchmarks.stack import Stack
from libs.embedded.postgres import SUPERUSER

BYTES = 1024
"""As large as the record of a small execution."""
WINDOW = 256
USER, STREAM, SUBJECT = "gateway", "GATEWAY", "gateway.event.floor"
"""The gateway has no log, so a stream of its name is nobody's: nothing else reads from it."""


def measure(stack: Stack, seconds: float) -> dict[str, float]:
    """Publishes with their acknowledgement (one by one, and 256 under way); commits of a row;
    loops of plain Python a second with every processor busy, in millions."""
    awaited, windowed = asyncio.run(_publishes(stack, seconds))
    superuser = make_conninfo(
        host="127.0.0.1", port=stack.state().postgres.port, dbname="postgres", user=SUPERUSER,
        password=stack.folder.read_secrets().postgres,
    )  # fmt: skip
    return {
        "python_m_per_s": _python(seconds),
        "jetstream_per_s": windowed, "jetstream_awaited_per_s": awaited,
        "postgres_commits_per_s": commits(superuser, seconds),
    }  # fmt: skip


async def _publishes(stack: Stack, seconds: float) -> tuple[float, float]:
    password = stack.folder.read_secrets().nats[USER]
    client = await nats.connect(
        f"nats://127.0.0.1:{stack.state().nats.port}", user=USER, password=password,
        inbox_prefix=f"_INBOX_{USER}".encode(),
    )  # fmt: skip
    try:
        js = client.jetstream(publish_async_max_pending=WINDOW)
        await js.add_stream(api.StreamConfig(name=STREAM, subjects=[SUBJECT]))
        return await _awaited(js, seconds), await _windowed(js, seconds)
    finally:
        await client.close()


async def _awaited(js: Any, seconds: float) -> float:
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        await js.publish(SUBJECT, bytes(BYTES))
        count += 1
    return count / (time.monotonic() - begun)


async def _windowed(js: Any, seconds: float) -> float:
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        await js.publish_async(SUBJECT, bytes(BYTES))
        count += 1
    await js.publish_async_completed()
    return count / (time.monotonic() - begun)


def commits(conninfo: str, seconds: float) -> float:
    """One connection, one row, one commit at a time, in a table that is gone afterwards."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("create table floor (n bigint primary key, body text not null)")
        begun, count = time.monotonic(), 0
        while time.monotonic() - begun < seconds:
            connection.execute("insert into floor values (%s, %s)", (count, "x" * BYTES))
            count += 1
        took = time.monotonic() - begun
        connection.execute("drop table floor")
    return count / took


def _python(seconds: float) -> float:
    """What the machine gives to each of as many processes as it has processors, on average."""
    count = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        return sum(pool.map(_loops, [seconds] * count)) / count


def _loops(seconds: float) -> float:
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        for _ in range(10_000):
            pass
        count += 10_000
    return count / (time.monotonic() - begun) / 1e6
