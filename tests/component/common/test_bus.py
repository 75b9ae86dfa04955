"""One suite for both brokers: the in-memory one of FastStream and a real nats-server."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import nats
import nats.errors
import pytest
from faststream.nats import NatsRouter, TestNatsBroker
from faststream.nats.response import NatsResponse
from tests_support.servers import Servers

from libs.common import errors
from libs.common.bus import Bus, CausedBy, InternalError, reply
from libs.common.fields import Count, SecretText, Word
from libs.common.messages import Message, Meta, Query
from libs.common.testing import PASSWORD

MARKER = "mArKeR-7f3a"


class Ask(Query, type="ledger.query.ask"):
    count: Count
    word: Word = "w"
    secret: SecretText = ""


class Guarded(Query, type="ledger.query.guarded", permission="ledger:look"):
    count: Count = 0


class Wrong(Query):
    """What another version of `Ask` might send."""

    count: int
    word: str
    secret: list[str]


class Answer(Message):
    count: Count
    organization: Word


class Shut(errors.Conflict):
    code = "shut"


@dataclass
class Asked:
    """What came to the handlers."""

    guarded: int = 0
    metas: list[Meta] | None = None


def _handlers(asked: Asked) -> NatsRouter:
    router = NatsRouter()

    @router.subscriber(Ask.type, queue="ledger")
    async def ask(query: Ask, meta: CausedBy) -> NatsResponse:
        if query.word == "refuse":
            raise Shut("closed for today", by="per_9")
        if query.word == "break":
            raise RuntimeError(MARKER)
        if query.word == "sleep":
            await asyncio.sleep(1)
        if asked.metas is not None:
            asked.metas.append(meta)
        if query.word == "dict":
            return reply({"count": 1, "organization": "x"}, replayed=True)
        return reply(Answer(count=query.count, organization=meta.organization), version=query.count)

    @router.subscriber(Guarded.type, queue="ledger")
    async def guarded(query: Guarded) -> NatsResponse:
        asked.guarded += 1
        return reply({})

    return router


@pytest.fixture
def asked() -> Asked:
    return Asked(metas=[])


@pytest.fixture(params=["memory", "server"])
async def bus(request: pytest.FixtureRequest, asked: Asked) -> AsyncIterator[Bus]:
    servers: Servers | None = None
    if request.param == "server":
        servers = request.getfixturevalue("servers")
    url = servers.nats_url if servers else "nats://127.0.0.1:1"
    made = Bus(url, "ledger", "ledger", PASSWORD)
    made.broker.include_router(_handlers(asked))
    if servers is None:
        async with TestNatsBroker(made.broker):
            yield made
    else:
        await made.start()
        yield made
        await made.stop()


META = Meta(organization="org_1", actor="per_1", permissions=frozenset({"ledger:read"}))


async def test_an_answer_comes_with_its_version(bus: Bus) -> None:
    got = await bus.ask(Ask(count=7), META)
    assert got.as_a(Answer) == Answer(count=7, organization="org_1")
    assert (got.version, got.replayed) == (7, False)


async def test_a_repeated_answer_says_so_and_none_has_no_version(bus: Bus) -> None:
    got = await bus.ask(Ask(count=7, word="dict"), META)
    assert (got.value, got.version, got.replayed) == (
        {"count": 1, "organization": "x"}, None, True
    )  # fmt: skip


async def test_who_asks_and_why_arrives_whole(bus: Bus, asked: Asked) -> None:
    meta = META.model_copy(update={
        "request_id": "req_1", "command_id": str(uuid.uuid4()), "command_digest": "d",
        "expected_version": 3, "causation_id": "c", "origin": "v1.a.b.c",
        "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    })  # fmt: skip
    await bus.ask(Ask(count=1), meta)
    assert asked.metas == [meta]


async def test_a_refusal_comes_out_as_its_own_kind_and_code(bus: Bus) -> None:
    with pytest.raises(errors.Conflict) as refused:
        await bus.ask(Ask(count=1, word="refuse"), META)
    assert (refused.value.code, refused.value.detail) == ("shut", "closed for today")
    assert refused.value.extra == {"by": "per_9"}


async def test_a_fault_of_the_handler_is_internal_and_shows_its_class_only(bus: Bus) -> None:
    with pytest.raises(InternalError) as failed:
        await bus.ask(Ask(count=1, word="break"), META)
    assert failed.value.detail == "RuntimeError"


async def test_what_lacks_the_permission_never_reaches_the_handler(bus: Bus, asked: Asked) -> None:
    for meta in (Meta(), META):
        with pytest.raises(errors.Forbidden) as refused:
            await bus.ask(Guarded(), meta)
        assert refused.value.extra == {"permission": "ledger:look"}
    assert asked.guarded == 0
    await bus.ask(Guarded(), META.model_copy(update={"permissions": frozenset({"ledger:look"})}))
    assert asked.guarded == 1


async def test_an_invalid_message_is_answered_with_places_and_without_values(bus: Bus) -> None:
    wrong = Wrong(count=-1, word=f"{MARKER} !", secret=[MARKER])
    with pytest.raises(errors.Rejected) as refused:
        await bus.ask(wrong, META, subject=Ask.type)
    assert refused.value.code == "invalid-input"
    pointers = {p.pointer for p in refused.value.errors}
    assert pointers == {"/count", "/word", "/secret"}
    assert MARKER not in str(refused.value.to_wire())


async def test_a_body_that_is_no_json_is_refused_as_invalid(bus: Bus) -> None:
    answer = await bus.broker.request(b"{no json", Ask.type, timeout=5)
    assert answer.headers.get("Troth-Failed") == "invalid-input"
    assert b"no json" not in answer.body


async def test_a_header_that_is_no_meta_is_refused_as_invalid(bus: Bus) -> None:
    answer = await bus.broker.request(
        b'{"count": 1}', Ask.type, headers={"Troth-Meta": '{"expected_version": "x"}'}, timeout=5
    )
    assert answer.headers.get("Troth-Failed") == "invalid-input"


async def test_when_nobody_answers_the_refusal_names_the_service(bus: Bus) -> None:
    with pytest.raises(errors.Unavailable) as refused:
        await bus.ask(Ask(count=1), META, subject="nobody.query.anything")
    assert refused.value.extra == {"part": "nobody"}
    assert "nobody" in refused.value.detail


async def test_an_answer_that_takes_too_long_is_not_waited_for(bus: Bus) -> None:
    with pytest.raises(errors.Unavailable) as refused:
        await bus.ask(Ask(count=1, word="sleep"), META, timeout_s=0.2)
    assert refused.value.extra == {"part": "ledger"}


async def test_the_same_jetstream_context_is_used_again(servers: Servers) -> None:
    """Each new one would subscribe to its acknowledgements and never end that."""
    bus = Bus(servers.nats_url, "ledger", "ledger", PASSWORD)
    await bus.start()
    assert bus.js is bus.js
    await bus.stop()


async def test_a_bus_that_was_not_started_is_unavailable(servers: Servers) -> None:
    bus = Bus(servers.nats_url, "ledger", "ledger", PASSWORD)
    with pytest.raises(errors.Unavailable):
        _ = bus.nc
    assert not bus.connected


async def test_a_wrong_password_is_not_let_in(servers: Servers) -> None:
    with pytest.raises(nats.errors.Error):
        await nats.connect(
            servers.nats_url, user="ledger", password="wrong", allow_reconnect=False,
            max_reconnect_attempts=0,
        )  # fmt: skip
