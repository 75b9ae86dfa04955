"""Sends a delivery again on request: same `webhook-id`, out of order."""

from dataclasses import dataclass

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from services.subscriptions.contract import (
    SERVICE,
    DeliveryResent,
    DeliveryShown,
    ResendDelivery,
    SubscriptionIsDisabled,
)  # fmt: skip
from services.subscriptions.handlers.parts import Parts, new_id, now
from services.subscriptions.tables import deliveries, endpoints, feed
from services.subscriptions.views.sent import find_delivery


@dataclass(frozen=True, slots=True)
class Resend:
    """`old` is None when there is no such delivery, or its event is no longer kept."""

    id: str
    old: RowMapping | None
    enabled: bool
    by: str


def decide(ask: Resend, state: None) -> list[DeliveryResent]:
    if ask.old is None:
        raise NotFound
    if not ask.enabled:
        raise SubscriptionIsDisabled("enable it first")
    return [DeliveryResent(
        delivery_id=ask.id, resend_of=ask.old["id"], subscription_id=ask.old["subscription"],
        event_id=ask.old["event_id"], by=ask.by,
    )]  # fmt: skip


resending: Decider[Resend, None] = Decider(None, decide, lambda state, event: state)


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(ResendDelivery.type, queue=SERVICE)
    async def resend_delivery(command: ResendDelivery, meta: CausedBy) -> NatsResponse:
        id, at = new_id("del", meta), now()
        async with service.database.read(meta.organization) as db:
            old = await find_delivery(db, meta.organization, command.delivery)
        enabled = False
        if old is not None:
            async with service.database.work() as db:
                enabled, kept = await _still(db, old)
            old = old if kept else None

        async def beside(db: AsyncConnection) -> None:
            if old is not None:
                await db.execute(insert(deliveries).values(
                    {name: old[name] for name in COPIED}
                    | {"id": id, "resend_of": old["id"], "due_at": func.now(), "created_at": at}
                ))  # fmt: skip

        def answer(state: None, version: int) -> DeliveryShown:
            if old is None:
                raise NotFound
            return DeliveryShown(
                id=id, subscription=old["subscription"], event=old["event_id"],
                event_type=old["event_type"], subject=old["subject"], sequence=old["sequence"],
                outcome="pending", attempts=[], next_attempt_at=at, resend_of=old["id"],
                created_at=at, ended_at=None,
            )  # fmt: skip

        return await service.decide(
            resending, stream_of("delivery", meta.organization, id),
            Resend(id, old, enabled, meta.actor), meta, answer=answer, beside=beside,
        )  # fmt: skip

    return r


COPIED = ("org", "subscription", "subject", "sequence", "event_id", "event_type", "number")


async def _still(db: AsyncConnection, old: RowMapping) -> tuple[bool, bool]:
    """Is its endpoint enabled, is its event kept?"""
    enabled = await db.execute(
        select(endpoints.c.enabled).where(endpoints.c.subscription == old["subscription"])
    )
    kept = await db.execute(select(feed.c.n).where(feed.c.event_id == old["event_id"]))
    return bool(enabled.scalar()), kept.first() is not None
