"""Who waits for a place: organizations in turn, and nothing is kept of those who gave up."""

import asyncio

from services.executor.turns import Turns


async def test_organizations_take_turns_and_each_keeps_its_own_order() -> None:
    turns, came = Turns(), []

    async def start(org: str, n: int) -> None:
        assert await turns.wait(org, 5)
        came.append((org, n))

    many = [asyncio.create_task(start("many", n)) for n in range(4)]
    await asyncio.sleep(0)
    few = [asyncio.create_task(start("few", n)) for n in range(2)]
    await asyncio.sleep(0)
    for _ in range(6):
        assert turns.next()
    await asyncio.gather(*many, *few)
    assert came == [("many", 0), ("few", 0), ("many", 1), ("few", 1), ("many", 2), ("many", 3)]
    assert not turns.next(), "nobody waits"


async def test_who_gave_up_is_passed_over_and_leaves_nothing() -> None:
    turns = Turns()
    assert not await turns.wait("one", 0.01)
    assert not turns._waiting
    waiting = asyncio.create_task(turns.wait("one", 5))
    assert not await turns.wait("one", 0.01)
    assert turns.next()
    assert await waiting and not turns.next()
