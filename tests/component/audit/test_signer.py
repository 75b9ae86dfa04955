"""The signer never goes back: whoever cuts or rewrites a trail gets no further checkpoint."""

import os
import stat
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from libs.common.errors import Conflict, NotFound
from libs.common.testing import eventually
from services.audit.contract import (
    CheckpointRefused,
    CheckpointSigned,
    FindCheckpoint,
    ResumeSigning,
)
from services.audit.memory import Refusal

from .conftest import ONE, TWO, World

MINE = "(select trail from trails where org = 'org_one')"
TAIL = f"(select max(first) from audit_leaf where trail = {MINE})"
CUT = f"delete from audit_leaf where trail = {MINE} and first = {TAIL}"
CHANGED = "set_byte({0}, {1}, get_byte({0}, {1}) # 1)"


@pytest.fixture
async def signed(world: World) -> World:
    """Three batches of the first organization are signed for, one of the second."""
    for count in (3, 300, 5):
        await world.note(count)
    await world.note(2, TWO)
    await world.complete()
    await world.parts.proof.signer.round(world.now)
    assert (await world.ask(FindCheckpoint()))["size"] == 308
    return world


async def turn(world: World) -> dict[str, Refusal]:
    await world.parts.proof.signer.round(world.now)
    await world.parts.proof.announcer.turn(world.now)
    return world.parts.proof.signer.refusals


async def facts(world: World, kind: str) -> list[Any]:
    async with world.audit.database.work() as connection:
        found = await connection.execute(
            text("select org, data from log where type = :kind order by n"), {"kind": kind}
        )
        return list(found.all())


async def after(world: World, *statements: str) -> Refusal:
    """What the signer says when a superuser did this, and then more was entered as ever."""
    with world.as_administrator() as admin:
        for statement in statements:
            admin.execute(statement.encode())
    world.now += timedelta(hours=1)
    refusals = await turn(world)
    theirs = (await world.ask(FindCheckpoint(), TWO))["trail"]
    assert theirs not in refusals
    ((_, refusal),) = refusals.items()
    return refusal


async def test_a_tail_that_was_cut_from_the_leaves_is_noticed(signed: World) -> None:
    refusal = await after(signed, CUT)
    assert refusal == Refusal("missing", 308, 308)


async def test_a_tail_that_was_cut_everywhere_is_noticed(signed: World) -> None:
    refusal = await after(
        signed, f"update trail_heads set size = {TAIL} where trail = {MINE}", CUT,
        f"delete from checkpoints where trail = {MINE}",
    )  # fmt: skip
    assert (refusal.reason, refusal.signed) == ("smaller", 308)


async def test_a_trail_that_is_gone_is_noticed(signed: World) -> None:
    refusal = await after(
        signed, f"delete from checkpoints where trail = {MINE}",
        f"delete from trail_heads where trail = {MINE}",
    )  # fmt: skip
    assert refusal.reason == "gone"


@pytest.mark.parametrize(("first", "byte"), [(0, 0), (3, 40), (303, 31)])
async def test_a_rewritten_leaf_is_noticed_within_a_day(
    signed: World, first: int, byte: int
) -> None:
    change = CHANGED.format("leaves", byte)
    with signed.as_administrator() as admin:
        admin.execute(
            f"update audit_leaf set leaves = {change} where trail = {MINE}"
            f" and first = (select max(first) from audit_leaf where trail = {MINE}"
            f" and first <= {first})".encode()
        )
    refusals: dict[str, Refusal] = {}
    for _ in range(24):
        signed.now += timedelta(hours=1)
        refusals = await turn(signed)
    ((_, refusal),) = refusals.items()
    assert refusal.reason == "inconsistent"


async def test_leaves_that_are_rewritten_with_the_tree_above_them_are_noticed(
    signed: World,
) -> None:
    change = CHANGED.format("hash", 5)
    refusal = await after(signed, f"update audit_tree set hash = {change} where trail = {MINE}")
    assert refusal.reason == "inconsistent"


