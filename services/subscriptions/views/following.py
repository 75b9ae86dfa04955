"""The feed from a number on, as streams take it: no gap, no repetition, or a reset."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.following import Followed, Stretch
from services.subscriptions.contract import EventShown, FollowEvents
from services.subscriptions.tables import feed, feed_floors, feed_heads
from services.subscriptions.views.happened import filters, number_of


async def follow(db: AsyncConnection, org: str, query: FollowEvents) -> Stretch[EventShown]:
    """The head is read first: everything up to it is visible (see `happened.find_events`)."""
    head = (await db.execute(select(feed_heads.c.n).where(feed_heads.c.org == org))).scalar() or 0
    after = number_of(query.after)
    if after is None:
        return Stretch(data=[], upto=str(head))
    floor = (
        await db.execute(select(feed_floors.c.n).where(feed_floors.c.org == org))
    ).scalar() or 0
    if not floor <= after <= head:
        return Stretch(data=[], upto=str(head), reset=True)
    wanted = filters(query.event_type, query.subject)
    rows = (await db.execute(
        select(feed.c.n, feed.c.event)
        .where(feed.c.org == org, feed.c.n > after, feed.c.n <= head, *wanted)
        .order_by(feed.c.n).limit(query.limit)
    )).all()  # fmt: skip
    more = len(rows) == query.limit
    return Stretch(
        data=[
            Followed(place=str(row.n), thing=EventShown.model_validate(row.event)) for row in rows
        ],
        upto=str(rows[-1].n if more else head), more=more,
    )  # fmt: skip
