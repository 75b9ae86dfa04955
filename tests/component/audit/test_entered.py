"""What an event becomes: leaves that can be recomputed, and details that only keys open."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests_support.desk import ORG, Desk, days_ago, today
from tests_support.servers import Servers

from libs.common import ids
from libs.common.origins import Origin, OriginKey
from libs.trail.canonical import FIELDS, body_of, commitment, leaf
from libs.trail.tree import Frontier, split
from services.audit.batch import trail_name
from services.audit.lost_keys import details_are_lost
from services.audit.settings import places_in

HEADS = "select size, frontier from trail_heads order by trail"
TREE = "select level, idx, hash from audit_tree where trail = %s order by 1, 2"


@pytest.fixture
async def desk(servers: Servers, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(servers, tmp_path)
    yield made
    await made.database.close()


async def test_every_leaf_is_made_of_what_its_detail_opens(desk: Desk) -> None:
    await desk.add(3)
    await desk.add(2, actor="per_1")
    leaves, opened = desk.leaves(), dict(await desk.opened())
    assert [one.seq for one in leaves] == list(range(5))
    for one in leaves:
        entry = opened[one.seq]
        salts, values = entry.salts(), dict(zip(FIELDS, entry.values, strict=True))
        shown = [commitment(name, salts[name], values[name]) for name in FIELDS]
        assert entry.commitments() == shown
        assert body_of(shown) == one.body
        assert leaf(trail_name(one.trail), one.seq, one.day, one.class_, one.body) == one.hash


async def test_an_entry_has_all_fields_of_the_format(desk: Desk) -> None:
    (event,) = await desk.add(actor="per_1", requestid="req_1")
    ((_, entry),) = await desk.opened()
    at = event.time.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    assert dict(zip(FIELDS, entry.values, strict=True)) == {
        "id": ids.public("evt", ids.uuid_of(event.id)), "type": "executor.event.noted", "time": at,
        "producer": "executor", "number": "1:1", "actor": "per_1", "resource": "exe_1",
        "version": "1", "outcome": "success", "address": None, "agent": None,
        "request": "req_1", "data": '{"amount":7}',
    }  # fmt: skip


async def test_batches_grow_one_tree_with_the_roots_of_its_whole_subtrees(desk: Desk) -> None:
    for count in (100, 1, 411, 255):
        await desk.add(count)
    leaves = desk.leaves()
    hashes = [one.hash for one in leaves]
    whole = Frontier()
    whole.extend(hashes)
    ((size, frontier),) = desk.rows(HEADS)
    assert (size, split(frontier)) == (767, whole.hashes)
    roots = []
    for number in (0, 1):
        subtree = Frontier()
        subtree.extend(hashes[number * 256 : number * 256 + 256])
        roots.append((1, number, subtree.root()))
    assert desk.rows(TREE, leaves[0].trail) == roots


async def test_each_organization_has_a_trail_whose_id_names_nobody(desk: Desk) -> None:
    await desk.add(2)
    await desk.add(3, organization="org_two")
    sizes = dict(desk.rows("select org, size from trails join trail_heads using (trail)"))
    assert sizes == {ORG: 2, "org_two": 3}
    assert len({one.trail for one in desk.leaves()}) == 2
    assert len(await desk.found()) == 2
    assert len(await desk.found("org_two")) == 3


async def test_the_same_numbers_are_entered_once_whatever_a_reader_believes(desk: Desk) -> None:
    events = await desk.add(10)
    await desk.enter(events)
    await desk.enter(events[3:7])
    more = [desk.event() for _ in range(2)]
    await desk.enter([*events[5:], *more])
    assert len(desk.leaves()) == 12
    assert desk.rows("select first, last, entered from taken order by 1") == [
        (1, 10, 10), (11, 12, 2),
    ]  # fmt: skip


async def test_a_new_incarnation_brings_no_event_a_second_time(desk: Desk) -> None:
    events = await desk.add(6)
    desk.incarnation, desk.last = 2, 4
    await desk.enter(events[:2])
    assert len(desk.leaves()) == 6
    await desk.enter([*events[2:4], desk.event(), desk.event()])
    assert len(desk.leaves()) == 8
    assert desk.rows("select incarnation, first, last, entered from taken order by 1, 2") == [
        (1, 1, 6, 6), (2, 1, 2, 0), (2, 3, 6, 2),
    ]  # fmt: skip


async def test_an_event_of_a_forgotten_day_is_a_leaf_without_a_detail(desk: Desk) -> None:
    await desk.add(time=days_ago(91), actor="per_1")
    await desk.add(time=days_ago(89))
    assert [(one.class_, one.day) for one in desk.leaves()] == [
        ("expired", today() - 91), ("execution", today() - 89),
    ]  # fmt: skip
    assert [seq for seq, _ in await desk.opened()] == [1]


async def test_an_event_from_the_future_has_the_day_on_which_it_came(desk: Desk) -> None:
    await desk.add(time=days_ago(-27_000))
    assert [one.day for one in desk.leaves()] == [today()]
    (entry,) = await desk.found(from_at=days_ago(-1))
    assert entry.occurred_at > days_ago(-20_000)


async def test_a_step_of_the_ratchet_takes_a_day_out_of_every_answer(desk: Desk) -> None:
    await desk.add(2, time=days_ago(5))
    (last,) = await desk.add(time=days_ago(1))
    desk.keys.forget_until(today() - 3)
    assert [e.id for e in await desk.found()] == [ids.public("evt", ids.uuid_of(last.id))]
    await desk.add(time=days_ago(5))
    assert [one.class_ for one in desk.leaves()][3] == "expired"


async def test_who_is_forgotten_stands_in_no_entry_any_more(desk: Desk) -> None:
    await desk.add(2, actor="per_1")
    await desk.add(1, actor="per_2")
    assert len(await desk.found(actor=["per_1"])) == 2
    bodies = [one.body for one in desk.leaves()]
    desk.people.drop("per_1", desk.people_keys.destroy("per_1"))
    assert sorted(e.actor for e in await desk.found()) == ["forgotten", "forgotten", "per_2"]
    assert await desk.found(actor=["per_1"]) == []
    entries = [entry for _, entry in await desk.opened()]
    assert [entry.hidden for entry in entries] == [True, True, False]
    assert [body_of(entry.commitments()) for entry in entries] == bodies
    assert {"actor", "address", "agent"}.isdisjoint(entries[0].salts())


async def test_what_comes_late_of_a_forgotten_person_names_them_nowhere(desk: Desk) -> None:
    desk.people_keys.destroy("per_1")
    key = desk.keys.of(today())
    origin = OriginKey(today(), key.origin).seal(Origin("192.0.2.7", "curl"))
    await desk.add(actor="per_1", origin=origin)
    (entry,) = await desk.found()
    assert (entry.actor, entry.address, entry.user_agent) == ("forgotten", None, None)
    assert await desk.found(address=["192.0.2.7"]) == []


async def test_address_and_user_agent_come_sealed_and_are_found(desk: Desk) -> None:
    key = desk.keys.of(today())
    for last, actor in ((7, "per_1"), (8, "key_1")):
        sealed = OriginKey(today(), key.origin).seal(Origin(f"192.0.2.{last}", f"agent {last}"))
        await desk.add(actor=actor, origin=sealed)
    await desk.add(origin="v1.something.else")
    await desk.add(origin=sealed[:-6] + "AAAAA=")
    (entry,) = await desk.found(address=["192.0.2.7"])
    assert (entry.actor, entry.user_agent) == ("per_1", "agent 7")
    assert [e.actor for e in await desk.found(address=["192.0.2.8"])] == ["key_1"]
    assert len(await desk.found()) == 4


async def test_no_row_holds_what_a_detail_says(desk: Desk) -> None:
    key = desk.keys.of(today())
    sealed = OriginKey(today(), key.origin).seal(Origin("192.0.2.77", "markeragent"))
    await desk.add(2, actor="per_marker", origin=sealed, subject=f"execution-{ORG}-exe_marker")
    tables = [n for (n,) in desk.rows("select tablename from pg_tables where schemaname='public'")]
    assert "audit_detail" in tables or any(n.startswith("audit_detail_") for n in tables)
    for table in tables:
        for (row,) in desk.rows(f"select t::text from {table} t"):
            for marker in ("marker", "192.0.2.77"):
                assert marker not in row, table
                assert marker.encode().hex() not in row, table


async def test_when_both_places_are_lost_the_trail_goes_on_and_it_is_said(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.add(2)
    async with desk.database.work() as connection:
        assert not await details_are_lost(connection, desk.keys)
    for place in places_in(desk.folder):
        place.unlink()
    desk.anew()
    with caplog.at_level(logging.CRITICAL):
        async with desk.database.work() as connection:
            assert await details_are_lost(connection, desk.keys)
    assert "lost in both places" in caplog.text
    await desk.add(3)
    assert len(desk.leaves()) == 5
    assert len(await desk.found()) == 3