async def test_a_checkpoint_of_another_key_is_noticed(signed: World) -> None:
    refusal = await after(
        signed, f"update checkpoints set note = replace(note, '— ', '— x') where trail = {MINE}"
    )
    assert refusal.reason == "other-key"


async def test_a_lost_memory_is_made_up_for_by_what_was_signed(signed: World) -> None:
    place = signed.settings.signing_place
    place.with_name(f"{place.name}-seen").unlink()
    await signed.restart_audit()
    refusal = await after(
        signed, f"update trail_heads set size = {TAIL} where trail = {MINE}", CUT,
    )  # fmt: skip
    assert (refusal.reason, refusal.signed) == ("smaller", 308)


async def test_a_refused_trail_is_signed_again_only_when_an_operator_acts(signed: World) -> None:
    with signed.as_administrator() as admin:
        admin.execute(f"create table aside as select * from audit_leaf where trail = {MINE}")
    await after(signed, CUT)
    (trail,) = signed.parts.proof.signer.refusals
    told = await facts(signed, CheckpointRefused.type)
    assert [(row.org, row.data) for row in told] == [
        ("instance", {"trail": trail, "reason": "missing", "size": 308, "signed": 308})
    ]
    with pytest.raises(Conflict) as refused:
        await signed.ask(ResumeSigning(trail=trail))
    assert refused.value.code == "checkpoint-refused"
    with signed.as_administrator() as admin:
        admin.execute("insert into audit_leaf select * from aside on conflict do nothing")
    await signed.restart_audit()
    assert await turn(signed) != {}
    shown = await signed.ask(ResumeSigning(trail=trail))
    assert shown["trail"] == trail
    assert shown["size"] >= 308
    assert await turn(signed) == {}
    with pytest.raises(NotFound):
        await signed.ask(ResumeSigning(trail=trail))


async def test_what_only_carries_the_trail_away_waits_for_the_full_hour(world: World) -> None:
    proof = world.parts.proof
    world.now = world.now.replace(minute=5)
    await turn(world)
    await world.note(1)
    await world.complete()
    await turn(world)
    assert (await world.ask(FindCheckpoint()))["size"] == 1
    assert await facts(world, CheckpointSigned.type) == []
    world.now += timedelta(hours=1)
    await turn(world)
    ((org, data),) = await facts(world, CheckpointSigned.type)
    assert (org, data["since"], data["size"]) == (ONE, 0, 1)
    # It is an entry of the same trail, of a class that causes no checkpoint before the hour.
    await eventually(world.complete, lambda shown: shown.audited == 2)
    await proof.signer.round(world.now)
    assert (await world.ask(FindCheckpoint()))["size"] == 1
    for _ in range(3):
        world.now += timedelta(hours=1)
        await turn(world)
    assert (await world.ask(FindCheckpoint()))["size"] == 2
    assert len(await facts(world, CheckpointSigned.type)) == 1


async def test_only_the_signer_may_write_what_was_signed(signed: World) -> None:
    for statement in (
        "insert into checkpoints select * from checkpoints", "delete from checkpoints",
        "update checkpoints set size = 1", "insert into digests select * from digests",
        "truncate digests", "drop table checkpoints",
    ):  # fmt: skip
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            async with signed.audit.database.work() as connection:
                await connection.execute(text(statement))
    for statement in (
        "update checkpoints set size = 1", "delete from checkpoints", "select * from trails",
        "select * from audit_detail", "insert into audit_leaf select * from audit_leaf",
        "select * from log",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with signed.parts.proof.signer._connect() as connection:
                await connection.execute(statement.encode())


async def test_the_key_is_for_its_owner_and_the_same_at_the_next_start(signed: World) -> None:
    place = signed.settings.signing_place
    for file in (place, place.with_name(f"{place.name}-seen")):
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    before = signed.parts.proof.signer.verifier
    await signed.restart_audit()
    assert signed.parts.proof.signer.verifier == before
    assert await turn(signed) == {}
