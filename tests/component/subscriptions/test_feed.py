"""The feed: numbers without gaps, pages that can be polled for ever, and a rebuild."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, text
from tests_support.producers import append

from libs.common import clock, ids
from libs.common.errors import DomainError, Malformed
from libs.common.eventstore import stream_of
from libs.common.testing import eventually, swept
from services.identity.contract import OrganizationFounded, PersonRegistered
from services.subscriptions import feeding
from services.subscriptions.contract import FindEvents, FindEventTypes
from services.subscriptions.retention import SWEEPS

STARTED = "executor.event.execution-started"


async def poll(world: Any, place: str | None, **query: Any) -> tuple[list[str], str]:
    """All pages from a place on, until one is not full."""
    seen: list[str] = []
    while True:
        page = await world.events(order="asc", limit=3, after=place, **query)
        seen += [e["subject"] for e in page["data"]]
        place = str(page["next"])
        assert place.isdigit()
        if len(page["data"]) < 3:
            return seen, place


async def test_a_cursor_skips_nothing_while_events_come_from_many_sides(world: Any) -> None:
    place: str | None = (await world.events(order="asc"))["next"]
    seen: list[str] = []
    made: list[str] = []

    async def produce(count: int) -> None:
        for _ in range(count):
            made.extend(await world.start())

    producing = [asyncio.create_task(produce(20)) for _ in range(3)]
    while not all(task.done() for task in producing):
        came, place = await poll(world, place)
        seen += came
    await asyncio.gather(*producing)
    await world.taken()
    came, place = await poll(world, place)
    seen += came
    assert sorted(seen) == sorted(made) and len(set(seen)) == 60
    assert (await poll(world, place))[0] == []
    numbers = [n for (n,) in await world.sql("select n from feed order by n")]
    assert numbers == list(range(1, 61))


async def test_numbers_are_each_organizations_own_and_nobody_sees_anothers(world: Any) -> None:
    [one] = await world.start()
    [two] = await world.start(org="org_two")
    await world.taken()
    assert [e["subject"] for e in (await world.events())["data"]] == [one]
    assert [e["subject"] for e in (await world.events("org_two"))["data"]] == [two]
    assert await world.sql("select org, n from feed order by org") == [
        ("org_one", 1), ("org_two", 1),
    ]  # fmt: skip


async def test_newest_come_first_and_the_last_page_has_no_next(world: Any) -> None:
    made = await world.start(5)
    await world.taken()
    first = await world.events(limit=3)
    rest = await world.events(limit=3, after=first["next"])
    assert [e["subject"] for e in first["data"] + rest["data"]] == made[::-1]
    assert rest["next"] is None


async def test_events_are_found_by_type_subject_and_time(world: Any) -> None:
    one, two = await world.start(2)
    await world.finish(one)
    await world.taken()

    async def found(**query: Any) -> list[tuple[str, str]]:
        page = await world.events(order="asc", **query)
        return [(e["subject"], e["type"].rpartition("-")[2]) for e in page["data"]]

    assert await found(event_type=[STARTED]) == [(one, "started"), (two, "started")]
    assert await found(event_type=["executor.event.execution-f*"]) == [(one, "finished")]
    assert len(await found(event_type=["*"])) == 3
    assert await found(subject=[one]) == [(one, "started"), (one, "finished")]
    times = [e["time"] for e in (await world.events(order="asc"))["data"]]
    assert len(await found(from_at=times[1])) == 3 - sum(t < times[1] for t in times)
    assert len(await found(to_at=times[2])) == sum(t < times[2] for t in times)


async def test_a_cursor_that_is_none_is_refused(world: Any) -> None:
    with pytest.raises(DomainError) as refused:
        await world.ask(FindEvents(after="x'"))
    assert (refused.value.kind, refused.value.code) == (Malformed.kind, "invalid-parameter")


async def test_what_is_not_public_and_what_belongs_to_nobody_stays_inside(world: Any) -> None:
    person = PersonRegistered.model_validate({
        "person_id": "per_1", "name": "v1.a.b.c", "email": "v1.a.b.c", "email_index": "0",
        "old_enough": True, "policies": {}, "password_scheme": "p1",
        **({"registered_at": "2026-01-01T00:00:00Z"}
           if "registered_at" in PersonRegistered.model_fields else {}),
    })  # fmt: skip
    await append(world.identity, stream_of("person", "instance", "per_1"), [person], "instance")
    founded = OrganizationFounded.model_validate({
        "organization_id": "org_one", "name": "v1.a.b.neverseen", "slug": "acme",
        "owner_id": "per_1", "founded_at": "2026-01-01T00:00:00Z",
    })  # fmt: skip
    await append(world.identity, stream_of("organization", "org_one"), [founded], "org_one")

    async def look() -> Any:
        return (await world.events())["data"]

    [seen] = await eventually(look, bool)
    assert (seen["subject"], seen["source"]) == ("org_one", "/services/identity")
    assert "name" not in seen["data"] and "neverseen" not in str(seen)
    assert await world.sql("select count(*) from feed") == [(1,)]


async def test_a_rebuild_gives_every_event_its_number_again_and_delivers_nothing(
    world: Any,
) -> None:
    await world.subscribe()
    one, _ = await world.start(2)
    await world.finish(one)
    await world.taken()
    before = [await world.events(), await world.ask(FindEventTypes(limit=200))]
    sent = await world.sql("select count(*) from deliveries")
    await world.sql("update feed set event = '{}', type = '', subject = ''")
    await world.sql("delete from subscriptions")
    for reader in world.service.readers:
        await reader.reset()
    await world.service.stop()
    await world.restart()
    await world.taken()

    async def again() -> Any:
        if await world.sql("select 1 from feed where type = ''"):
            return None
        return [await world.events(), await world.ask(FindEventTypes(limit=200))]

    assert await eventually(again, lambda found: found == before) == before
    assert await world.sql("select count(*) from deliveries") == sent


async def test_the_feed_keeps_seven_days_and_what_still_waits(world: Any) -> None:
    one, two = await world.start(2)
    await world.taken()
    await world.sql("update feed set time = time - interval '167 hours' where subject = :s", s=one)
    await swept(world.service.database, SWEEPS, clock.now())
    assert len((await world.events())["data"]) == 2
    await world.sql("update feed set time = time - interval '2 hours' where subject = :s", s=one)
    await swept(world.service.database, SWEEPS, clock.now())
    assert [e["subject"] for e in (await world.events())["data"]] == [two]
    assert (await world.events(order="asc"))["next"] == "2"


async def test_a_batch_of_a_thousand_costs_two_statements_when_nobody_subscribed(
    world: Any,
) -> None:
    await world.start(1)
    recorded = (await world.executor.store.page(0, 1))[0][0]
    batch = [msgspec.structs.replace(recorded, id=str(ids.uuid7())) for _ in range(1000)]
    statements: list[str] = []

    async with world.service.database.work() as db:
        await db.execute(text("select 1"))

        def heard(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            statements.append(statement)

        event.listen(db.sync_connection, "before_cursor_execute", heard)
        await feeding.write(db, batch)
    assert 1 <= len(statements) <= 2
    assert await world.sql("select count(*) >= 1000 from feed") == [(True,)]
