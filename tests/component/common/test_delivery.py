"""What the relay publishes is the log; an inbox takes each number once, whatever the bus does."""

import asyncio
import random

import nats.aio.msg
import psycopg
import pytest
from nats.js import api
from sqlalchemy import text
from tests_support.appender import append, event
from tests_support.ledger import META, ORG, Noted, Place, build_books, build_ledger, note_many

from libs.common.errors import Unavailable
from libs.common.eventstore import stream_of
from libs.common.inbox import Inbox
from libs.common.messages import Recorded, decode_batch
from libs.common.readers import Reader
from libs.common.relay import FIRST, INCARNATION, LAST, Relay
from libs.common.service import Service
from libs.common.streams import subject_of
from libs.common.testing import eventually


async def _messages(service: Service) -> list[nats.aio.msg.Msg]:
    """All messages of the ledger's stream, by an ordered look from outside."""
    found: list[nats.aio.msg.Msg] = []
    js = service.bus.js
    pull = await js.pull_subscribe("", stream="LEDGER", config=api.ConsumerConfig(
        ack_policy=api.AckPolicy.NONE, deliver_policy=api.DeliverPolicy.ALL))  # fmt: skip
    left = (await js.stream_info("LEDGER")).state.messages
    while len(found) < left:
        found += await pull.fetch(left - len(found), timeout=5)
    await pull.unsubscribe()
    return found


async def _published(service: Service) -> list[Recorded]:
    return [e for m in await _messages(service) for e in decode_batch(m.data)]


async def _everything_is_copied_once(place: Place, timeout_s: float = 30) -> list[int]:
    """The books hold what the log holds, in its order."""

    async def look() -> list[int]:
        return place.copied()

    return await eventually(look, lambda copied: copied == place.numbers(), timeout_s)


async def _relayed(service: Service, n: int) -> None:
    async def look() -> int:
        return service.relay.published if service.relay else 0

    await eventually(look, lambda published: published >= n)


async def test_what_is_published_is_exactly_the_log(ledger: Service) -> None:
    for size in (1, 250, 3):
        await ledger.store.note(stream_of("ledger", ORG, "a"), [Noted(amount=1)] * size, META)
        await note_many(ledger.store, [1, 2], key="b")
    await _relayed(ledger, 260)
    log, head, incarnation = await ledger.store.page(0, 1000)
    assert await _published(ledger) == log
    assert head == len(log) == 260
    for message in await _messages(ledger):
        events = decode_batch(message.data)
        headers = message.headers or {}
        assert message.subject == subject_of("ledger")
        assert len(events) <= 100
        assert (headers[FIRST], headers[LAST], headers[INCARNATION]) == (
            str(events[0].sequence), str(events[-1].sequence), str(incarnation)
        )  # fmt: skip


