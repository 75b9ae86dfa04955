"""What subscriptions takes: every public event of every service, its own too, into the feed."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from libs.common.readers import Projection
from services.audit import contract as audit
from services.billing import contract as billing
from services.executor import contract as executor
from services.identity import contract as identity
from services.subscriptions import feeding
from services.subscriptions.contract import (
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionDisabled,
    SubscriptionEnabled,
)  # fmt: skip
from services.subscriptions.tables import endpoints
from services.workflows import contract as workflows

PRODUCERS = (
    identity.SERVICE, workflows.SERVICE, executor.SERVICE, billing.SERVICE, audit.SERVICE,
)  # fmt: skip


def _inbox(producer: str) -> Projection:
    projection = Projection(f"feed_{producer}", producer=producer)

    @projection.whole
    async def take(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
        await feeding.write(connection, events, projection.name)

    return projection


INBOXES = tuple(map(_inbox, PRODUCERS))
own = Projection("feed_own")


@own.whole
async def take_own(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Endpoints first: whoever was created in this batch takes what comes after it."""
    for recorded in events:
        await _follow(connection, recorded)
    await feeding.write(connection, events, own.name)


async def _follow(db: AsyncConnection, recorded: Recorded) -> None:
    """Moves an endpoint on; an event that it has seen changes nothing (a rebuild)."""
    match recorded.event() if recorded.type in _FOLLOWED else None:
        case SubscriptionCreated() as event:
            await db.execute(
                upsert(endpoints).on_conflict_do_nothing().values(
                    org=recorded.organization, subscription=event.subscription_id, url=event.url,
                    types=event.types, conditions=event.where, enabled=True,
                    version=recorded.streamversion,
                )
            )  # fmt: skip
        case SubscriptionChanged() as event:
            await _set(db, event.subscription_id, recorded, url=event.url, types=event.types,
                       conditions=event.where)  # fmt: skip
        case SubscriptionDisabled() as event:
            await _set(db, event.subscription_id, recorded, enabled=False, notice=event.reason)
        case SubscriptionEnabled() as event:
            await _set(db, event.subscription_id, recorded, enabled=True, failing_since=None,
                       failures=0, gone=False, notice=None)  # fmt: skip
        case SubscriptionDeleted() as event:
            await _set(db, event.subscription_id, recorded, enabled=False, deleted=True,
                       notice=None)  # fmt: skip
        case _:
            return


_FOLLOWED = {
    kind.type
    for kind in (
        SubscriptionCreated, SubscriptionChanged, SubscriptionDisabled, SubscriptionEnabled,
        SubscriptionDeleted,
    )
}  # fmt: skip


async def _set(
    db: AsyncConnection, subscription: str, recorded: Recorded, **values: object
) -> None:
    c = endpoints.c
    await db.execute(
        update(endpoints)
        .where(c.subscription == subscription, c.version < recorded.streamversion)
        .values(version=recorded.streamversion, **values)
    )
