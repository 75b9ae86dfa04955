"""Answers what is kept where, and whether that is so."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common import clock
from libs.common.bus import CausedBy, reply
from libs.common.process import VERSION
from libs.common.service import Service
from services.audit.contract import (
    SERVICE,
    CheckInventory,
    FindInventory,
    FindProcessingRecord,
    InventoryShown,
)
from services.audit.inventory import checks, inventory, shown
from services.audit.inventory_checks import STREAM, compare, last_check
from services.audit.operator import OperatorSettings
from services.audit.processing import record


def router(service: Service, operator: OperatorSettings) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindInventory.type, queue=SERVICE)
    async def find_inventory(query: FindInventory) -> NatsResponse:
        places = [
            place
            for place in inventory().places
            if (query.service is None or place.service in query.service)
            and (query.kind is None or place.kind in query.kind)
        ]
        check = shown(*await last_check(service))
        return reply(InventoryShown(places=places, **dict(check)))

    @r.subscriber(CheckInventory.type, queue=SERVICE)
    async def check_inventory(command: CheckInventory, meta: CausedBy) -> NatsResponse:
        own = meta.model_copy(update={"organization": "instance"})
        before = await service.answered_before(own)
        if before is not None:
            return before
        found, at = await compare(service), clock.now()
        return await service.decide(
            checks, STREAM, found, own, answer=lambda state, _: shown(state, at)
        )

    @r.subscriber(FindProcessingRecord.type, queue=SERVICE)
    async def find_processing_record(query: FindProcessingRecord) -> NatsResponse:
        return reply(record(inventory(), operator, VERSION))

    return r
