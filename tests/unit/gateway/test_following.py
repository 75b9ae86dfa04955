"""A stream at the door: a caller that takes nothing is cut, the process's end closes it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from libs.common.bus import Answered
from libs.common.following import Follow
from services.gateway import following
from services.gateway.following import EventStream
from services.gateway.refusals import TooManyStreams
from services.gateway.streams import STREAMS_MAX, Streams, Wakeable

SCOPE = {"troth": SimpleNamespace(head=False)}


class Bus:
    """Subscribes to nothing, and counts."""

    def __init__(self) -> None:
        self.nc, self.open = self, 0

    async def subscribe(self, subject: str, cb: Any) -> "Bus":
        self.open += 1
        return self

    async def unsubscribe(self) -> None:
        self.open -= 1


class Call:
    """A caller whose stream always has one more thing."""

    def __init__(self) -> None:
        self.bus = Bus()
        settings = SimpleNamespace(stream_heartbeat_s=15.0)
        self.door = SimpleNamespace(streams=Streams(self.bus), settings=settings)  # pyright: ignore[reportArgumentType] - as far as it is used
        self.organization, self.caller = "org_1", None
        self.request = SimpleNamespace(headers={})
        self.asked: list[str | None] = []

    async def ask(self, kind: Any, at: Any, **given: Any) -> Answered:
        self.asked.append(given["after"])
        n = len(self.asked)
        one = {"place": str(n), "thing": {"n": n}}
        said = {"data": [one], "upto": str(n), "reset": False, "more": True, "ended": False}
        return Answered(msgspec.json.encode(said))


def stream(call: Any) -> EventStream:
    return EventStream(call, Follow, {}, {}, "x.relay.y", "org_1")


async def never() -> Any:
    await asyncio.Event().wait()


async def test_who_takes_nothing_is_cut_and_nothing_is_kept_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "STALLED_S", 0.05)
    monkeypatch.setattr(following, "LAST_WORD_S", 0.05)
    call, sent = Call(), []

    async def send(message: Any) -> None:
        if len(sent) == 4:
            await asyncio.Event().wait()
        sent.append(message)

    await asyncio.wait_for(stream(call)(SCOPE, never, send), 5)
    assert len(call.asked) <= 5, "no more was asked for than was taken"
    assert call.bus.open == 0 and call.door.streams.all() == []


async def test_who_reads_again_at_last_is_told_to_begin_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "STALLED_S", 0.05)
    call, sent = Call(), []

    async def send(message: Any) -> None:
        if len(sent) == 2 and b"reset" not in message["body"]:
            await asyncio.Event().wait()
        sent.append(message)

    await asyncio.wait_for(stream(call)(SCOPE, never, send), 5)
    assert b"event: reset" in sent[-1]["body"] and not sent[-1].get("more_body")


async def test_the_end_of_the_process_closes_streams_in_order() -> None:
    call, sent = Call(), []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            call.door.streams.end_all()

    await asyncio.wait_for(stream(call)(SCOPE, never, send), 5)
    assert sent[-1] == {"type": "http.response.body", "body": b""}


async def test_places_are_counted_per_organization_and_given_back() -> None:
    bus = Bus()
    streams = Streams(bus)  # pyright: ignore[reportArgumentType] - as far as it is used
    mine = [Wakeable("org_1", "s", "org_1") for _ in range(STREAMS_MAX)]
    for one in mine:
        await streams.enter(one)
    with pytest.raises(TooManyStreams):
        await streams.enter(Wakeable("org_1", "s", "org_1"))
    other = Wakeable("org_2", "s", "org_2")
    await streams.enter(other)
    await streams.leave(mine.pop())
    await streams.enter(Wakeable("org_1", "s", "org_1"))
    assert bus.open == 1, "one subscription for all"


async def test_who_can_not_be_woken_takes_no_place() -> None:
    bus = Bus()

    async def refuses(subject: str, cb: Any) -> Bus:
        raise ConnectionError

    bus.subscribe = refuses
    streams = Streams(bus)  # pyright: ignore[reportArgumentType] - as far as it is used
    for _ in range(STREAMS_MAX + 1):
        with pytest.raises(ConnectionError):
            await streams.enter(Wakeable("org_1", "s", "org_1"))
    assert streams.all() == []


async def test_only_those_whose_name_was_said_are_woken() -> None:
    streams = Streams(Bus())  # pyright: ignore[reportArgumentType] - as far as it is used
    one, two = Wakeable("org_1", "s", "org_1"), Wakeable("org_2", "s", "org_2")
    await streams.enter(one)
    await streams.enter(two)
    await streams._came(SimpleNamespace(subject="s", data=b"org_3 org_2"))  # pyright: ignore[reportArgumentType] - as far as it is used
    assert (one.woken.is_set(), two.woken.is_set()) == (False, True)
