"""A command is decided, appended and remembered once, whatever repeats it."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests_support.ledger import DECIDER, LIMIT, META, ORG, Note, Noted, Place, TooHigh
from tests_support.proxy import proxy_to

from libs.common import eventstore
from libs.common.errors import ChangedMeanwhile, Conflict, KeyReused, Unavailable
from libs.common.eventstore import EventStore, Outcome, append_within, stream_of
from libs.common.messages import Meta
from libs.common.testing import PASSWORD, eventually

STREAM = stream_of("ledger", ORG, "a")


def _command(digest: str = "d", **more: Any) -> Meta:
    return META.model_copy(
        update={"command_id": str(uuid.uuid4()), "command_digest": digest} | more
    )


async def _note(
    store: EventStore, amount: int, meta: Meta = META,
    beside: Callable[[AsyncConnection], Awaitable[None]] | None = None,
) -> Outcome[int]:  # fmt: skip
    return await store.execute(
        DECIDER, STREAM, Note(amount=amount), meta, answer=lambda t, v: f"{t} at {v}",
        beside=beside,
    )  # fmt: skip


async def test_a_command_appends_what_it_decides_with_who_did_it_and_why(
    store: EventStore,
) -> None:
    meta = _command(request_id="req_1", causation_id="c", traceparent="00-a-b-01", origin="v1.x")
    assert (await _note(store, 5)).version == 1
    outcome = await _note(store, 7, meta)
    assert (outcome.state, outcome.version, outcome.n, outcome.events) == (
        12, 2, 2, [Noted(amount=7)]
    )  # fmt: skip
    last = (await store.load(STREAM))[-1]
    assert (last.organization, last.actor, last.type) == (ORG, "per_1", Noted.type)
    assert (last.requestid, last.causationid, last.origin) == ("req_1", "c", "v1.x")
    assert (last.sequence, last.streamversion, last.producer) == (2, 2, "ledger")
    assert [r.streamversion for r in await store.load(STREAM, since=1)] == [2]


async def test_a_repeated_command_gets_what_was_recorded_and_has_no_second_effect(
    store: EventStore,
) -> None:
    meta = _command()
    await _note(store, 5, meta)
    await _note(store, 6)
    again = await _note(store, 5, meta)
    assert (again.replayed, again.answer, again.state, again.version) == (True, "5 at 1", 5, 1)
    assert len(await store.load(STREAM)) == 2


async def test_the_same_command_id_with_another_body_is_refused(store: EventStore) -> None:
    meta = _command()
    await _note(store, 5, meta)
    with pytest.raises(KeyReused):
        await _note(store, 6, meta.model_copy(update={"command_digest": "other"}))
    assert len(await store.load(STREAM)) == 1


async def test_a_command_id_belongs_to_one_organization(store: EventStore) -> None:
    meta = _command()
    await _note(store, 5, meta)
    other = meta.model_copy(update={"organization": "org_2"})
    outcome = await store.execute(DECIDER, stream_of("ledger", "org_2", "a"), Note(amount=5), other)
    assert (outcome.replayed, outcome.n) == (False, 2)


async def test_a_command_that_decided_nothing_is_remembered_too(store: EventStore) -> None:
    meta = _command()
    assert (await _note(store, 0, meta)).version == 0
    await _note(store, 6)
    again = await _note(store, 0, meta)
    assert (again.replayed, again.answer, again.version) == (True, "0 at 0", 0)
    with pytest.raises(KeyReused):
        await _note(store, 0, meta.model_copy(update={"command_digest": "other"}))


async def test_a_refused_command_leaves_nothing_and_may_come_again(store: EventStore) -> None:
    meta = _command()
    with pytest.raises(TooHigh):
        await _note(store, LIMIT + 1, meta)
    assert await store.load(STREAM) == []
    assert not (await _note(store, 5, meta)).replayed


async def test_ten_at_once_with_the_same_command_id_have_one_effect(store: EventStore) -> None:
    meta = _command()
    outcomes = await asyncio.gather(*(_note(store, 5, meta) for _ in range(10)))
    assert sorted(o.replayed for o in outcomes) == [False] + [True] * 9
    assert {(o.state, o.version) for o in outcomes} == {(5, 1)}
    assert len(await store.load(STREAM)) == 1


async def test_commands_that_meet_on_one_stream_all_count(store: EventStore) -> None:
    outcomes = await asyncio.gather(*(_note(store, 1, _command()) for _ in range(5)))
    assert sorted(o.state for o in outcomes) == [1, 2, 3, 4, 5]
    assert [e.streamversion for e in await store.load(STREAM)] == [1, 2, 3, 4, 5]


async def test_who_is_always_overtaken_gives_up_with_a_conflict(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.load

    async def overtaken(stream: str, since: int = 0) -> Any:
        found = await real(stream, since)
        await store.note(stream, [Noted(amount=1)], META)
        return found

    monkeypatch.setattr(store, "load", overtaken)
    with pytest.raises(Conflict) as refused:
        await _note(store, 5)
    assert refused.value.code == "conflict"
    assert len(await real(STREAM)) == eventstore.ATTEMPTS_MAX


async def test_an_expected_version_must_be_the_current_one(store: EventStore) -> None:
    await _note(store, 5)
    await _note(store, 6, META.model_copy(update={"actor": "per_2"}))
    with pytest.raises(ChangedMeanwhile) as stale:
        await _note(store, 7, META.model_copy(update={"expected_version": 1}))
    assert stale.value.extra["current"] == '"2"'
    assert stale.value.extra["changed_by"] == "per_2"
    assert (await _note(store, 7, META.model_copy(update={"expected_version": 2}))).version == 3


async def test_a_repetition_is_answered_also_when_its_expected_version_is_stale(
    store: EventStore,
) -> None:
    await _note(store, 5)
    meta = _command(expected_version=1)
    await _note(store, 6, meta)
    assert (await _note(store, 6, meta)).replayed


async def test_work_beside_is_committed_with_the_events_or_not_at_all(
    store: EventStore, place: Place
) -> None:
    place.sql("ledger", "create table beside (id int primary key)")
    place.sql("ledger", "grant all on beside to ledger_system")
    turns = 0

    async def insert(connection: AsyncConnection) -> None:
        nonlocal turns
        turns += 1
        if turns == 1:  # somebody else is first, so the first attempt is rolled back
            await store.note(STREAM, [Noted(amount=1)], META)
        await connection.execute(text("insert into beside values (7)"))

    outcome = await _note(store, 5, _command(), insert)
    assert (turns, outcome.state, outcome.version) == (2, 6, 2)
    with pytest.raises(IntegrityError):
        await _note(store, 5, _command(), insert)
    assert len(await store.load(STREAM)) == 2
    assert place.sql("ledger", "select id from beside") == [(7,)]


async def test_a_lost_answer_to_the_commit_is_recognised_as_the_commands_own(
    store: EventStore, place: Place
) -> None:
    async with proxy_to(place.admin_url) as proxy:
        database = eventstore.Database(
            proxy.url, "ledger", PASSWORD, PASSWORD, place.settings.database_prefix
        )
        await database.open()
        far = EventStore(database)
        await _note(far, 1)
        for beside in (None, _nothing):
            meta = _command()
            proxy.lose_answer_to(meta.command_id or "")
            with pytest.raises(Unavailable):
                await _note(far, 5, meta, beside)
            again = await _note(far, 5, meta, beside)
            assert again.state == (6 if beside is None else 11)
        await database.close()
    assert proxy.lost == 2
    assert [e.streamversion for e in await store.load(STREAM)] == [1, 2, 3]


async def _nothing(connection: AsyncConnection) -> None:
    return None


async def test_facts_are_noted_at_the_end_of_a_stream_whoever_else_writes(
    store: EventStore,
) -> None:
    numbers = await asyncio.gather(
        *(store.note(STREAM, [Noted(amount=i), Noted(amount=i)], META) for i in range(4))
    )
    assert sorted(numbers) == [2, 4, 6, 8]
    assert len(await store.load(STREAM)) == 8


async def test_an_append_in_the_callers_transaction_goes_with_it(store: EventStore) -> None:
    async with store.database.work() as connection:
        assert await append_within(connection, STREAM, [Noted(amount=1)], META, first=1)
        assert await append_within(connection, STREAM, [], META, first=1)
        await connection.rollback()
    assert await store.load(STREAM) == []
    async with store.database.work() as connection:
        assert await append_within(connection, STREAM, [Noted(amount=1)], META, first=1)
    async with store.database.work() as connection:
        assert not await append_within(connection, STREAM, [Noted(amount=2)], META, first=1)
    assert [r.event() for r in await store.load(STREAM)] == [Noted(amount=1)]


async def test_an_append_at_the_end_follows_whoever_was_there_or_raises(store: EventStore) -> None:
    async def another() -> None:
        async with store.database.work() as second:
            await append_within(second, STREAM, [Noted(amount=3)], META)

    async def blocked() -> int:
        async with store.database.work() as third:
            sql = "select count(*) from pg_locks where not granted"
            return (await third.exec_driver_sql(sql)).scalar_one()

    async with store.database.work() as first:
        await append_within(first, STREAM, [Noted(amount=1), Noted(amount=2)], META)
        late = asyncio.create_task(another())
        await eventually(blocked, bool)
    with pytest.raises(Conflict):
        await late
    await another()
    assert [r.json()["amount"] for r in await store.load(STREAM)] == [1, 2, 3]


async def test_a_page_tells_head_and_incarnation_also_behind_the_end(store: EventStore) -> None:
    assert await store.page(0, 5) == ([], 0, 1)
    for _ in range(3):
        await _note(store, 1)
    found, head, incarnation = await store.page(1, 1)
    assert ([e.sequence for e in found], head, incarnation) == ([2], 3, 1)
    assert await store.page(9, 5) == ([], 3, 1)
