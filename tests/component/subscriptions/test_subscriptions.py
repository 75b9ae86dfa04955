"""Event subscriptions over the bus: create, change, delete, limits, refusals, repetitions."""

import asyncio
from typing import Any

import pytest

from libs.common.errors import DomainError
from services.subscriptions.app import build
from services.subscriptions.contract import (
    SUBSCRIPTIONS_MAX,
    ChangeSubscription,
    CreateSubscription,
    DeleteSubscription,
    EnableSubscription,
    FindDeliveries,
    FindSubscription,
    FindSubscriptions,
    SubscriptionPatch,
)  # fmt: skip

FINISHED = "executor.event.execution-finished"
COMMAND = {"command_id": "0199c2c1-0000-7000-8000-000000000001", "command_digest": "d"}


def patch(id: str, **change: Any) -> ChangeSubscription:
    return ChangeSubscription(subscription=id, patch=SubscriptionPatch.model_validate(change))


async def refused(world: Any, message: Any, **more: Any) -> DomainError:
    with pytest.raises(DomainError) as error:
        await world.ask(message, **more)
    return error.value


async def test_what_was_created_is_listed_without_its_secret(world: Any) -> None:
    made = await world.subscribe("/a", where={"outcome": "failed"}, types=[FINISHED])
    assert made.signing_secret and made.signing_secret.startswith("whsec_")
    shown = await world.ask(FindSubscription(subscription=made.id))
    assert shown == made.model_dump(mode="json") | {"signing_secret": None}
    assert (await world.ask(FindSubscriptions()))["data"] == [shown]
    assert (await world.ask(FindSubscriptions(), "org_two"))["data"] == []
    assert shown["url"] == f"{world.receiver.url}/a" and shown["host"] == "127.0.0.1"


async def test_neither_url_nor_secret_is_stored_in_the_clear(world: Any) -> None:
    made = await world.subscribe("/hidden-token")
    for table in ("log", "endpoints", "subscriptions", "signing_secrets", "feed", "commands"):
        rows = str(await world.sql(f"select t::text from {table} t"))
        assert "hidden-token" not in rows and made.signing_secret not in rows


async def test_the_same_command_twice_makes_one_and_shows_the_secret_once(world: Any) -> None:
    create = CreateSubscription(url=f"{world.receiver.url}/a", types=[FINISHED])
    first = await world.ask(create, **COMMAND)
    again = await world.ask(create, **COMMAND)
    assert again == first | {"signing_secret": None}
    assert len((await world.ask(FindSubscriptions()))["data"]) == 1


async def test_a_patch_changes_what_it_names(world: Any) -> None:
    made = await world.subscribe(types=[FINISHED], where={"outcome": "failed", "steps_count": 2})
    changed = await world.ask(patch(made.id, where={"steps_count": None, "effects_count": 1}))
    assert changed["where"] == {"outcome": "failed", "effects_count": 1}
    assert (changed["types"], changed["url"]) == ([FINISHED], made.url)
    moved = await world.ask(patch(made.id, url=f"{world.receiver.url}/b", where=None))
    assert (moved["url"], moved["where"]) == (f"{world.receiver.url}/b", {})
    stale = await refused(world, patch(made.id, types=[FINISHED, "workflows.*"]),
                          expected_version=1)  # fmt: skip
    assert (stale.kind, stale.extra["current"]) == ("stale", '"3"')


async def test_a_filter_that_can_never_match_is_refused_with_what_was_meant(world: Any) -> None:
    url = f"{world.receiver.url}/a"
    wrong = CreateSubscription(url=url, types=[FINISHED, "executor.event.execution-finish"])
    error = await refused(world, wrong)
    assert (error.code, error.errors[0].pointer) == ("invalid-input", "/types/1")
    assert error.errors[0].did_you_mean == FINISHED
    hidden = CreateSubscription(url=url, types=["subscriptions.event.delivery-ended"])
    assert (await refused(world, hidden)).errors[0].rule == "unknown-event-type"
    sealed = CreateSubscription(url=url, types=[FINISHED], where={"output": "x"})
    assert (await refused(world, sealed)).errors[0].pointer == "/where/output"
    typo = CreateSubscription(url=url, types=[FINISHED], where={"outcomes": "failed"})
    assert (await refused(world, typo)).errors[0].did_you_mean == "outcome"


@pytest.mark.parametrize("url", [
    "ftp://example.com/", "http://user:secret@example.com/", "http://127.0.0.1/",
    "http://[::1]/", "http://10.1.2.3/", "http://169.254.169.254/latest", "http://2130706433/",
    "http://0x7f.1/", "http://localhost/", "http://[::ffff:10.0.0.1]/", "http://example.com:22/",
    "nonsense", "http:///x",
])  # fmt: skip
async def test_an_inside_or_odd_url_is_refused_in_one_text(world: Any, url: str) -> None:
    error = await refused(world, CreateSubscription(url=url, types=[FINISHED]))
    assert (error.code, error.detail) == ("url-not-allowed", "deliveries can't go to this URL")


async def test_of_many_at_once_in_two_processes_only_the_twentieth_is_made(world: Any) -> None:
    async def create() -> str:
        try:
            await world.subscribe()
        except DomainError as error:
            return error.code
        return "made"

    another = build(world.settings)
    await another.start()
    try:
        for _ in range(SUBSCRIPTIONS_MAX - 1):
            assert await create() == "made"
        said = await asyncio.gather(*(create() for _ in range(8)))
    finally:
        await another.stop()
    assert sorted(said) == ["limit-reached"] * 7 + ["made"]
    [first, *_] = (await world.ask(FindSubscriptions()))["data"]
    await world.ask(DeleteSubscription(subscription=first["id"]))
    assert await create() == "made"


async def test_what_was_deleted_or_is_foreign_looks_like_what_never_was(world: Any) -> None:
    made, other = await world.subscribe(), await world.subscribe(org="org_two")
    deleted = await world.ask(DeleteSubscription(subscription=made.id))
    assert deleted["id"] == made.id
    for id in (made.id, other.id, "sub_00000000000000000000000000"):
        for message in (
            FindSubscription(subscription=id), EnableSubscription(subscription=id),
            DeleteSubscription(subscription=id), FindDeliveries(subscription=id),
            patch(id, types=[FINISHED]),
        ):  # fmt: skip
            error = await refused(world, message)
            assert (error.kind, error.detail) == ("not-found", "not found")


async def test_an_enabled_one_can_be_enabled(world: Any) -> None:
    made = await world.subscribe()
    assert (await world.ask(EnableSubscription(subscription=made.id)))["enabled"]
