"""What happened in an organization: the feed, by number."""

from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Malformed
from libs.common.pages import Page
from services.subscriptions.contract import EventShown, FindEvents
from services.subscriptions.tables import feed, feed_heads


async def find_events(db: AsyncConnection, org: str, query: FindEvents) -> Page[EventShown]:
    """A page by number. The place is a number: what has it and those before it were given.

    The head is read first: everything up to it is visible, because an organization's numbers are
    given out under a lock that is held until they are.
    """
    after = number_of(query.after)
    head = (await db.execute(select(feed_heads.c.n).where(feed_heads.c.org == org))).scalar() or 0
    ascending = query.order == "asc"
    conditions = [feed.c.org == org, feed.c.n <= head, *_between(query)]
    if after is not None:
        conditions.append(feed.c.n > after if ascending else feed.c.n < after)
    rows = (await db.execute(
        select(feed.c.n, feed.c.event).where(*conditions)
        .order_by(feed.c.n if ascending else feed.c.n.desc()).limit(query.limit + 1)
    )).all()  # fmt: skip
    kept = rows[: query.limit]
    place: str | None = None
    if len(rows) > query.limit:
        place = str(kept[-1].n)
    elif ascending:
        place = str(max(head, after or 0))
    return Page(data=[EventShown.model_validate(row.event) for row in kept], next=place)


def number_of(place: str | None) -> int | None:
    if place is None:
        return None
    if not (place.isascii() and place.isdigit() and len(place) < 19):
        raise Malformed("this cursor was not made by us")
    return int(place)


def _between(query: FindEvents) -> list[ColumnElement[Any]]:
    found = filters(query.event_type, query.subject)
    if query.from_at is not None:
        found.append(feed.c.time >= query.from_at)
    if query.to_at is not None:
        found.append(feed.c.time < query.to_at)
    return found


def filters(types: list[str] | None, subjects: list[str] | None) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = []
    if types is not None:
        found.append(or_(*map(_of_type, types)))
    if subjects is not None:
        found.append(feed.c.subject.in_(subjects))
    return found


def _of_type(pattern: str) -> ColumnElement[Any]:
    if pattern.endswith("*"):
        return feed.c.type.startswith(pattern[:-1], autoescape=True)
    return feed.c.type == pattern
