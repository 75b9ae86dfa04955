"""Operations on thousands: in order, few at once, one record per piece, over a crash."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select
from tests_support.engines import Bed

from libs.common import ids
from libs.common.errors import DomainError, Unavailable
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import Forgotten
from libs.common.testing import eventually
from services.executor.contract import (
    CancelOperation,
    FindOperation,
    FindOperationResult,
    NothingToResend,
)
from services.executor.operation_tables import operations
from services.executor.operations import BATCH, ITEMS_MAX, Kind, Made, Piece

ITEMS = 2000


def probe(bed: Bed, each: Any) -> None:
    for executor in bed.executors:
        executor.operations.register(Kind("probe", "executions:control", each))


def meta(bed: Bed) -> Meta:
    named = {"command_id": str(ids.derived_uuid("test", bed.org)), "command_digest": "d"}
    return bed.meta.model_copy(update=named)


async def begin(bed: Bed, count: int) -> str:
    items = [f"exe_{n:05d}" for n in range(count)]
    for _ in range(2):  # the same command promises it once
        await bed.executors[0].operations.begin("probe", {"word": "x"}, items, meta(bed))
    return ids.derived("op", bed.org, str(ids.derived_uuid("test", bed.org)))


async def shown(bed: Bed, operation: str) -> Any:
    return (await bed.bus.ask(FindOperation(operation_id=operation), bed.meta)).value


async def test_thousands_of_pieces_are_done_once_each_though_the_leader_dies(bed: Bed) -> None:
    seen: Counter[str] = Counter()
    under_way = most = 0

    async def each(piece: Piece) -> Made | None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        seen[piece.item] += 1
        assert (piece.ask, piece.meta.actor) == ({"word": "x"}, "per_1")
        if piece.item.endswith("7"):
            raise NothingToResend("not this one")
        return Made(value={"of": piece.item})

    await bed.add_executor()
    await one_leads(bed)
    probe(bed, each)
    operation = await begin(bed, ITEMS)
    await eventually(lambda: _count(seen), lambda n: n > ITEMS / 10)
    leader = next(e for e in bed.executors if e.lease.held)
    bed.executors.remove(leader)
    await leader.stop()
    ended = await eventually(lambda: shown(bed, operation), lambda o: o["ended_at"], 60)

    assert (ended["status"], ended["done"], ended["total"]) == ("succeeded", ITEMS, ITEMS)
    refused = ITEMS // 10
    assert ended["result"] == {
        "done": ITEMS - refused, "refused": refused, "refusals": {"nothing-to-resend": refused},
    }  # fmt: skip
    assert len(seen) == ITEMS
    # A lease can be lost for a moment on a busy machine: each time a batch is done again.
    assert sum(seen.values()) <= ITEMS + 4 * BATCH, "only the batch under way is done again"
    assert most <= 20
    page = (await bed.bus.ask(
        FindOperationResult(operation_id=operation, limit=8), bed.meta)).value  # fmt: skip
    assert [p["item"] for p in page["data"]][:2] == ["exe_00000", "exe_00001"]
    assert page["data"][1]["value"] == {"of": "exe_00001"}
    assert page["data"][7] == {
        "item": "exe_00007", "outcome": "refused", "code": "nothing-to-resend", "made": None,
        "value": None,
    }  # fmt: skip


async def one_leads(bed: Bed) -> None:
    """Both are in this process, and so one owner to the lease: each gets a name of its own."""
    for number, executor in enumerate(bed.executors):
        executor.lease._owner += f":{number}"

    async def leaders() -> int:
        return sum(executor.lease.held for executor in bed.executors)

    await eventually(leaders, lambda n: n == 0)  # neither renews what they held together
    await eventually(leaders, lambda n: n == 1)


async def _count(seen: Counter[str]) -> int:
    return len(seen)


async def test_who_lost_the_permission_meanwhile_gets_nothing_more_done(bed: Bed) -> None:
    seen: list[str] = []

    async def each(piece: Piece) -> None:
        seen.append(piece.item)
        bed.may.discard("executions:control")

    probe(bed, each)
    operation = await begin(bed, ITEMS)
    ended = await eventually(lambda: shown(bed, operation), lambda o: o["ended_at"])

    assert (ended["status"], ended["problem"]) == ("failed", {"code": "permission-missing"})
    assert len(seen) == BATCH, "the batch that had begun"
    assert (ended["done"], ended["result"]["done"]) == (BATCH, BATCH)


async def test_what_was_cancelled_begins_nothing_more_and_is_its_callers_own(bed: Bed) -> None:
    seen: list[str] = []

    async def each(piece: Piece) -> None:
        seen.append(piece.item)
        await asyncio.sleep(0.05)

    probe(bed, each)
    operation = await begin(bed, ITEMS)
    await eventually(lambda: shown(bed, operation), lambda o: o["done"] > 0)
    stopping = bed.meta.model_copy(update={"request_id": "req_stops", "origin": "o1.1.here"})
    await bed.bus.ask(CancelOperation(operation_id=operation), stopping)
    ended = await eventually(lambda: shown(bed, operation), lambda o: o["ended_at"], 20)
    assert ended["status"] == "cancelled"
    stream = stream_of("operation", bed.org, operation)
    events = await bed.executors[0].store.load(stream)
    (said,) = [e for e in events if e.type == "executor.event.operation-stopped"]
    assert (said.actor, said.requestid, said.origin) == ("per_1", "req_stops", "o1.1.here")
    assert 0 < ended["done"] == len(seen) < ITEMS

    for other in (
        bed.meta.model_copy(update={"actor": "per_2"}),
        bed.meta.model_copy(update={"organization": ids.new("org")}),
        bed.meta.model_copy(update={"permissions": frozenset({"executions:read"})}),
    ):
        with pytest.raises(DomainError) as refused:
            await bed.bus.ask(FindOperation(operation_id=operation), other)
        assert refused.value.code in ("not-found", "permission-missing")


async def test_a_forgotten_organization_ends_its_own_operation_and_holds_up_no_other(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def each(piece: Piece) -> None:
        """The organization's own one is not done before its key is gone."""
        if piece.meta.organization == bed.org:
            raise Unavailable("later")

    probe(bed, each)
    ring = bed.executors[0].keys
    find = ring.key

    async def destroyed(owner: str, *given: Any) -> Any:
        if owner == bed.org:
            raise Forgotten("its key is destroyed")
        return await find(owner, *given)

    with monkeypatch.context() as patched:
        operation = await begin(bed, 3)
        patched.setattr(ring, "key", destroyed)
        other = bed.meta.model_copy(update={"organization": ids.new("org")})
        named = other.model_copy(update={"command_id": str(ids.derived_uuid("test", "other")),
                                         "command_digest": "d"})  # fmt: skip
        await bed.executors[0].operations.begin("probe", {}, ["exe_1"], named)
        theirs = ids.derived("op", other.organization, named.command_id or "")

        async def said() -> list[str]:
            async with bed.executors[0].database.work() as db:
                found = await db.execute(
                    select(operations.c.id, operations.c.status).where(
                        operations.c.ended_at.is_not(None)
                    )
                )
                rows = {row.id: row.status for row in found}
            return [rows.get(operation, ""), rows.get(theirs, "")]

        ended = await eventually(said, all)
    assert ended == ["failed", "succeeded"]


async def test_more_than_an_operation_takes_is_refused(bed: Bed) -> None:
    with pytest.raises(DomainError, match="narrower"):
        await begin(bed, ITEMS_MAX + 1)
