"""The live system is held against the inventory: what nobody knows of is found and named."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import nats
import psycopg
import pytest
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError
from tests_support.producers import append, delete_streams, stand_in
from tests_support.servers import Servers

from libs.common.errors import Forbidden
from libs.common.eventstore import stream_of
from libs.common.fields import Count
from libs.common.messages import Event, Meta
from libs.common.testing import PASSWORD, eventually, prepare
from services.audit.app import build
from services.audit.contract import (
    PRODUCERS,
    CheckInventory,
    CheckShown,
    FindInventory,
    InventoryDiffered,
    InventoryShown,
)
from services.audit.inventory_checks import STREAM, is_due, last_check, watch_inventory
from services.audit.settings import AuditSettings
from tools import inventory

STRANGE = "STRANGE"


class Unheard(Event):
    """A type of event that is in no inventory; not registered."""

    type: ClassVar[str] = "billing.event.unheard-of"
    amount: Count = 7


class Live:
    """All databases as the code makes them, each with a service that answers for it."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.admin_url, prefix = servers.admin_url, servers.prefix()
        schemas = list(inventory.schemas().values())
        common = prepare(servers.admin_url, schemas, servers.nats_url, prefix)
        self.settings = AuditSettings.model_validate(dict(common) | {"data_dir": str(folder)})
        self.services = {name: stand_in(name, self.settings) for name in PRODUCERS}
        self.services["audit"] = build(self.settings)
        self.audit = self.services["audit"]

    async def ask(self, message: Any, *permissions: str, **more: Any) -> Any:
        meta = Meta(actor="per_1", permissions=frozenset(permissions), **more)
        return (await self.services["identity"].bus.ask(message, meta, 30)).value

    async def check(self, **more: Any) -> CheckShown:
        return CheckShown.model_validate(await self.ask(CheckInventory(), "instance", **more))

    async def differences(self) -> list[tuple[str, str, str, str]]:
        shown = await self.check()
        assert shown.unanswered == []
        return [(d.service, d.kind, d.name, d.how) for d in shown.differences]

    async def shown(self, **query: Any) -> InventoryShown:
        asked = FindInventory.model_validate(query)
        return InventoryShown.model_validate(await self.ask(asked, "audit:read"))

    def by_hand(self, service: str, statement: str) -> None:
        name = f"{self.settings.database_prefix}{service}"
        with psycopg.connect(self.admin_url, dbname=name, autocommit=True) as connection:
            connection.execute(statement.encode())

    async def told(self) -> list[InventoryDiffered]:
        found = [recorded.event() for recorded in await self.audit.store.load(STREAM)]
        return [event for event in found if isinstance(event, InventoryDiffered)]


@pytest.fixture
async def live(servers: Servers, tmp_path: Path) -> AsyncIterator[Live]:
    made = Live(servers, tmp_path)
    try:
        for service in made.services.values():
            await service.start()
        yield made
    finally:
        for service in reversed(made.services.values()):
            await service.stop()
        await delete_streams(made.settings, "audit", *PRODUCERS)


async def test_what_the_code_makes_is_what_the_inventory_says(live: Live) -> None:
    before = await live.shown()
    assert (before.checked_at, before.complete) == (None, False)
    assert await live.differences() == []
    after = await live.shown()
    assert after.complete
    assert after.checked_at is not None
    assert await live.told() == []


async def test_a_column_added_by_hand_is_found_and_named(live: Live) -> None:
    live.by_hand("identity", "alter table people add column shoe_size int")
    wanted = ("identity", "column", "people.shoe_size", "unknown")
    assert await live.differences() == [wanted]
    shown = await live.shown()
    assert (shown.complete, [d.name for d in shown.differences]) == (False, ["people.shoe_size"])
    (told,) = await live.told()
    assert [(d.service, d.name) for d in told.differences] == [("identity", "people.shoe_size")]

    live.by_hand("identity", "alter table people drop column shoe_size")
    assert await live.differences() == []
    assert (await live.shown()).complete


async def test_tables_that_nobody_knows_or_that_are_gone_are_found(live: Live) -> None:
    live.by_hand("billing", "create table private_notes (who text)")
    live.by_hand("billing", "create schema aside")
    live.by_hand("billing", "create table aside.people (name text)")
    live.by_hand("workflows", "drop table secret_uses")
    assert await live.differences() == [
        ("workflows", "table", "secret_uses", "missing"),
        ("billing", "table", "aside.people", "unknown"),
        ("billing", "table", "private_notes", "unknown"),
    ]


