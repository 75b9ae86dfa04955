"""Billing, put together."""

from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.settings import Settings
from services.billing import handlers
from services.billing.contract import SERVICE
from services.billing.subscribers import founding, metering
from services.billing.views import account_view, metadata
from services.billing.watching import watch_accounts

PROJECTIONS = (account_view, founding, metering)
SCHEMA = Schema(SERVICE, metadata, projections=PROJECTIONS)


def build(settings: Settings) -> Service:
    service = Service(SERVICE, settings, projections=PROJECTIONS)
    service.include(handlers.router(service))

    async def watch() -> None:
        await watch_accounts(service)

    service.lead.append(watch)
    return service
