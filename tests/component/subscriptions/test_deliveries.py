"""Deliveries to a real receiver: signed, in order, again with the same id, and logged."""

from typing import Any

import pytest
from standardwebhooks import Webhook

from libs.common.testing import eventually
from services.subscriptions.contract import (
    EnableSubscription,
    FindSubscription,
    ResendDelivery,
    RotateSecret,
    SubscriptionIsDisabled,
    TestSubscription,
)  # fmt: skip
from tests.fakes.receiver import Answer, Said, Seen, says


async def arrived(world: Any, path: str, count: int) -> list[Seen]:
    async def look() -> list[Seen]:
        return world.receiver.arrived(path)

    return await eventually(look, lambda got: len(got) >= count, 30)


async def ended(world: Any, subscription: str, count: int) -> list[Any]:
    async def look() -> list[Any]:
        return await world.deliveries(subscription, outcome=["delivered", "undelivered"])

    return await eventually(look, lambda rows: len(rows) >= count, 30)


async def test_a_delivery_is_verified_by_the_independent_library(world: Any) -> None:
    subscription = await world.subscribe()
    [execution] = await world.start()
    [got] = await arrived(world, "/a", 1)
    assert Webhook(subscription.signing_secret or "").verify(got.body, got.headers)
    assert got.headers["content-type"].startswith("application/cloudevents+json")
    event = got.json
    assert (event["specversion"], event["subject"]) == ("1.0", execution)
    assert event["id"] == got.id and got.id.startswith("evt_")
    assert (event["sequence"], event["data"]["workflow_id"]) == ("1", "wf_1")


async def test_what_is_sealed_never_leaves(world: Any) -> None:
    await world.subscribe()
    [execution] = await world.start()
    await world.finish(execution, outcome="failed")
    for got in await arrived(world, "/a", 2):
        assert b"neverseen" not in got.body
        assert not {"input", "output", "values", "origin"} & {*got.json, *got.json["data"]}
    shown = await world.events()
    assert "neverseen" not in str(shown) and len(shown["data"]) == 3
    assert shown["data"][0]["data"]["error"] == {
        "type": "boom",
        "path": None,
        "attempts": None,
        "status": None,
        "also": [],
    }


async def test_a_receiver_that_fails_and_hangs_gets_all_in_order_and_delays_nobody(
    world: Any,
) -> None:
    healed: list[bool] = []
    count = 0

    async def script(got: Seen) -> Said:
        nonlocal count
        count += 1
        return 500 if count <= 3 else 200 if healed else None

    world.receiver.replies["/bad"] = script
    await world.subscribe("/bad")
    await world.subscribe("/good")
    [execution] = await world.start()
    await world.finish(execution)
    [other] = await world.start()

    await arrived(world, "/good", 3)

    async def tried() -> int:
        return len([g for g in world.receiver.at("/bad") if g.json["subject"] == execution])

    await eventually(tried, lambda n: n >= 4)
    assert world.receiver.arrived("/bad") == []
    healed.append(True)
    got = await arrived(world, "/bad", 3)
    mine = [g.json for g in got if g.json["subject"] == execution]
    assert [e["type"].rpartition("-")[2] for e in mine] == ["started", "finished"]
    assert [e["sequence"] for e in mine] == ["1", "2"]
    first = [g.id for g in world.receiver.at("/bad") if g.json["subject"] == execution][:4]
    assert first == [mine[0]["id"]] * 4
    assert {g.json["subject"] for g in got} == {execution, other}


async def test_another_subject_of_the_same_endpoint_does_not_wait(world: Any) -> None:
    async def script(got: Seen) -> Said:
        return 500 if got.json["subject"] == stuck else 200

    world.receiver.replies["/a"] = script
    await world.subscribe()
    [stuck] = await world.start()
    [free] = await world.start()
    await world.finish(stuck)
    await world.finish(free)
    got = await arrived(world, "/a", 2)
    assert [g.json["subject"] for g in got] == [free, free]
    assert {g.json["sequence"] for g in world.receiver.at("/a")
            if g.json["subject"] == stuck} == {"1"}  # fmt: skip


async def test_what_never_arrives_is_undelivered_and_the_stream_goes_on(world: Any) -> None:
    async def script(got: Seen) -> Said:
        return 503 if got.json["sequence"] == "1" else 200

    await world.restart(delivery_retries_s="0.01,0.01")
    world.receiver.replies["/a"] = script
    subscription = await world.subscribe()
    [execution] = await world.start()
    await world.finish(execution)
    [got] = await arrived(world, "/a", 1)
    assert got.json["sequence"] == "2", "the hole shows"
    first, second = await ended(world, subscription.id, 2)
    assert (first["outcome"], second["outcome"]) == ("undelivered", "delivered")
    assert [a["status"] for a in first["attempts"]] == [503, 503, 503]
    assert first["next_attempt_at"] is None and first["event"] != second["event"]


async def test_each_delivery_ends_once_in_the_log_and_not_in_the_feed(world: Any) -> None:
    subscription = await world.subscribe(types=["executor.event.*", "subscriptions.event.*"])
    await world.start(5)
    await ended(world, subscription.id, 6)
    rows = await world.sql("select stream, count(*) from log where type like '%delivery-ended'"
                           " group by 1")  # fmt: skip
    assert len(rows) == 6 and all(count == 1 for _, count in rows)
    types = {event["type"] for event in (await world.events())["data"]}
    assert "subscriptions.event.delivery-ended" not in types


