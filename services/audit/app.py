"""Audit, put together."""

from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.settings import Settings
from services.audit import handlers
from services.audit.completeness import watch_gaps
from services.audit.contract import SERVICE
from services.audit.subscribers import TRAILS
from services.audit.tables import gap_view, metadata

PROJECTIONS = (*TRAILS, gap_view)
SCHEMA = Schema(SERVICE, metadata, projections=PROJECTIONS)


def build(settings: Settings) -> Service:
    service = Service(SERVICE, settings, projections=PROJECTIONS, connections=2)
    service.include(handlers.router(service))

    async def watch() -> None:
        await watch_gaps(service)

    service.lead.append(watch)
    return service
