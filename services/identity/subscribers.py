"""What identity hears of others and tells people: alarms about usage, approvals that wait."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Meta, Recorded
from libs.common.readers import Projection
from services.billing.contract import UsageAlarmRaised
from services.executor.contract import ApprovalReminded, ApprovalRequested
from services.identity.contract import NotificationRaised

alarms = Projection("alarms", version=1, producer="billing")
asked = Projection("asked", version=1, producer="executor")


@alarms.on(UsageAlarmRaised)
async def tell(db: AsyncConnection, event: UsageAlarmRaised, recorded: Recorded) -> None:
    """To everybody who may see the usage; the bookmark moves with the notification."""
    org = recorded.organization
    notification = ids.derived("ntf", "usage-alarm", recorded.id)
    facts = {"meter": event.meter, "used": event.used, "limit": event.limit,
             "percent": event.percent}  # fmt: skip
    raised = NotificationRaised(
        notification_id=notification, person_id=None, audience="usage:read", category="billing",
        template="usage-alarm", facts=facts, raised_at=recorded.time,
    )  # fmt: skip
    meta = Meta.system("identity", org, causation_id=recorded.id)
    await append_within(
        db, stream_of("notification", org, notification), [raised], meta, first=1
    )  # once, also when the inbox begins anew


@asked.on(ApprovalRequested, ApprovalReminded)
async def ask(
    db: AsyncConnection, event: ApprovalRequested | ApprovalReminded, recorded: Recorded
) -> None:
    """To each role and person named in it; what it is about they see where they decide."""
    org, reminder = recorded.organization, getattr(event, "reminder", 0)
    facts: dict[str, str | int] = {"workflow": event.workflow_id, "reminder": reminder}
    for named in event.by:
        kind, _, whom = named.partition(":")
        notification = ids.derived("ntf", "approval", recorded.id, named)
        raised = NotificationRaised(
            notification_id=notification, person_id=whom if kind == "person" else None,
            audience=named if kind == "role" else "approvals:decide", category="approvals",
            template="approval-reminded" if reminder else "approval-requested", facts=facts,
            raised_at=recorded.time,
        )  # fmt: skip
        meta = Meta.system("identity", org, causation_id=recorded.id)
        await append_within(
            db, stream_of("notification", org, notification), [raised], meta, first=1
        )  # once, also when the inbox begins anew
