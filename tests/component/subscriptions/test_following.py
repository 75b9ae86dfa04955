"""The feed as streams take it: from a place on without a gap, or a reset that says so."""

from typing import Any

from libs.common import clock
from libs.common.testing import arrived, eventually, swept
from services.subscriptions.contract import FED, FollowEvents
from services.subscriptions.retention import SWEEPS


async def follow(world: Any, after: str | None = None, org: str = "org_one", **more: Any) -> Any:
    return await world.ask(FollowEvents.model_validate({"after": after} | more), org)


async def test_every_event_has_a_place_and_the_last_one_is_where_to_go_on(world: Any) -> None:
    assert (await follow(world))["upto"] == "0"
    made = await world.start(5)
    await world.taken()
    first = await follow(world, "0", limit=3)
    rest = await follow(world, first["upto"], limit=3)
    assert [one["thing"]["subject"] for one in first["data"] + rest["data"]] == made
    assert [one["place"] for one in first["data"] + rest["data"]] == list("12345")
    assert (first["more"], rest["more"], rest["upto"]) == (True, False, "5")
    chosen = await follow(world, "0", subject=[made[1]])
    assert ([one["place"] for one in chosen["data"]], chosen["upto"]) == (["2"], "5")
    assert (await follow(world, None))["data"] == [], "without a place from now on"
    assert (await follow(world, "0", "org_two"))["data"] == []


async def test_what_was_deleted_behind_a_place_makes_a_reset(world: Any) -> None:
    one, two, three = await world.start(3)
    await world.taken()
    await world.sql("update feed set time = time - interval '8 days' where subject = :s", s=two)
    await swept(world.service.database, SWEEPS, clock.now())
    assert len((await world.events())["data"]) == 2
    for place in ("0", "1", "99"):
        said = await follow(world, place)
        assert (said["reset"], said["data"], said["upto"]) == (True, [], "3"), place
    said = await follow(world, "2")
    assert (said["reset"], [e["thing"]["subject"] for e in said["data"]]) == (False, [three])
    assert one in str(await world.events())


async def test_the_bus_is_told_whose_feed_grew_after_it_grew(world: Any) -> None:
    told: list[tuple[str, int]] = []

    async def came(message: Any) -> None:
        [(count,)] = await world.sql("select count(*) from feed")
        told.append((message.data.decode(), count))

    await world.executor.bus.nc.subscribe(FED, cb=came)
    await arrived(world.executor.bus.nc)
    await world.start(1)
    await world.start(1, org="org_two")

    async def names() -> set[str]:
        return {name for said, _ in told for name in said.split(" ")}

    await eventually(names, lambda found: found == {"org_one", "org_two"})
    assert all(count for _, count in told)