async def test_a_stream_that_nobody_knows_and_a_subject_too_many_are_found(live: Live) -> None:
    admin = await nats.connect(live.settings.nats_url, user="admin", password=PASSWORD)
    js = admin.jetstream()
    try:
        await js.add_stream(StreamConfig(name=STRANGE, subjects=["strange.>"]))
        assert await live.differences() == [("bus", "stream", STRANGE, "unknown")]
        await js.delete_stream(STRANGE)
        config = (await js.stream_info("BILLING")).config
        config.subjects = ["billing.event.>", "private.>"]
        await js.update_stream(config)
        assert await live.differences() == [("bus", "subject", "BILLING private.>", "unknown")]
    finally:
        with suppress(NotFoundError):
            await js.delete_stream(STRANGE)
        await admin.close()


async def test_a_store_of_blobs_that_nobody_knows_is_found(live: Live) -> None:
    admin = await nats.connect(live.settings.nats_url, user="admin", password=PASSWORD)
    js = admin.jetstream()
    try:
        await js.create_object_store("pictures")
        assert await live.differences() == [("bus", "stream", "OBJ_pictures", "unknown")]
    finally:
        with suppress(NotFoundError):
            await js.delete_object_store("pictures")
        await admin.close()


async def test_a_type_of_event_that_nobody_declared_is_found(live: Live) -> None:
    stream = stream_of("account", "org_one")
    await append(live.services["billing"], stream, [Unheard()], "org_one")
    wanted = [("billing", "event", "billing.event.unheard-of", "unknown")]
    assert await live.differences() == wanted


async def test_a_difference_is_told_once_and_shown_as_long_as_it_is_there(live: Live) -> None:
    live.by_hand("billing", "create table private_notes (who text)")
    first, again = await live.differences(), await live.differences()
    assert first == again == [("billing", "table", "private_notes", "unknown")]
    assert len(await live.told()) == 1
    live.by_hand("billing", "create table more_notes (who text)")
    await live.differences()
    assert len(await live.told()) == 2


async def test_who_does_not_answer_is_named_and_nothing_is_complete(live: Live) -> None:
    await live.services["workflows"].stop()
    shown = await live.check()
    assert (shown.unanswered, shown.complete) == (["workflows"], False)
    live.services["workflows"] = stand_in("workflows", live.settings)
    await live.services["workflows"].start()
    shown = await eventually(live.check, lambda c: not c.unanswered)
    assert shown.complete


async def test_the_same_command_checks_once(live: Live) -> None:
    command = {"command_id": "0192f3a4-7c1e-7d52-9b0e-6f1d2a8c4e57", "command_digest": "d"}
    first = await live.check(**command)
    live.by_hand("billing", "create table private_notes (who text)")
    assert await live.check(**command) == first


async def test_the_leading_process_checks_by_itself_once_a_day(live: Live) -> None:
    live.by_hand("billing", "create table private_notes (who text)")
    night = asyncio.create_task(watch_inventory(live.audit, first_s=0))
    try:
        shown = await eventually(live.shown, lambda s: s.checked_at is not None)
    finally:
        night.cancel()
    assert [d.name for d in shown.differences] == ["private_notes"]
    last, at = await last_check(live.audit)
    assert at is not None
    assert not is_due(last, at, at)
    assert is_due(last, at, at + timedelta(days=1))


async def test_an_outage_or_a_new_inventory_is_checked_again_on_the_same_day(live: Live) -> None:
    await live.check()
    last, at = await last_check(live.audit)
    assert last is not None
    assert at is not None
    assert is_due(None, None, at)
    assert is_due(last.model_copy(update={"unanswered": ["billing"]}), at, at)
    assert is_due(last.model_copy(update={"inventory": "0" * 64}), at, at)


async def test_only_the_operator_checks_and_only_readers_of_the_trail_see_it(live: Live) -> None:
    with pytest.raises(Forbidden):
        await live.ask(CheckInventory(), "audit:read")
    with pytest.raises(Forbidden):
        await live.ask(FindInventory(), "instance")


async def test_the_inventory_is_shown_by_service_and_kind(live: Live) -> None:
    shown = await live.shown(service=["billing"], kind=["table"])
    assert {(p.service, p.kind) for p in shown.places} == {("billing", "table")}
    usage = next(place for place in shown.places if place.name == "usage")
    assert usage.rule == "billing.usage"
    assert {leaf.basis for leaf in usage.leaves} == {"legal obligation"}
