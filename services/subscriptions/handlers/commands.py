"""Commands on event subscriptions."""

from collections.abc import Callable
from datetime import timedelta

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.egress.webhooks import new_secret
from services.subscriptions.addresses import host_of
from services.subscriptions.contract import (
    SERVICE,
    SUBSCRIPTIONS_MAX,
    ChangeSubscription,
    CreateSubscription,
    DeleteSubscription,
    EnableSubscription,
    LimitReached,
    RotateSecret,
    SubscriptionShown,
    TestSubscription,
)  # fmt: skip
from services.subscriptions.domain import (
    Absent,
    Ask,
    Change,
    Create,
    Delete,
    Enable,
    Live,
    Rotate,
    SendTest,
    State,
    subscription,
)  # fmt: skip
from services.subscriptions.handlers.parts import CONTENT, SECRETS, Parts, Urls, new_id, now, stream
from services.subscriptions.tables import signing_secrets
from services.subscriptions.views.listing import show

BOTH_VALID = timedelta(hours=24)


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(CreateSubscription.type, queue=SERVICE)
    async def create_subscription(command: CreateSubscription, meta: CausedBy) -> NatsResponse:
        host = host_of(command.url, parts.policy)
        id = new_id("sub", meta)
        at, name, secret = now(), stream(meta.organization, id), new_secret()
        url = await service.keys.seal(meta.organization, CONTENT, name, command.url)
        sealed = await service.keys.seal(meta.organization, SECRETS, name, secret)

        async def beside(db: AsyncConnection) -> None:
            await _one_more(db, meta.organization)
            await _add_secret(db, meta.organization, id, sealed)

        return await service.decide(
            subscription, name, Create(id, url, host, command.types, command.where, at), meta,
            answer=await _answer(parts, meta), reveal={"signing_secret": secret}, beside=beside,
        )  # fmt: skip

    @r.subscriber(ChangeSubscription.type, queue=SERVICE)
    async def change_subscription(command: ChangeSubscription, meta: CausedBy) -> NatsResponse:
        url = host = None
        if command.patch.url is not None:
            host = host_of(command.patch.url, parts.policy)
            name = stream(meta.organization, command.subscription)
            url = await service.keys.seal(meta.organization, CONTENT, name, command.patch.url)
        return await _simple(parts, command.subscription, Change(command.patch, url, host), meta)

    @r.subscriber(EnableSubscription.type, queue=SERVICE)
    async def enable_subscription(command: EnableSubscription, meta: CausedBy) -> NatsResponse:
        return await _simple(parts, command.subscription, Enable(meta.actor), meta)

    @r.subscriber(TestSubscription.type, queue=SERVICE)
    async def test_subscription(command: TestSubscription, meta: CausedBy) -> NatsResponse:
        return await _simple(parts, command.subscription, SendTest(meta.actor), meta)

    @r.subscriber(DeleteSubscription.type, queue=SERVICE)
    async def delete_subscription(command: DeleteSubscription, meta: CausedBy) -> NatsResponse:
        async def beside(db: AsyncConnection) -> None:
            await db.execute(
                delete(signing_secrets).where(
                    signing_secrets.c.org == meta.organization,
                    signing_secrets.c.subscription == command.subscription,
                )
            )

        name = stream(meta.organization, command.subscription)
        before, _, _ = await service.store.state(subscription, name)
        return await service.decide(
            subscription, name, Delete(meta.actor), meta,
            answer=await _answer(parts, meta, before), beside=beside,
        )  # fmt: skip

    @r.subscriber(RotateSecret.type, queue=SERVICE)
    async def rotate_secret(command: RotateSecret, meta: CausedBy) -> NatsResponse:
        at, id, secret = now(), command.subscription, new_secret()
        name = stream(meta.organization, id)
        sealed = await service.keys.seal(meta.organization, SECRETS, name, secret)

        async def beside(db: AsyncConnection) -> None:
            await _retire_secrets(db, meta.organization, id)
            await _add_secret(db, meta.organization, id, sealed)

        return await service.decide(
            subscription, name, Rotate(meta.actor, at, at + BOTH_VALID), meta,
            answer=await _answer(parts, meta), reveal={"signing_secret": secret}, beside=beside,
        )  # fmt: skip

    return r


async def _simple(parts: Parts, id: str, ask: Ask, meta: Meta) -> NatsResponse:
    name = stream(meta.organization, id)
    answer = await _answer(parts, meta)
    return await parts.service.decide(subscription, name, ask, meta, answer=answer)


async def _answer(
    parts: Parts, meta: Meta, before: State | None = None
) -> Callable[[State, int], SubscriptionShown]:
    """Shows a subscription as it is now, or as it was before it was deleted."""
    urls = await Urls.of(parts.service, meta.organization)

    def answer(state: State, version: int) -> SubscriptionShown:
        live = before if isinstance(state, Absent) else state
        if not isinstance(live, Live):
            raise NotFound
        return show(live, urls.open(live.id, live.url))

    return answer


async def _one_more(db: AsyncConnection, org: str) -> None:
    """Under a lock on the organization, so that two at once can't both be the last one."""
    await db.execute(text("select pg_advisory_xact_lock(hashtextextended(:org, 20))"), {"org": org})
    there = select(func.count(signing_secrets.c.subscription.distinct()))
    count = (await db.execute(there.where(signing_secrets.c.org == org))).scalar_one()
    if count >= SUBSCRIPTIONS_MAX:
        raise LimitReached(
            f"an organization has at most {SUBSCRIPTIONS_MAX} event subscriptions",
            limit=SUBSCRIPTIONS_MAX,
        )


async def _add_secret(db: AsyncConnection, org: str, id: str, sealed: str) -> None:
    await db.execute(insert(signing_secrets).values(org=org, subscription=id, sealed=sealed))


async def _retire_secrets(db: AsyncConnection, org: str, id: str) -> None:
    """The newest stays valid for a day; what was older goes, so that at most two sign."""
    c = signing_secrets.c
    mine = (c.org == org) & (c.subscription == id)
    await db.execute(delete(signing_secrets).where(mine, c.valid_until.is_not(None)))
    until = func.wall_clock() + BOTH_VALID
    await db.execute(update(signing_secrets).where(mine).values(valid_until=until))
