"""Subscriptions, put together."""

from libs.common.bell import Bell
from libs.common.migrate import Schema
from libs.common.privacy import Fetch
from libs.common.service import Service
from libs.common.settings import Settings
from libs.egress import Policy
from services.subscriptions import feeding
from services.subscriptions.contract import FED, SERVICE
from services.subscriptions.delivering import Dispatcher
from services.subscriptions.endings import sweep
from services.subscriptions.forgetting import drop_destroyed_keys
from services.subscriptions.handlers import commands, queries, resending
from services.subscriptions.handlers.parts import Parts
from services.subscriptions.retention import SWEEPS
from services.subscriptions.settings import SubscriptionSettings
from services.subscriptions.subscribers import INBOXES, own
from services.subscriptions.tables import metadata
from services.subscriptions.views.listing import listing

PROJECTIONS = (listing, own, *INBOXES)
SCHEMA = Schema(SERVICE, metadata, projections=PROJECTIONS)


def build(settings: Settings, fetch_key: Fetch | None = None) -> Service:
    """The service, not yet started; `fetch_key` stands in for identity in tests.

    What is not in `settings` is read from the environment, as the settings themselves are.
    """
    mine = settings
    if not isinstance(mine, SubscriptionSettings):
        mine = SubscriptionSettings()  # pyright: ignore[reportCallIssue] - from the environment
    service = Service(SERVICE, mine, projections=PROJECTIONS, fetch_key=fetch_key, connections=2)
    parts = Parts(service, Policy(mine.allowed_pairs))
    for module in (commands, queries, resending):
        service.include(module.router(parts))

    async def deliver() -> None:
        await Dispatcher(service, mine).run()

    async def end() -> None:
        await sweep(service, mine)

    async def drop() -> None:
        await drop_destroyed_keys(service)

    bell = Bell(service.bus, FED)
    for reader in service.readers:
        reader.on_moved = lambda name=reader.name: bell.ring(feeding.grown.pop(name, ()))
    service.background += [drop, bell.run]
    service.lead += [deliver, end]
    service.sweeps += SWEEPS
    return service
