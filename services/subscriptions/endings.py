"""What ends: endpoints that stay dead, what waits for them, and the notice that says so."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Literal

import nats.errors
from sqlalchemy import text

from libs.common import ids
from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.service import Service
from services.identity.contract import RaiseNotification
from services.subscriptions.contract import SERVICE
from services.subscriptions.domain import Disable, subscription
from services.subscriptions.outbox import abandon
from services.subscriptions.settings import SubscriptionSettings

log = logging.getLogger(__name__)
ABANDON_AT_ONCE_MAX = 200
DEAD = text("""
select org, subscription, gone, last_status from endpoints
where enabled and (gone or failing_since <= wall_clock() - make_interval(secs => :dead_after_s))
""")
NOTICES = text("select org, subscription, notice, version from endpoints where notice is not null")
NOTICED = text("""
update endpoints set notice = null where subscription = :subscription and version = :version
""")
FACTS = text("""
select failures, last_status, date_trunc('milliseconds', wall_clock()) as at from endpoints
where subscription = :subscription
""")


async def sweep(service: Service, settings: SubscriptionSettings) -> None:
    """For ever, by the leading process."""
    while True:
        try:
            await disable_dead(service, settings.delivery_dead_after_s)
            await abandon_all(service)
            await give_notice(service)
        except (DomainError, nats.errors.Error, *LOST) as error:
            log.warning("sweep waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(settings.delivery_sweep_s)


async def disable_dead(service: Service, dead_after_s: float) -> None:
    """Endpoints that are gone, or took nothing for so long although something was sent to them."""
    async with service.database.work() as db:
        rows = (await db.execute(DEAD, {"dead_after_s": dead_after_s})).all()
    for row in rows:
        reason = "gone" if row.gone else "no-success"
        await disable(service, row._asdict(), reason, row.last_status)


async def disable(
    service: Service, row: Mapping[str, Any], reason: Literal["no-success", "gone"],
    last_status: int | None,
) -> None:  # fmt: skip
    """Nothing happens to one that is disabled or deleted already."""
    async with service.database.work() as db:
        facts = (await db.execute(FACTS, {"subscription": row["subscription"]})).one()
    stream = stream_of("subscription", row["org"], row["subscription"])
    ask = Disable(reason, facts.failures, last_status, facts.at)
    await service.store.execute(subscription, stream, ask, Meta.system(SERVICE, row["org"]))


async def abandon_all(service: Service) -> None:
    """Ends what waits for endpoints that were disabled or deleted, in bites."""
    ended = ABANDON_AT_ONCE_MAX
    while ended == ABANDON_AT_ONCE_MAX:
        async with service.database.work() as db:
            ended = await abandon(db, secrets.token_hex(8), ABANDON_AT_ONCE_MAX)
        if ended:
            service.store.appended()


async def give_notice(service: Service) -> None:
    """Asks identity, which keeps the list; what it did not take is asked again."""
    async with service.database.work() as db:
        rows = (await db.execute(NOTICES)).mappings().all()
    for row in rows:
        name, version = row["subscription"], row["version"]
        notice = RaiseNotification(
            audience="subscriptions:manage", category="integration",
            template="subscription-disabled",
            facts={"subscription": name, "reason": row["notice"]},
        )  # fmt: skip
        command_id = str(ids.derived_uuid("notice", name, str(version)))
        meta = Meta.system(SERVICE, row["org"], command_id=command_id, command_digest="notice")
        await service.bus.ask(notice, meta)
        async with service.database.work() as db:
            await db.execute(NOTICED, {"subscription": name, "version": version})
