"""What identity hears of billing: an alarm about usage becomes a notification, once."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Meta, Recorded
from libs.common.readers import Projection
from services.billing.contract import UsageAlarmRaised
from services.identity.contract import NotificationRaised

alarms = Projection("alarms", version=1, producer="billing")


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
    await append_within(db, stream_of("notification", org, notification), [raised], meta)
