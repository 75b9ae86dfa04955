"""Answers queries: subscriptions, deliveries, events and their types."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.pages import page_of
from services.subscriptions import catalogue
from services.subscriptions.contract import (
    SERVICE,
    FindDeliveries,
    FindEvents,
    FindEventTypes,
    FindSubscription,
    FindSubscriptions,
    FollowEvents,
)  # fmt: skip
from services.subscriptions.handlers.parts import Parts, Urls
from services.subscriptions.views import following, happened, listing, sent


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(FindSubscriptions.type, queue=SERVICE)
    async def find_subscriptions(query: FindSubscriptions, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            rows = await listing.find_subscriptions(db, meta.organization, query)
        urls = await Urls.of(service, meta.organization)
        shown = [listing.show(listing.live_of(r), urls.open(r["id"], r["url"])) for r in rows]
        return reply(page_of(rows, query, lambda r: (r["created_at"], r["id"]), shown))

    @r.subscriber(FindSubscription.type, queue=SERVICE)
    async def find_subscription(query: FindSubscription, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            row = await listing.find_subscription(db, meta.organization, query.subscription)
        if row is None:
            raise NotFound
        urls = await Urls.of(service, meta.organization)
        shown = listing.show(listing.live_of(row), urls.open(row["id"], row["url"]))
        return reply(shown, row["version"])

    @r.subscriber(FindDeliveries.type, queue=SERVICE)
    async def find_deliveries(query: FindDeliveries, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            row = await listing.find_subscription(db, meta.organization, query.subscription)
            if row is None:
                raise NotFound
            return reply(await sent.find_deliveries(db, meta.organization, query))

    @r.subscriber(FindEvents.type, queue=SERVICE)
    async def find_events(query: FindEvents, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            return reply(await happened.find_events(db, meta.organization, query))

    @r.subscriber(FollowEvents.type, queue=SERVICE)
    async def follow_events(query: FollowEvents, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            return reply(await following.follow(db, meta.organization, query))

    @r.subscriber(FindEventTypes.type, queue=SERVICE)
    async def find_event_types(query: FindEventTypes) -> NatsResponse:
        return reply(catalogue.find_event_types(query))

    return r
