"""Each night, and when asked: is what is there what the inventory says? If not, it is an event."""

import asyncio
import logging
from datetime import UTC, datetime

import nats.errors
from nats.js.errors import APIError

from libs.common import clock
from libs.common.catalogue import CatalogueFound, FindCatalogue
from libs.common.database import LOST, unavailable
from libs.common.errors import DomainError, Unavailable
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.service import Service
from services.audit.contract import PRODUCERS, SERVICE, Difference, InventoryChecked, Mark
from services.audit.inventory import checks, inventory, of_database, of_streams

log = logging.getLogger(__name__)
STREAM = stream_of("inventory", "instance", SERVICE)
ASK_S = 15.0
FIRST_S = 300.0  # a process that has just started has not seen everybody yet
LOOK_S = 600.0
STREAMS_AT_ONCE = 256  # as the server answers them


async def last_check(service: Service) -> tuple[InventoryChecked | None, datetime | None]:
    """The newest check, and when it was."""
    with unavailable("store"):
        async with service.database.hot.connection() as connection:
            found = await service.store.select(
                connection, "where stream = %s and type = %s order by version desc limit 1",
                (STREAM, InventoryChecked.type),
            )  # fmt: skip
    if not found:
        return None, None
    return InventoryChecked.model_validate(found[0].json()), found[0].time


async def compare(service: Service) -> InventoryChecked:
    """Asks every service what is there and holds it against the inventory."""
    before, _ = await last_check(service)
    marks = {mark.service: mark for mark in before.marks} if before else {}
    places, differences = inventory().places, list[Difference]()
    unanswered, seen = list[str](), list[Mark]()
    for name in (*PRODUCERS, SERVICE):
        try:
            found = await _catalogue(service, name, marks.get(name))
        except Unavailable:
            unanswered.append(name)
            seen += [marks[name]] if name in marks else []
            continue
        seen.append(Mark(service=name, incarnation=found.incarnation, n=found.upto))
        differences += of_database(places, name, found)
    differences += of_streams(places, await _streams(service))
    return InventoryChecked(
        inventory=inventory().digest, differences=differences, unanswered=unanswered, marks=seen
    )


async def _catalogue(service: Service, name: str, mark: Mark | None) -> CatalogueFound:
    """With all types of events since the last check; of a restored log from its beginning."""
    types, after = set[str](), mark.n if mark else 0
    while True:
        answer = await service.bus.ask(
            FindCatalogue(after=after), Meta.system(SERVICE), ASK_S,
            subject=f"{name}.query.find-catalogue",
        )  # fmt: skip
        found = answer.as_a(CatalogueFound)
        if mark is not None and found.incarnation != mark.incarnation:
            mark, after = None, 0
            continue
        types |= set(found.types)
        if found.upto >= found.head:
            return found.model_copy(update={"types": sorted(types)})
        after = found.upto


async def _streams(service: Service) -> dict[str, list[str]]:
    """Names and subjects of all streams; object and key-value stores are streams too."""
    found = dict[str, list[str]]()
    while True:
        infos = await service.bus.js.streams_info(offset=len(found))
        found |= {info.config.name or "": list(info.config.subjects or ()) for info in infos}
        if len(infos) < STREAMS_AT_ONCE:
            return found


def is_due(last: InventoryChecked | None, at: datetime | None, now: datetime) -> bool:
    """Not yet checked on this day in UTC, or not of everybody, or by an older inventory."""
    if last is None or at is None or at.astimezone(UTC).date() != now.date():
        return True
    return bool(last.unanswered) or last.inventory != inventory().digest


async def watch_inventory(service: Service, first_s: float = FIRST_S) -> None:
    """For ever, in the leading process: each night in UTC, sooner when it is not whole."""
    await asyncio.sleep(first_s)
    while True:
        try:
            if is_due(*await last_check(service), clock.now()):
                found, meta = await compare(service), Meta.system(SERVICE)
                await service.store.execute(checks, STREAM, found, meta)
        except (DomainError, APIError, nats.errors.Error, TimeoutError, *LOST) as error:
            log.warning("inventory not compared", extra={"cause": type(error).__name__})
        await asyncio.sleep(LOOK_S)
