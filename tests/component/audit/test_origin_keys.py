"""The keys of origins go to the door alone, and what it seals with them is found by address."""

import pytest

from libs.common import clock, ids
from libs.common.errors import Forbidden
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.origins import Origin
from libs.common.testing import eventually
from services.audit.contract import FindEntries, FindOriginKeys, OriginKeysFound
from services.gateway.origins import Origins

from .conftest import ONE, Noted, World

TODAY = int(clock.seconds()) // 86_400


async def test_the_door_is_given_the_keys_of_today_and_tomorrow_and_nobody_else(
    world: World,
) -> None:
    bus = world.producers["identity"].bus
    answer = await bus.ask(FindOriginKeys(), Meta.system("gateway"))
    assert [key.day for key in answer.as_a(OriginKeysFound).keys] == [TODAY, TODAY + 1]
    for actor in ("system:executor", "per_1", "key_1"):
        permissions = frozenset({"audit:read", "instance"})
        with pytest.raises(Forbidden):
            await bus.ask(FindOriginKeys(), Meta(actor=actor, permissions=permissions))


async def test_what_the_door_seals_is_shown_and_found_by_address(world: World) -> None:
    service = world.producers["executor"]
    origins = Origins(service.bus, world.settings.kek_bytes)
    await origins._ask(TODAY)
    for address in ("192.0.2.7", "2001:db8::1"):
        meta = Meta(
            organization=ONE, actor="key_1", request_id=f"req_{address}",
            origin=origins.seal(Origin(address, f"agent of {address}")),
        )  # fmt: skip
        stream = stream_of("execution", ONE, ids.new("exe"))
        await service.store.note(stream, [Noted()], meta)

    async def found() -> list[tuple[str, str, str]]:
        page = await world.ask(FindEntries(address=["2001:db8::1"]))
        return [(e["address"], e["user_agent"], e["request_id"]) for e in page["data"]]

    assert await eventually(found, bool) == [
        ("2001:db8::1", "agent of 2001:db8::1", "req_2001:db8::1")
    ]


async def test_who_reads_the_trail_is_one_entry_an_hour(world: World) -> None:
    await world.note(1)
    for _ in range(5):
        await world.ask(FindEntries(), actor="per_1")

    async def reads() -> list[tuple[str, str, str]]:
        page = await world.ask(FindEntries(event_type=["audit.event.trail-read"]))
        return [(e["actor"], e["resource"], e["category"]) for e in page["data"]]

    assert await eventually(reads, bool) == [("per_1", "trail", "privacy")]
    assert len(await reads()) == 1
