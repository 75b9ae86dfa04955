"""Three counts from three places: the logs of the services, the streams of the bus, the trail."""

import asyncio
from collections.abc import Mapping

import nats
import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from cli.demo.failed import DemoFailed
from cli.store import Stores
from libs.embedded.secrets import Secrets

PRODUCERS = ("identity", "workflows", "executor", "billing", "audit", "subscriptions")
FIRST, LAST = "Troth-First", "Troth-Last"
Heads = dict[str, tuple[int, int]]
"""Per producer the last number of its log, and the incarnation of its numbers."""


def heads(stores: Stores) -> Heads:
    """Where each log stands, from its own database."""
    found: Heads = {}
    for producer in PRODUCERS:
        with stores.read(producer) as connection:
            row = connection.execute(
                "select n, incarnation from heads where partition = 0"
            ).fetchone()
        assert row is not None, "a migrated log has a head"
        found[producer] = (row[0], row[1])
    return found


def committed(stores: Stores, since: Heads) -> dict[str, int]:
    """Events in each producer's log, by counting its rows."""
    found: dict[str, int] = {}
    for producer, (n, _) in since.items():
        with stores.read(producer) as connection:
            row = connection.execute("select count(*) from log where n > %s", (n,)).fetchone()
        found[producer] = row[0] if row else 0
    return found


def audited(stores: Stores, since: Heads) -> dict[str, int]:
    """Entries of each producer in the trail, from the database of audit alone."""
    found: dict[str, int] = {}
    with stores.read("audit") as connection:
        for producer, (n, incarnation) in since.items():
            row = connection.execute(
                "select coalesce(sum(last - greatest(first, %s + 1) + 1), 0)::bigint from taken"
                " where producer = %s and incarnation = %s and last > %s",
                (n, producer, incarnation, n),
            ).fetchone()
            found[producer] = row[0] if row else 0
    return found


def published(url: str, secrets: Secrets, since: Heads) -> dict[str, int]:
    """Different numbers in each producer's stream, by reading the headers of its messages."""
    try:
        return asyncio.run(_published(url, secrets.nats, since))
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise DemoFailed(
            f"the bus at {url} does not tell what was published ({type(error).__name__}: {error}): "
            "look into nats.log among the logs, and run it again"
        ) from None


async def _published(url: str, passwords: Mapping[str, str], since: Heads) -> dict[str, int]:
    found = await asyncio.gather(
        *(_in_stream(url, name, passwords[name], n) for name, (n, _) in since.items())
    )
    return dict(zip(since, found, strict=True))


async def _in_stream(url: str, producer: str, password: str, after: int) -> int:
    """As the user of the producer: nobody else may read its stream message by message."""
    connection = await nats.connect(
        url, user=producer, password=password, inbox_prefix=f"_INBOX_{producer}".encode(),
        allow_reconnect=False, connect_timeout=5,
    )  # fmt: skip
    try:
        return len(await _numbers(connection.jetstream(), producer, after))
    finally:
        await connection.close()


async def _numbers(js: JetStreamContext, producer: str, after: int) -> set[int]:
    """Backwards from the last message to the first one that has numbers behind `after`."""
    stream, numbers = producer.upper(), set[int]()
    try:
        message = await js.get_last_msg(stream, f"{producer}.event.batch.0")
        while True:
            headers = message.headers or {}
            first, last = int(headers[FIRST]), int(headers[LAST])
            numbers.update(range(max(first, after + 1), last + 1))
            sequence = message.seq or 0
            if first <= after + 1 or sequence <= 1:
                return numbers
            message = await js.get_msg(stream, sequence - 1)
    except NotFoundError:
        return numbers
