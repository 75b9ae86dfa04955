"""Billing, put together."""

from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.settings import Settings
from services.billing import handlers, keeping
from services.billing.contract import SERVICE
from services.billing.settings import BillingSettings
from services.billing.subscribers import founding, metering
from services.billing.views import account_view, metadata
from services.billing.watching import watch_accounts

PROJECTIONS = (account_view, founding, metering)
SCHEMA = Schema(SERVICE, metadata, projections=PROJECTIONS)


def build(settings: Settings) -> Service:
    if not isinstance(settings, BillingSettings):
        settings = BillingSettings()  # pyright: ignore[reportCallIssue] - from the environment
    service = Service(SERVICE, settings, projections=PROJECTIONS)
    service.include(handlers.router(service))

    async def watch() -> None:
        await watch_accounts(service)

    service.lead.append(watch)
    service.sweeps += keeping.sweeps(settings.billing_jurisdiction)
    return service
