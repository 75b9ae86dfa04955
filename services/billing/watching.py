"""What the leading process looks after: alarms that are due, periods that ended."""

import asyncio
import logging
from datetime import timedelta

import nats.errors

from libs.common import clock as wall
from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.log_page import LogPage
from libs.common.messages import Meta
from libs.common.service import Service
from services.billing import views
from services.billing.contract import SERVICE
from services.billing.domain import Close, Measure, account, account_stream
from services.billing.folding import AFTER, fold

log = logging.getLogger(__name__)
LOOK_S = 2.0
LOOK_ANYWAY_S = 30.0
GRACE = timedelta(seconds=60)
FOLD_S = 60.0


async def watch_accounts(service: Service) -> None:
    """For ever: looks when a reader moved (no query while nothing happens), and twice a minute."""
    clock = asyncio.get_running_loop().time
    seen: list[int] = []
    looked = 0.0
    while True:
        at = [reader.n for reader in service.readers]
        if at != seen or clock() - looked > LOOK_ANYWAY_S:
            try:
                await raise_alarms(service)
                await close_periods(service)
                seen, looked = at, clock()
            except (DomainError, nats.errors.Error, *LOST) as error:
                log.warning("accounts not looked after", extra={"cause": type(error).__name__})
        await asyncio.sleep(LOOK_S)


async def fold_usage(service: Service) -> None:
    """For ever: what was counted an hour ago becomes a fact."""
    while True:
        rest_s = FOLD_S
        try:
            if await fold(service, wall.now() - AFTER):
                rest_s = 0.0
        except (DomainError, *LOST) as error:
            log.warning("usage waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(rest_s)


async def raise_alarms(service: Service) -> None:
    """Compares the meter with what each account may use."""
    async with service.database.work() as connection:
        found = await views.find_alarming(connection)
    for metered in found:
        await service.store.execute(
            account, account_stream(metered.organization),
            Measure(metered.period_ends_at, metered.used),
            Meta.system(SERVICE, metered.organization),
        )  # fmt: skip


async def close_periods(service: Service, grace: timedelta = GRACE) -> None:
    """Closes what ended `grace` ago, once every start of that time was counted."""
    async with service.database.work() as connection:
        found = await views.find_ended(connection, grace)
    if not found or not await _all_counted(service):
        return
    async with service.database.work() as connection:
        found = await views.find_ended(connection, grace)
    for metered in found:
        await service.store.execute(
            account, account_stream(metered.organization),
            Close(metered.period_ends_at, metered.used),
            Meta.system(SERVICE, metered.organization),
        )  # fmt: skip


async def _all_counted(service: Service) -> bool:
    """The executor itself says that its log holds nothing that the meter did not take."""
    meter = next(reader for reader in service.readers if reader.name == "metering")
    ask = LogPage(after=meter.n, limit=1)
    answer = await service.bus.ask(
        ask, Meta.system(SERVICE), subject=f"{meter.producer}.query.log-page"
    )
    return not answer.value["events"]
