"""Digests: one an hour, also when nothing happened; signed, chained, loud when numbers differ."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from libs.common.fields import milliseconds
from libs.common.testing import eventually
from services.audit.contract import (
    CompletenessShown,
    CountDiffered,
    FindDigests,
    ProducerShown,
    ProducerSilent,
)
from services.audit.digests import NOTHING

from .conftest import ONE, World


async def hour(world: World) -> dict[str, Any]:
    """The digest of an hour later, whoever makes it: this turn, or the leading process."""
    world.now += timedelta(hours=1)
    digests = world.parts.proof.digests
    digests._caught_up_s = 2.0
    await digests.due(world.now)
    wanted = milliseconds(world.now.replace(minute=0, second=0, microsecond=0))

    async def last() -> dict[str, Any]:
        found = (await world.ask(FindDigests(limit=1)))["data"]
        return found[0] if found else {"to_at": None}

    shown = await eventually(last, lambda found: found["to_at"] == wanted)
    assert await digests.due(world.now) is None
    return shown


async def producer(shown: dict[str, Any], name: str = "executor") -> dict[str, Any]:
    return next(p for p in shown["producers"] if p["producer"] == name)


async def told(world: World, kind: str) -> list[Any]:
    async with world.audit.database.work() as connection:
        found = await connection.execute(
            text("select data from log where type = :kind order by n"), {"kind": kind}
        )
        return list(found.scalars())


async def test_an_hour_without_events_has_a_digest_too(world: World) -> None:
    first = await hour(world)
    second = await hour(world)
    assert [first["number"], second["number"]] == [1, 2]
    assert first["complete"]
    assert second["complete"]
    assert second["from_at"] == first["to_at"]
    for shown in (first, second):
        counted = await producer(shown)
        assert (counted["first"], counted["last"], counted["count"]) == (1, 0, 0)


async def test_what_was_taken_in_the_hour_stands_in_its_digest(world: World) -> None:
    await world.note(5)
    await hour(world)
    await world.note(7)
    shown = await hour(world)
    counted = await producer(shown)
    assert (counted["first"], counted["last"], counted["count"]) == (6, 12, 12)
    assert counted["complete"]
    assert shown["complete"]


async def test_digests_are_signed_and_each_holds_the_hash_of_the_one_before(world: World) -> None:
    await world.note(1)
    await world.complete()
    for _ in range(3):
        await hour(world)
    page = (await world.ask(FindDigests(order="asc")))["data"]
    before = None
    async with world.audit.database.work() as connection:
        found = await connection.execute(text("select number, body from digests"))
        bodies: dict[int, str] = {row.number: row.body for row in found}
    for shown in page:
        said = world.parts.proof.signer.verifier.open(shown["note"]).splitlines()
        assert said[:2] == ["troth/digests", str(shown["number"])]
        assert said[2] == f"{shown['from_at']} {shown['to_at']}"
        assert said[3] == "complete"
        hashed = base64.b64encode(hashlib.sha256(before.encode()).digest()) if before else b""
        assert said[4] == (hashed.decode() or NOTHING)
        body = hashlib.sha256(bodies[shown["number"]].encode()).digest()
        assert said[6] == base64.b64encode(body).decode()
        before = shown["note"]


async def test_after_hours_without_a_process_one_digest_reaches_over_all_of_them(
    world: World,
) -> None:
    first = await hour(world)
    world.now += timedelta(hours=5)
    second = await hour(world)
    hours = datetime.fromisoformat(second["to_at"]) - datetime.fromisoformat(second["from_at"])
    assert (second["number"], second["from_at"], hours) == (2, first["to_at"], timedelta(hours=6))


async def test_only_the_operator_sees_the_numbers(world: World) -> None:
    await world.note(3)
    await hour(world)
    (shown,) = (await world.ask(FindDigests(), ONE, "audit:read"))["data"]
    assert shown["producers"] is None
    assert shown["complete"]
    assert "count" not in shown["note"]


async def test_a_silent_producer_is_told_once_and_nothing_is_complete(world: World) -> None:
    await hour(world)
    await world.producers["billing"].stop()
    for _ in range(2):
        assert not (await hour(world))["complete"]
    assert [data["producer"] for data in await told(world, ProducerSilent.type)] == ["billing"]
    assert not (await world.completeness()).complete


async def test_a_log_that_was_cut_is_told(world: World) -> None:
    await world.note(5)
    await world.complete()
    await hour(world)
    world.in_log_of("executor", "update heads set n = 3")
    shown = await hour(world)
    assert not shown["complete"]
    (data,) = await told(world, CountDiffered.type)
    assert data == {"producer": "executor", "number": 2, "head": 3, "last": 5, "count": 5}
    await hour(world)
    assert len(await told(world, CountDiffered.type)) == 1


@pytest.mark.parametrize("count", [4, 6])
async def test_a_gap_or_a_duplicate_in_the_trail_is_told(world: World, count: int) -> None:
    digests = world.parts.proof.digests

    async def counted() -> CompletenessShown:
        shown = ProducerShown(
            producer="executor", incarnation=1, head=5, last=5, count=count, gaps=[], complete=False
        )
        return CompletenessShown(complete=False, audited=count, producers=[shown])

    digests._count = counted
    shown = await hour(world)
    assert not shown["complete"]
    (data,) = await told(world, CountDiffered.type)
    assert (data["last"], data["count"]) == (5, count)


async def test_the_leading_process_makes_digests_by_itself(world: World) -> None:
    world.now += timedelta(hours=1)
    await world.restart_audit()

    async def numbers() -> Sequence[int]:
        return [shown["number"] for shown in (await world.ask(FindDigests()))["data"]]

    await eventually(numbers, lambda found: list(found) == [1], 30)
