"""Operations on thousands: in order, few at once, one record per piece, over a crash."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests_support.engines import Bed

from libs.common import ids
from libs.common.errors import DomainError
from libs.common.messages import Meta
from libs.common.testing import eventually
from services.executor.contract import (
    CancelOperation,
    FindOperation,
    FindOperationResult,
    NothingToResend,
)
from services.executor.operations import ITEMS_MAX, Kind, Made, Piece

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
    assert sum(seen.values()) <= ITEMS + 50, "only the batch under way is done again"
    assert most <= 20
    page = (await bed.bus.ask(
        FindOperationResult(operation_id=operation, limit=8), bed.meta)).value  # fmt: skip
    assert [p["item"] for p in page["data"]][:2] == ["exe_00000", "exe_00001"]
    assert page["data"][1]["value"] == {"of": "exe_00001"}
    assert page["data"][7] == {
        "item": "exe_00007", "outcome": "refused", "code": "nothing-to-resend", "made": None,
        "value": None,
    }  # fmt: skip


async def _count(seen: Counter[str]) -> int:
    return len(seen)


async def test_what_was_cancelled_begins_nothing_more_and_is_its_callers_own(bed: Bed) -> None:
    seen: list[str] = []

    async def each(piece: Piece) -> None:
        seen.append(piece.item)
        await asyncio.sleep(0.05)

    probe(bed, each)
    operation = await begin(bed, ITEMS)
    await eventually(lambda: shown(bed, operation), lambda o: o["done"] > 0)
    await bed.bus.ask(CancelOperation(operation_id=operation), bed.meta)
    ended = await eventually(lambda: shown(bed, operation), lambda o: o["ended_at"], 20)
    assert ended["status"] == "cancelled"
    assert 0 < ended["done"] == len(seen) < ITEMS

    for other in (
        bed.meta.model_copy(update={"actor": "per_2"}),
        bed.meta.model_copy(update={"organization": ids.new("org")}),
        bed.meta.model_copy(update={"permissions": frozenset({"executions:read"})}),
    ):
        with pytest.raises(DomainError) as refused:
            await bed.bus.ask(FindOperation(operation_id=operation), other)
        assert refused.value.code in ("not-found", "permission-missing")


async def test_more_than_an_operation_takes_is_refused(bed: Bed) -> None:
    with pytest.raises(DomainError, match="narrower"):
        await begin(bed, ITEMS_MAX + 1)
