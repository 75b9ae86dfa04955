"""Is what was committed also audited? Asks the producers, closes gaps that they can fill."""

import asyncio
import logging

import msgspec
import nats.errors

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.eventstore import append_within
from libs.common.log_page import LogPage, Page
from libs.common.messages import Meta
from libs.common.service import Service
from services.audit import views
from services.audit.contract import SERVICE, CompletenessShown, GapClosed, ProducerShown
from services.audit.subscribers import gap_stream
from services.audit.writing import Writer

log = logging.getLogger(__name__)
RETRY_S = 10.0
ASK_S = 2.0
_page = msgspec.json.Decoder(Page).decode


async def log_page(service: Service, producer: str, after: int, limit: int) -> Page:
    """What the producer's own log holds after a number, and its head."""
    answer = await service.bus.ask(
        LogPage(after=after, limit=limit), Meta.system(SERVICE), ASK_S,
        subject=f"{producer}.query.log-page",
    )  # fmt: skip
    return _page(answer.body)


async def completeness(service: Service) -> CompletenessShown:
    """First the trail, then the heads: a head that equals what was taken proves it complete.

    Counts over all organizations, for the operator; shows nothing of any of them.
    """
    async with service.database.work() as connection:
        taken = await views.find_taken(connection)
    heads = await asyncio.gather(*(_head(service, t.producer, t.last) for t in taken))
    shown = [
        ProducerShown(
            producer=t.producer, incarnation=t.incarnation, head=head, last=t.last,
            count=t.count, gaps=t.gaps, complete=head == t.last == t.count and not t.gaps,
        )
        for t, head in zip(taken, heads, strict=True)
    ]  # fmt: skip
    return CompletenessShown(
        complete=all(p.complete for p in shown), audited=sum(p.count for p in shown),
        producers=shown,
    )  # fmt: skip


async def _head(service: Service, producer: str, after: int) -> int | None:
    try:
        return (await log_page(service, producer, after, 1)).head
    except DomainError:
        return None


async def close_gaps(service: Service, writer: Writer) -> None:
    """Asks again for the numbers of each open gap; enters what comes, closes what is whole."""
    async with service.database.work() as connection:
        missing = await views.open_gaps(connection)
    for gap in missing:
        after = gap.first - 1
        while after < gap.last:
            page = await log_page(service, gap.producer, after, gap.last - after)
            found = [e for e in page.events if e.sequence <= gap.last]
            if not found or page.incarnation != gap.incarnation:
                break
            after = found[-1].sequence
            async with service.database.work() as connection:
                await writer.enter(connection, gap.producer, found)
        await _close_if_whole(service, gap.producer, gap.incarnation, gap.first, gap.last)


async def _close_if_whole(
    service: Service, producer: str, incarnation: int, first: int, last: int
) -> None:
    closed = GapClosed(producer=producer, incarnation=incarnation, first=first, last=last)
    async with service.database.work() as connection:
        there = await views.count_between(connection, producer, incarnation, first, last)
        if there == last - first + 1:
            meta = Meta.system(SERVICE)
            await append_within(connection, gap_stream(closed), [closed], meta, first=2)


async def watch_gaps(service: Service, writer: Writer, every_s: float = RETRY_S) -> None:
    """For ever, in the leading process."""
    while True:
        try:
            await close_gaps(service, writer)
        except (DomainError, nats.errors.Error, *LOST) as error:
            log.warning("gaps not looked after", extra={"cause": type(error).__name__})
        await asyncio.sleep(every_s)
