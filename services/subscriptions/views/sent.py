"""What was sent to an endpoint: the log of its deliveries."""

from sqlalchemy import RowMapping, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.pages import Page, page_of, seek
from services.subscriptions.contract import AttemptShown, DeliveryShown, FindDeliveries
from services.subscriptions.tables import deliveries


async def find_deliveries(
    db: AsyncConnection, org: str, query: FindDeliveries
) -> Page[DeliveryShown]:
    c = deliveries.c
    statement = select(deliveries).where(c.org == org, c.subscription == query.subscription)
    if query.outcome is not None:
        pending = [c.outcome.is_(None)] if "pending" in query.outcome else []
        statement = statement.where(or_(c.outcome.in_(query.outcome), *pending))
    if query.from_at is not None:
        statement = statement.where(c.created_at >= query.from_at)
    if query.to_at is not None:
        statement = statement.where(c.created_at < query.to_at)
    found = await db.execute(seek(statement, query, c.created_at, c.id))
    rows = list(found.mappings())
    return page_of(
        rows, query, lambda row: (row["created_at"], row["id"]), [show(row) for row in rows]
    )


async def find_delivery(db: AsyncConnection, org: str, id: str) -> RowMapping | None:
    found = await db.execute(
        select(deliveries).where(deliveries.c.org == org, deliveries.c.id == id)
    )
    return found.mappings().first()


def show(row: RowMapping) -> DeliveryShown:
    return DeliveryShown(
        id=row["id"], subscription=row["subscription"], event=row["event_id"],
        event_type=row["event_type"], subject=row["subject"], sequence=row["sequence"],
        outcome=row["outcome"] or "pending",
        attempts=[AttemptShown.model_validate(attempt) for attempt in row["attempts"]],
        next_attempt_at=row["due_at"] if row["owner"] is None else None,
        resend_of=row["resend_of"], created_at=row["created_at"], ended_at=row["ended_at"],
    )  # fmt: skip