async def test_what_was_not_committed_is_not_published(
    ledger: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, turn = 0, Relay._turn

    async def counted(relay: Relay) -> bool:
        nonlocal turns
        more = await turn(relay)
        turns += 1
        return more

    async def turned() -> int:
        ledger.appended()
        return turns

    monkeypatch.setattr(Relay, "_turn", counted)
    with psycopg.connect(ledger.database.conninfo("system")) as cut:
        assert append(cut, [event(stream_of("ledger", ORG, "cut"), 1)])
        seen = turns
        await eventually(turned, lambda n: n >= seen + 3)
        cut.rollback()
    await note_many(ledger.store, [1, 2])
    await _relayed(ledger, 2)
    log, head, _ = await ledger.store.page(0, 10)
    assert (await _published(ledger), head) == (log, 2)


async def test_duplicates_in_any_order_are_handled_once(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, list(range(30)))
    await _everything_is_copied_once(place)
    again = await _messages(ledger)
    random.Random(1).shuffle(again)
    for message in again:
        headers = {k: v for k, v in (message.headers or {}).items() if k != "Nats-Msg-Id"}
        await ledger.bus.js.publish(message.subject, message.data, headers=headers)
    await note_many(ledger.store, [1])
    assert len(await _everything_is_copied_once(place)) == 31


async def test_a_stream_that_is_delivered_again_from_its_beginning_is_handled_once(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, list(range(30)))
    await _everything_is_copied_once(place)
    await books.bus.js.delete_consumer("LEDGER", "books-copies")
    await note_many(ledger.store, [1, 2])
    await _everything_is_copied_once(place)

    async def consumer() -> int:
        found = await books.bus.js.consumers_info("LEDGER")
        return sum(not c.num_pending and not c.num_ack_pending for c in found)

    assert await eventually(consumer, lambda idle: idle == 1) == 1
    assert len(await _everything_is_copied_once(place)) == 32


async def test_a_subscriber_that_was_away_takes_what_came_meanwhile(
    place: Place, ledger: Service
) -> None:
    for turn in range(1, 3):
        await note_many(ledger.store, list(range(30)))
        books = build_books(place.settings)
        await books.start()
        assert len(await _everything_is_copied_once(place)) == 30 * turn
        await books.stop()


async def test_a_stream_that_was_deleted_is_made_again_and_repaired_from_the_log(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, list(range(10)))
    await _everything_is_copied_once(place)
    await ledger.bus.js.delete_stream("LEDGER")
    await note_many(ledger.store, list(range(20)))
    assert len(await _everything_is_copied_once(place)) == 30
    await _relayed(ledger, 30)
    await note_many(ledger.store, [1])
    assert len(await _everything_is_copied_once(place)) == 31


async def test_a_tail_that_the_bus_lost_is_noticed_by_the_head_that_the_relay_says(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, [1, 2])
    await _everything_is_copied_once(place)
    await _relayed(ledger, 2)
    assert ledger.relay is not None
    ledger.relay.published = 5  # the bus had 3 to 5, and has lost them
    await note_many(ledger.store, [3, 4, 5])
    assert len(await _everything_is_copied_once(place)) == 5
    assert [e.sequence for e in await _published(ledger)] == [1, 2]


async def test_a_tail_stays_noticed_when_the_head_moved_while_others_came(
    books: Service,
) -> None:
    reader = Reader(books.readers[0].projection, books.database, "ledger")
    inbox = Inbox(reader, books.bus, "books-other")
    reader.n, reader.head, reader.incarnation = 8, 8, 1
    message = nats.aio.msg.Msg(books.bus.nc, "ledger.relay.head")
    for head in (b"1:10", b"1:12"):
        message.data = head
        await inbox._head(message)
    reader.n = 10
    await inbox._head(message)

    async def behind() -> bool:
        return inbox._behind.is_set()

    assert await eventually(behind, lambda it: it)


async def test_a_second_relay_by_accident_only_sends_duplicates(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, list(range(5)))
    await _everything_is_copied_once(place)
    async with ledger.database.work() as connection:
        await connection.execute(text("update readers set n = 0 where name = 'relay'"))
    woken = asyncio.Event()
    second = asyncio.create_task(Relay(ledger.store, ledger.bus, woken).run())
    for _ in range(5):
        await note_many(ledger.store, list(range(5)))
        woken.set()
    assert len(await _everything_is_copied_once(place)) == 30
    sent = [e.sequence for e in await _published(ledger)]
    assert set(sent) == set(range(1, 31))
    second.cancel()


async def test_a_relay_that_finds_the_bus_ahead_of_its_log_stops_and_says_so(
    place: Place, streams: None
) -> None:
    ledger = build_ledger(place.settings)
    await ledger.bus.start()
    await ledger.bus.js.add_stream(name="LEDGER", subjects=["ledger.event.>"])
    headers = {FIRST: "40", LAST: "50", INCARNATION: "1"}
    await ledger.bus.js.publish(subject_of("ledger"), b"[]", headers=headers)
    await ledger.bus.stop()
    ledger = build_ledger(place.settings)
    await ledger.start()
    said = await eventually(ledger.ready, lambda ready: "ledger.relay" in ready)
    assert said["ledger.relay"] == "the bus is at 50, the log at 0: run `troth restore`"
    await note_many(ledger.store, [1, 2])
    assert (await ledger.bus.js.stream_info("LEDGER")).state.messages == 1
    await ledger.stop()


async def test_a_subscriber_that_is_ahead_of_its_producers_log_stops_and_says_so(
    place: Place, ledger: Service
) -> None:
    place.sql("books", "insert into readers (name, n, incarnation) values ('copies', 7, 1)")
    await note_many(ledger.store, [1, 2])
    books = build_books(place.settings)
    await books.start()
    said = await eventually(books.ready, lambda ready: ready["books.reader.copies"] != "ok")
    assert "the log of ledger is at 2 (1), taken were 7 (1)" in said["books.reader.copies"]
    assert place.copied() == []
    await books.stop()


async def test_a_producer_that_is_down_is_named_and_waited_for(
    place: Place, ledger: Service, books: Service
) -> None:
    await note_many(ledger.store, [1])
    await _everything_is_copied_once(place)
    await ledger.stop()
    inbox = Inbox(books.readers[0], books.bus, "books-copies")
    with pytest.raises(Unavailable, match="ledger is not running"):
        await inbox.catch_up()
    again = build_ledger(place.settings)
    await again.start()
    await note_many(again.store, [2])
    assert len(await _everything_is_copied_once(place)) == 2
    await again.stop()
