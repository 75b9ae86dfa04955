"""Numbers whose events have left the log when their time was over: they are not missing."""

from collections.abc import Sequence

from libs.common.database import unavailable
from libs.common.eventstore import EventStore
from libs.common.log_page import Page
from libs.common.messages import Recorded

EXPIRED_MAX = 5000


async def with_expired(
    store: EventStore, after: int, events: Sequence[Recorded], head: int, incarnation: int,
    limit: int,
) -> Page:  # fmt: skip
    """The page that these events make; the database is asked only where numbers are missing.

    They were read first: what had left the log by then has left its number before.
    """
    last = events[-1].sequence if events else after
    upto = last if len(events) >= limit else max(head, last)
    if upto - after == len(events):
        return Page(list(events), head, incarnation)
    with unavailable("store"):
        async with store.database.hot.connection() as connection:
            cursor = await connection.execute(
                "select n from expired where partition = 0 and n > %s and n <= %s order by n"
                " limit %s", (after, upto, EXPIRED_MAX),
            )  # fmt: skip
            expired = [n for (n,) in await cursor.fetchall()]
    if len(expired) == EXPIRED_MAX:
        events = [event for event in events if event.sequence < expired[-1]]
    return Page(list(events), head, incarnation, expired)
