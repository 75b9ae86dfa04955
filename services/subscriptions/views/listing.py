"""The listing of an organization's event subscriptions."""

from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from libs.common.pages import seek
from libs.common.readers import Projection
from services.subscriptions.contract import (
    FindSubscriptions,
    SigningSecretRotated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionDisabled,
    SubscriptionEnabled,
    SubscriptionShown,
    TestSent,
)  # fmt: skip
from services.subscriptions.domain import Live
from services.subscriptions.tables import subscriptions

listing = Projection("listing", version=1, tables=[subscriptions])


@listing.on(SubscriptionCreated)
async def _created(db: AsyncConnection, event: SubscriptionCreated, recorded: Recorded) -> None:
    await db.execute(
        insert(subscriptions).values(
            org=recorded.organization, id=event.subscription_id, url=event.url, host=event.host,
            types=event.types, conditions=event.where, created_at=event.created_at,
            version=recorded.streamversion,
        )
    )  # fmt: skip


@listing.on(SubscriptionChanged)
async def _changed(db: AsyncConnection, event: SubscriptionChanged, recorded: Recorded) -> None:
    await _set(db, event.subscription_id, recorded, url=event.url, host=event.host,
               types=event.types, conditions=event.where)  # fmt: skip


@listing.on(SubscriptionDisabled)
async def _disabled(db: AsyncConnection, event: SubscriptionDisabled, recorded: Recorded) -> None:
    await _set(db, event.subscription_id, recorded, disabled_reason=event.reason,
               disabled_at=event.disabled_at)  # fmt: skip


@listing.on(SubscriptionEnabled)
async def _enabled(db: AsyncConnection, event: SubscriptionEnabled, recorded: Recorded) -> None:
    await _set(db, event.subscription_id, recorded, disabled_reason=None, disabled_at=None)


@listing.on(SigningSecretRotated)
async def _rotated(db: AsyncConnection, event: SigningSecretRotated, recorded: Recorded) -> None:
    await _set(db, event.subscription_id, recorded, rotated_at=event.rotated_at,
               old_valid_until=event.old_valid_until)  # fmt: skip


@listing.on(TestSent)
async def _tested(db: AsyncConnection, event: TestSent, recorded: Recorded) -> None:
    await _set(db, event.subscription_id, recorded)


@listing.on(SubscriptionDeleted)
async def _deleted(db: AsyncConnection, event: SubscriptionDeleted, recorded: Recorded) -> None:
    await db.execute(delete(subscriptions).where(subscriptions.c.id == event.subscription_id))


async def _set(
    db: AsyncConnection, subscription: str, recorded: Recorded, **values: Any
) -> None:  # fmt: skip
    await db.execute(
        update(subscriptions).where(subscriptions.c.id == subscription)
        .values(version=recorded.streamversion, **values)
    )  # fmt: skip


async def find_subscriptions(
    db: AsyncConnection, org: str, query: FindSubscriptions
) -> list[RowMapping]:
    """One row more than the page holds, when there is one."""
    c = subscriptions.c
    statement = seek(select(subscriptions).where(c.org == org), query, c.created_at, c.id)
    return list((await db.execute(statement)).mappings())


async def find_subscription(db: AsyncConnection, org: str, id: str) -> RowMapping | None:
    c = subscriptions.c
    found = await db.execute(select(subscriptions).where(c.org == org, c.id == id))
    return found.mappings().first()


def live_of(row: RowMapping) -> Live:
    return Live(
        id=row["id"], url=row["url"], host=row["host"], types=tuple(row["types"]),
        created_at=row["created_at"], where=row["conditions"],
        disabled_reason=row["disabled_reason"], disabled_at=row["disabled_at"],
        rotated_at=row["rotated_at"], old_valid_until=row["old_valid_until"],
    )  # fmt: skip


def show(live: Live, url: str) -> SubscriptionShown:
    return SubscriptionShown(
        id=live.id, url=url, host=live.host, types=list(live.types), where=live.where,
        enabled=live.disabled_reason is None, disabled_reason=live.disabled_reason,
        disabled_at=live.disabled_at, created_at=live.created_at,
        secret_rotated_at=live.rotated_at, old_secret_valid_until=live.old_valid_until,
    )  # fmt: skip
