"""Answers what others ask of audit."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.service import Service
from services.audit import views
from services.audit.completeness import completeness
from services.audit.contract import SERVICE, FindCompleteness, FindEntries, FindEntry, FindTaken


def router(service: Service) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindEntries.type, queue=SERVICE)
    async def find_entries(query: FindEntries, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as connection:
            return reply(await views.find_entries(connection, meta.organization, query))

    @r.subscriber(FindEntry.type, queue=SERVICE)
    async def find_entry(query: FindEntry, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as connection:
            entry = await views.find_entry(connection, meta.organization, query.event_id)
        if entry is None:
            raise NotFound
        return reply(entry)

    @r.subscriber(FindCompleteness.type, queue=SERVICE)
    async def find_completeness(query: FindCompleteness) -> NatsResponse:
        return reply(await completeness(service))

    @r.subscriber(FindTaken.type, queue=SERVICE)
    async def find_taken(query: FindTaken) -> NatsResponse:
        async with service.database.work() as connection:
            return reply(await views.taken_of(connection, query.producer))

    return r
