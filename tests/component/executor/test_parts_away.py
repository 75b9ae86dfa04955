"""A part that does not answer delays a start: nothing is refused, nothing is in the ledger."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.js.errors import NotFoundError
from tests_support.engines import Bed, make_bed
from tests_support.proxy import Proxy, proxy_to
from tests_support.servers import Servers

from libs.common import ids
from libs.common.errors import Unavailable
from libs.common.testing import eventually
from services.executor.contract import FindCalls, FindExecutions, ResendCall
from services.workflows.app import build as build_workflows
from tests.fakes.receiver import Receiver

TOLD = """
troth: 1
name: told
on:
  - webhook: {path: told, verify: {scheme: none}, respond: result}
steps:
  - id: a
    set: {who: "${{ vars.who }}"}
output: ${{ a.who }}
"""
SIGNED = """
troth: 1
name: signed
on:
  - webhook: {path: signed, verify: {scheme: none}, respond: result, timeout: 20s}
steps:
  - id: post
    uses: http-request@1
    with: {method: POST, url: "${{ vars.receiver }}", headers: {x-key: "${{ secret.api }}"}}
output: ${{ post.status }}
"""


class Identity:
    """The keys of a bed, which can be out of reach; for one purpose, or for all."""

    def __init__(self, bed: Bed) -> None:
        self._fetch, self.silent = bed.fetch, frozenset[str]()

    async def __call__(self, owner: str, purpose: str) -> Any:
        if purpose in self.silent:
            raise Unavailable("identity is not running", part="identity")
        return await self._fetch(owner, purpose)


@pytest.fixture
async def empty(servers: Servers) -> AsyncIterator[Bed]:
    """A bed without an executor."""
    made = await make_bed(servers, executors=0)
    try:
        await made.set_variable("who", "Ada")
        await made.publish(TOLD)
        yield made
    finally:
        await made.close()


@pytest.fixture
async def store(empty: Bed, servers: Servers) -> AsyncIterator[Proxy]:
    """The way of the executor to its database."""
    async with proxy_to(servers.admin_url) as proxy:
        empty.settings = empty.settings.model_copy(update={"database_url": proxy.url})
        yield proxy
        proxy.put_up()


async def _joined(bed: Bed) -> None:
    """One executor more, which takes work and knows what was published and set."""
    executor = await bed.add_executor()
    await eventually(lambda: _rows(executor, "variables"), bool)
    await eventually(lambda: _left(bed), lambda left: left == 0)


async def _said(caplog: pytest.LogCaptureFixture, message: str, times: int = 1) -> list[Any]:
    async def look() -> list[Any]:
        return [record for record in caplog.records if record.getMessage() == message]

    return await eventually(look, lambda records: len(records) >= times)


def _no_task_failed(caplog: pytest.LogCaptureFixture) -> bool:
    return not any(record.getMessage() == "a task failed" for record in caplog.records)


async def _calls(bed: Bed) -> list[str]:
    page = (await bed.bus.ask(FindCalls(), bed.meta)).value
    return [call["outcome"] for call in page["data"]]


async def _left(bed: Bed) -> int | None:
    """What is on the queue; None as long as there is none."""
    try:
        info = await bed.bus.js.consumer_info("WORK", "executor")
    except NotFoundError:
        return None
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def test_a_start_waits_for_the_store_and_is_then_carried_out(
    empty: Bed, store: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    await _joined(empty)

    store.take_down()
    future = await empty.send("told", {}, deadline_s=60)
    waits = await _said(caplog, "start waits")
    store.put_up()
    said = await asyncio.wait_for(future, 60)

    assert said.output == "Ada"
    assert {(record.levelname, record.part) for record in waits} == {("WARNING", "store")}
    assert all(record.exc_info is None and "\n" not in record.getMessage() for record in waits)
    assert _no_task_failed(caplog)
    assert await eventually(lambda: _calls(empty), bool) == ["started"]


async def test_a_start_waits_for_identity_and_is_no_refusal(
    empty: Bed, caplog: pytest.LogCaptureFixture
) -> None:
    empty.fetch = identity = Identity(empty)
    await _joined(empty)

    identity.silent = frozenset({"executions"})
    future = await empty.send("told", {}, deadline_s=60)
    waits = await _said(caplog, "start waits", times=2)  # delivered again, and still not
    identity.silent = frozenset()
    said = await asyncio.wait_for(future, 60)

    assert said.output == "Ada"
    assert {record.part for record in waits} == {"identity"}
    assert await eventually(lambda: _calls(empty), bool) == ["started"]


async def test_what_waited_beyond_its_deadline_is_dropped_because_nobody_waits_for_it(
    empty: Bed, caplog: pytest.LogCaptureFixture
) -> None:
    empty.fetch = identity = Identity(empty)
    await _joined(empty)

    identity.silent = frozenset({"executions"})
    late = await empty.send("told", {}, deadline_s=1)
    await _said(caplog, "start waits")
    await eventually(lambda: _left(empty), lambda left: left == 0)
    identity.silent = frozenset()
    said = await empty.call("told", {})

    assert said.status == "finished"
    assert not late.done()
    assert await eventually(lambda: _calls(empty), bool) == ["started"]
    assert len((await empty.bus.ask(FindExecutions(), empty.meta)).value["data"]) == 1


async def test_a_call_that_is_sent_again_meanwhile_is_answered_with_the_part_that_is_away(
    empty: Bed,
) -> None:
    empty.fetch = identity = Identity(empty)
    await _joined(empty)
    assert (await empty.call("later", {})).status == "refused"
    [call] = await eventually(lambda: _unmatched(empty), bool)
    await empty.publish(TOLD.replace("told", "later"))

    identity.silent = frozenset({"content"})
    with pytest.raises(Unavailable):
        await empty.bus.ask(ResendCall(call_id=call), _again(empty))
    identity.silent = frozenset()
    again = await empty.bus.ask(ResendCall(call_id=call), _again(empty))

    assert again.value["execution"].startswith("exe_")
    assert sorted(await eventually(lambda: _calls(empty), lambda c: len(c) > 1)) == [
        "started", "unmatched",
    ]  # fmt: skip


async def test_an_accepted_execution_waits_for_the_secret_that_its_call_needs(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        bed = await make_bed(servers, allow=receiver.pair)
        try:
            await bed.set_variable("receiver", receiver.url)
            await bed.store_secret("api", "s3cret-one")
            await bed.publish(SIGNED)
            await eventually(lambda: _rows(bed.executors[0], "published"), bool)
            await bed.workflows.stop()
            accepted = await bed.call("signed", {}, respond="accepted", deadline_s=15)
            assert accepted.status == "started"
            waits = await _said(caplog, "effect waits")
            bed.workflows = build_workflows(bed.settings, bed.fetch)
            await bed.workflows.start()

            await eventually(_value(lambda: len(receiver.seen)), bool)
            assert receiver.seen[0].headers["x-key"] == "s3cret-one"
            assert {record.part for record in waits} == {"workflows"}
            assert _no_task_failed(caplog)
        finally:
            await bed.close()


def _again(bed: Bed) -> Any:
    return bed.meta.model_copy(update={"command_id": str(ids.uuid7()), "command_digest": "d"})


async def _unmatched(bed: Bed) -> list[str]:
    return [c["id"] for c in (await bed.bus.ask(FindCalls(), bed.meta)).value["data"]]


async def _rows(executor: Any, table: str) -> int:
    async with executor.database.hot.connection() as connection:
        cursor = await connection.execute(f"select count(*) from {table}".encode())
        return (await cursor.fetchone())[0]


def _value(look: Any) -> Any:
    async def asked() -> Any:
        return look()

    return asked


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "services.executor")
