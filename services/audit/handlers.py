"""Answers what others ask of audit."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.looks import Looks
from libs.common.service import Service
from services.audit import searching, views
from services.audit.completeness import completeness
from services.audit.contract import (
    SERVICE,
    FindCompleteness,
    FindEntries,
    FindEntry,
    FindInstanceEntries,
    FindTaken,
)
from services.audit.daykeys import DayKeys
from services.audit.looking import trail_read
from services.audit.people import People

INSTANCE = "instance"


def router(service: Service, keys: DayKeys, people: People, looks: Looks) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindEntries.type, queue=SERVICE)
    async def find_entries(query: FindEntries, meta: CausedBy) -> NatsResponse:
        trail_read(looks, "search", meta)
        async with service.database.read(meta.organization) as connection:
            return reply(await searching.find_entries(connection, keys, people, query))

    @r.subscriber(FindInstanceEntries.type, queue=SERVICE)
    async def find_instance_entries(query: FindInstanceEntries, meta: CausedBy) -> NatsResponse:
        trail_read(looks, "search", meta.model_copy(update={"organization": INSTANCE}))
        async with service.database.read(INSTANCE) as connection:
            return reply(await searching.find_entries(connection, keys, people, query))

    @r.subscriber(FindEntry.type, queue=SERVICE)
    async def find_entry(query: FindEntry, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as connection:
            found = await searching.find_entry(connection, keys, people, query.event_id)
        if found is None:
            raise NotFound
        trail_read(looks, "entry", meta)
        return reply(found.shown)

    @r.subscriber(FindCompleteness.type, queue=SERVICE)
    async def find_completeness(query: FindCompleteness) -> NatsResponse:
        return reply(await completeness(service))

    @r.subscriber(FindTaken.type, queue=SERVICE)
    async def find_taken(query: FindTaken) -> NatsResponse:
        async with service.database.work() as connection:
            return reply(await views.taken_of(connection, query.producer))

    return r
