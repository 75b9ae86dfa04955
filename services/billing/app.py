"""Billing, put together."""

from pathlib import Path

from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.settings import Settings
from services.billing import handlers, keeping, leaving
from services.billing.contract import SERVICE
from services.billing.folding import usage_view
from services.billing.settings import BillingSettings
from services.billing.subscribers import founding, metering
from services.billing.views import account_view, metadata
from services.billing.watching import fold_usage, watch_accounts

PROJECTIONS = (account_view, usage_view, founding, metering)
SCHEMA = Schema(SERVICE, metadata, Path(__file__).with_name("migrations"), PROJECTIONS)


def build(settings: Settings) -> Service:
    if not isinstance(settings, BillingSettings):
        settings = BillingSettings()  # pyright: ignore[reportCallIssue] - from the environment
    service = Service(SERVICE, settings, projections=PROJECTIONS)
    service.include(handlers.router(service))

    async def watch() -> None:
        await watch_accounts(service)

    async def fold() -> None:
        await fold_usage(service)

    service.lead += [watch, fold]
    years = keeping.years_of(settings.billing_jurisdiction)
    service.sweeps += [*keeping.sweeps(years), leaving.sweep(service, years)]
    return service
