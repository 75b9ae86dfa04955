"""Guards that die: without each of them the same check sees the violation."""

import re
from typing import Any

import nats.errors
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests_support.appender import append, event
from tests_support.ledger import Place, build_books, note_many

from libs.common import service as runtime
from libs.common.eventstore import EventStore
from libs.common.messages import decode_batch, encode_batch
from libs.common.migrate import LOG_SQL
from libs.common.readers import Reader
from libs.common.relay import INCARNATION, Relay
from libs.common.service import Service
from libs.common.streams import subject_of
from libs.common.testing import eventually

LOCK = "select h.n into base from heads h where h.partition = p for update;"
HEAD = "update heads set n = base + (select count(*) from ins) where partition = p"


def _without_the_head_lock(place: Place) -> None:
    """Numbers as an identity column gives them: before the commit, without waiting."""
    source = LOG_SQL.read_text()
    match = re.search(r"create or replace function append\(.*?\$f\$;", source, re.S)
    assert match is not None
    assert match[0].count(LOCK) == match[0].count(HEAD) == 1
    drawn = "select nextval('drawn') - 1 into base;"
    unguarded = match[0].replace(LOCK, drawn).replace(HEAD, "select 1")
    place.sql("ledger", "create sequence drawn")
    place.sql("ledger", "grant usage on sequence drawn to ledger_append")
    place.sql("ledger", unguarded.replace("%", "%%"))
    place.sql("ledger", "update heads set n = 100")


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_reader_never_skips_an_event_that_commits_late(
    place: Place, store: EventStore, guarded: bool
) -> None:
    if not guarded:
        _without_the_head_lock(place)
    options = "-c lock_timeout=300ms"
    conninfo = store.database.conninfo("system")
    taken: list[int] = []

    async def read() -> None:
        after = taken[-1] if taken else 0
        taken.extend(e.sequence for e in (await store.page(after, 100))[0])

    with psycopg.connect(conninfo) as late, psycopg.connect(conninfo, options=options) as quick:
        append(late, [event("ledger-org_1-late", 1)])
        try:
            append(quick, [event("ledger-org_1-quick", 1)])
            quick.commit()
        except psycopg.errors.LockNotAvailable:
            quick.rollback()
        await read()
        late.commit()
        append(quick, [event("ledger-org_1-quicker", 1)])
        quick.commit()
        await read()
    skipped = {n for (n,) in place.sql("ledger", "select n from log")} - set(taken)
    assert skipped == (set() if guarded else {1})


class _Gullible(Reader):
    """Takes whatever comes, as an inbox does that trusts the bus."""

    async def _take(self, events: Any, incarnation: int, expired: Any) -> None:
        async with self.database.work() as connection:
            await self.projection.handle(connection, events)
            await connection.execute(
                text("update readers set n = :n, incarnation = :i where name = :name"),
                {"n": events[-1].sequence, "i": incarnation, "name": self.name},
            )
        await self._at(events[-1].sequence, incarnation)


@pytest.mark.parametrize("guarded", [True, False])
async def test_an_inbox_handles_no_number_twice_and_leaves_none_out(
    place: Place, ledger: Service, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    if not guarded:
        monkeypatch.setattr(runtime, "Reader", _Gullible)
    books = build_books(place.settings)
    await books.start()
    await note_many(ledger.store, [1, 2, 3])

    async def look() -> list[int]:
        return place.copied()

    await eventually(look, lambda copied: len(copied) >= 3)
    relay = ledger.relay
    assert relay is not None

    async def published() -> int:
        return relay.published

    await eventually(published, lambda n: n == 3)
    headers = {INCARNATION: "1"}
    events, _, _ = await ledger.store.page(0, 10)
    await ledger.bus.js.publish(subject_of("ledger"), encode_batch(events[:2]), headers=headers)
    await eventually(look, lambda copied: guarded or len(copied) > 4)
    relay.published = 5  # 4 and 5 are lost by the bus
    await note_many(ledger.store, [4, 5, 6])
    await eventually(look, lambda copied: 6 in copied)
    copied = place.copied()
    await books.stop()
    assert (copied == place.numbers()) is guarded


async def _moves_the_bookmark_first(relay: Relay) -> bool:
    events, relay.head, incarnation = await relay.store.page(relay.published, 100)
    if not events:
        return False
    relay.published = events[-1].sequence
    async with relay.store.database.work() as connection:
        await connection.execute(
            text("update readers set n = :n where name = 'relay'"), {"n": relay.published}
        )
    await relay.bus.js.publish_async(
        subject_of(relay.service), encode_batch(events), headers={INCARNATION: str(incarnation)}
    )
    return False


@pytest.mark.parametrize("guarded", [True, False])
async def test_the_bus_holds_every_number_also_when_a_publication_fails(
    place: Place, ledger: Service, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    if not guarded:
        monkeypatch.setattr(Relay, "_turn", _moves_the_bookmark_first)
    js, failed = ledger.bus.js, 0
    publish = js.publish_async

    async def fails_twice(*args: Any, **more: Any) -> Any:
        nonlocal failed
        if failed < 2:
            failed += 1
            raise nats.errors.ConnectionReconnectingError
        return await publish(*args, **more)

    monkeypatch.setattr(js, "publish_async", fails_twice)
    await note_many(ledger.store, [1])

    async def has_failed() -> int:
        return failed

    await eventually(has_failed, lambda count: count > 0)
    await note_many(ledger.store, [2])
    await eventually(has_failed, lambda count: count == 2)
    await note_many(ledger.store, [3])

    async def on_the_bus() -> list[int]:
        found = []
        last = (await js.stream_info("LEDGER")).state.last_seq
        for sequence in range(1, last + 1):
            message = await js.get_msg("LEDGER", sequence)
            found += [e.sequence for e in decode_batch(message.data or b"[]")]
        return found

    found = await eventually(on_the_bus, lambda sent: 3 in sent)
    assert (found == [1, 2, 3]) is guarded


async def test_row_security_hides_other_organizations_only_while_it_is_forced(
    place: Place, store: EventStore
) -> None:
    async def seen() -> int:
        async with store.database.read("org_1") as connection:
            return await _count(connection)

    place.sql("ledger", "insert into notes values ('org_1', 1, 's', 1, 5), ('org_2', 2, 's', 1, 6)")
    assert await seen() == 1
    place.sql("ledger", "alter table notes disable row level security")
    assert await seen() == 2


async def _count(connection: AsyncConnection) -> int:
    return (await connection.execute(text("select count(*) from notes"))).scalar_one()
