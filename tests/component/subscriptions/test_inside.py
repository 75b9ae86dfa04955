"""Customers' endpoints: no kind of inside address can be stored, and none is reached if it was.

Below the guard every address whatsoever leads to a listener, so that with the guard off the same
endpoints reach it, each of them.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from tests_support.inside import BEHIND_A_NAME, WRITTEN_AS_ADDRESS, Everything, lead_to

from libs.common.errors import DomainError
from libs.common.testing import eventually
from libs.egress import Policy, backend
from services.subscriptions.contract import (
    SUBSCRIPTIONS_MAX,
    ChangeSubscription,
    CreateSubscription,
    FindSubscriptions,
    SubscriptionPatch,
)  # fmt: skip
from tests.fakes.receiver import Answer, Receiver, Said, Seen

TYPES = ["executor.event.*"]
HOSTS = list(WRITTEN_AS_ADDRESS.values())


@pytest.fixture
async def inside() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


def guard_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Policy, "check", Everything.check)


async def refusal(world: Any, message: Any) -> str:
    with pytest.raises(DomainError) as refused:
        await world.ask(message)
    return refused.value.code


async def test_no_endpoint_that_is_inside_can_be_stored(world: Any, inside: Receiver) -> None:
    made = await world.subscribe()
    before = (await world.ask(FindSubscriptions()))["data"]
    assert len(HOSTS) >= 30
    for host in HOSTS:
        url = f"http://{host}:{inside.port}/"
        assert await refusal(world, CreateSubscription(url=url, types=TYPES)) == "url-not-allowed"
        change = SubscriptionPatch.model_validate({"url": url})
        moved = ChangeSubscription(subscription=made.id, patch=change)
        assert await refusal(world, moved) == "url-not-allowed"
    public = CreateSubscription(url=f"http://93.184.215.14:{inside.port}/", types=["billing.*"])

    assert (await world.ask(FindSubscriptions()))["data"] == before
    assert (await world.ask(public))["enabled"]
    assert inside.connections == 0


async def test_what_was_stored_and_leads_inside_is_not_reached(
    world: Any, inside: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"{kind}.example": addresses for kind, addresses in BEHIND_A_NAME.items()}
    lookup = backend._lookup

    def resolved(host: str, port: int) -> Sequence[str]:
        return names[host] if host in names else lookup(host, port)

    monkeypatch.setattr(backend, "_lookup", resolved)
    dialled = lead_to(inside.port, monkeypatch)
    await world.restart(delivery_retries_s="0.01")
    hosts = [*names, *HOSTS]
    organizations = [f"org_{n}" for n in range(len(hosts) // SUBSCRIPTIONS_MAX + 1)]
    with monkeypatch.context() as patch:
        guard_off(patch)
        for n, host in enumerate(hosts):
            url = f"http://{host}:{inside.port}/{n}"
            create = CreateSubscription(url=url, types=TYPES)
            await world.ask(create, organizations[n // SUBSCRIPTIONS_MAX])

    for organization in organizations:
        await world.start(org=organization)

    async def outcomes() -> Counter[tuple[str | None, str]]:
        rows = await world.sql("select outcome, attempts::text from deliveries")
        said = [(outcome, attempts) for outcome, attempts in rows if outcome is not None]
        return Counter(
            (outcome, "refused" if '"no-connection"' in attempts else attempts)
            for outcome, attempts in said
        )

    seen = await eventually(outcomes, lambda said: said.total() == len(hosts), 30)
    assert seen == {("undelivered", "refused"): len(hosts)}
    assert (dialled, inside.connections) == ([], 0)

    guard_off(monkeypatch)
    for organization in organizations:
        await world.start(org=organization)

    async def reached() -> set[str]:
        return {seen.path for seen in inside.seen}

    wanted = {f"/{n}" for n, host in enumerate(hosts) if host != "no-address-at-all.example"}
    assert wanted <= await eventually(reached, lambda paths: wanted <= paths, 30)


async def test_no_redirect_to_the_inside_is_followed(world: Any, inside: Receiver) -> None:
    left = list(HOSTS)

    def elsewhere(seen: Seen) -> Said:
        if not left:
            return 200
        return Answer(302, headers={"location": f"http://{left.pop()}:{inside.port}/"})

    world.receiver.replies["/a"] = elsewhere
    await world.restart(delivery_retries_s=",".join(["0.01"] * len(HOSTS)))
    subscription = await world.subscribe()
    await world.start()

    async def ended() -> Any:
        return await world.deliveries(subscription.id, outcome=["delivered", "undelivered"])

    [row] = await eventually(ended, bool, 30)
    errors = [attempt["error"] for attempt in row["attempts"]]
    assert len(errors) == len(HOSTS) + 1 and errors[-1] is None
    assert set(errors[:-1]) <= {"redirect", "no-connection"}  # the second: no address at all
    assert row["outcome"] == "delivered"
    assert inside.connections == 0