async def test_only_what_fits_type_and_where_is_sent(world: Any) -> None:
    await world.subscribe(
        types=["executor.event.execution-finished"], where={"outcome": "failed", "steps_count": 1}
    )
    good, bad = await world.start(2)
    await world.finish(good)
    await world.finish(bad, outcome="failed")
    [got] = await arrived(world, "/a", 1)
    assert got.json["subject"] == bad
    await world.start(2, org="org_two")
    await world.taken()
    assert len(await world.sql("select 1 from deliveries")) == 1


async def test_while_a_secret_is_rotated_the_old_and_the_new_one_verify(world: Any) -> None:
    subscription = await world.subscribe()
    rotated = await world.ask(RotateSecret(subscription=subscription.id))
    await world.start()
    [got] = await arrived(world, "/a", 1)
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    for secret in (subscription.signing_secret, rotated["signing_secret"]):
        assert Webhook(secret).verify(got.body, got.headers)
    again = await world.ask(FindSubscription(subscription=subscription.id))
    assert again["signing_secret"] is None and again["old_secret_valid_until"] is not None


async def test_a_test_goes_to_the_subscription_that_was_asked_for(world: Any) -> None:
    mine = await world.subscribe("/mine", types=["workflows.event.workflow-published"])
    await world.subscribe("/other", types=["subscriptions.event.*"])
    await world.ask(TestSubscription(subscription=mine.id))
    [got] = await arrived(world, "/mine", 1)
    assert got.json["type"] == "subscriptions.event.test-sent"
    assert all(g.json["type"] != got.json["type"] for g in world.receiver.at("/other"))


async def test_sending_again_has_the_same_id_and_says_so(world: Any) -> None:
    subscription = await world.subscribe()
    [execution] = await world.start()
    [first] = await arrived(world, "/a", 1)
    [delivery] = await ended(world, subscription.id, 1)
    more = {"command_id": "0199c2c1-0000-7000-8000-000000000001", "command_digest": "d"}
    again = await world.ask(ResendDelivery(delivery=delivery["id"]), **more)
    assert (await world.ask(ResendDelivery(delivery=delivery["id"]), **more)) == again
    assert again["resend_of"] == delivery["id"] and again["outcome"] == "pending"
    _, second = await arrived(world, "/a", 2)
    assert second.id == first.id and second.body == first.body
    assert second.headers["troth-resend-of"] == delivery["id"]
    await ended(world, subscription.id, 2)
    await world.finish(execution)
    assert (await arrived(world, "/a", 3))[2].json["sequence"] == "2"


async def test_retry_after_is_obeyed(world: Any) -> None:
    world.receiver.replies["/a"] = says(Answer(503, headers={"retry-after": "3600"}), 200)
    subscription = await world.subscribe()
    await world.start()

    async def look() -> list[Any]:
        return await world.deliveries(subscription.id, outcome=["pending"])

    [row] = await eventually(look, lambda rows: bool(rows and rows[0]["attempts"]))
    [(left,)] = await world.sql("select extract(epoch from due_at - now()) from deliveries")
    assert row["next_attempt_at"] is not None and 3000 < left <= 3600


async def test_an_endpoint_that_is_gone_is_disabled_at_once(world: Any) -> None:
    world.receiver.replies["/a"] = says(410)
    subscription = await world.subscribe()
    [execution] = await world.start()
    await world.finish(execution)

    async def look() -> Any:
        return await world.ask(FindSubscription(subscription=subscription.id))

    shown = await eventually(look, lambda s: not s["enabled"])
    assert shown["disabled_reason"] == "gone"
    with pytest.raises(SubscriptionIsDisabled.__bases__[0]) as refused:
        await world.ask(TestSubscription(subscription=subscription.id))
    assert refused.value.code == "subscription-disabled"
    rows = await ended(world, subscription.id, 2)
    assert {row["outcome"] for row in rows} == {"undelivered"}
    assert sorted(len(row["attempts"]) for row in rows) == [0, 1]


async def test_an_endpoint_without_success_for_a_day_is_disabled_and_told(world: Any) -> None:
    world.receiver.replies["/a"] = says(500)
    subscription = await world.subscribe()
    await world.subscribe("/fine")
    await world.start()

    async def failing() -> Any:
        return await world.sql("select 1 from endpoints where failures > 0")

    await eventually(failing, bool)
    await world.sql("update endpoints set failing_since = failing_since - interval '23 hours'")
    assert (await world.ask(FindSubscription(subscription=subscription.id)))["enabled"]
    await world.sql("update endpoints set failing_since = failing_since - interval '1 hour'")

    async def told() -> list[Any]:
        return world.notices

    [(organization, notice)] = await eventually(told, bool)
    assert (organization, notice.template) == ("org_one", "subscription-disabled")
    assert notice.facts == {"subscription": subscription.id, "reason": "no-success"}
    shown = await world.ask(FindSubscription(subscription=subscription.id))
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "no-success")
    found = await world.events(event_type=["subscriptions.event.subscription-disabled"])
    assert found["data"][0]["data"]["last_status"] == 500
    world.receiver.replies["/a"] = says(200)
    await world.ask(EnableSubscription(subscription=subscription.id))
    await world.start()
    await arrived(world, "/a", 1)
    await arrived(world, "/fine", 2)
    assert len(world.notices) == 1


async def test_the_guard_refuses_an_inside_address_at_delivery_too(world: Any) -> None:
    subscription = await world.subscribe()
    await world.restart(egress_allow="", delivery_retries_s="0.01")
    await world.start()
    [row] = await ended(world, subscription.id, 1)
    assert (row["outcome"], row["attempts"][0]["error"]) == ("undelivered", "no-connection")
    assert world.receiver.seen == []
