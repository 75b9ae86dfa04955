"""Delivers what is due, for ever: claims, sends at most so many at once, records in batches."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import Counter

from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.messages import Json
from libs.common.service import Service
from libs.egress import Client, Policy
from services.subscriptions import endings
from services.subscriptions.contract import DeliveryOutcome
from services.subscriptions.outbox import Ended, Row, claim, record
from services.subscriptions.schedule import verdict
from services.subscriptions.sending import send
from services.subscriptions.settings import SubscriptionSettings

log = logging.getLogger(__name__)
LOOK_S = 0.1
LOOK_ANYWAY_S = 1.0
AGAIN_S = 0.5
RECORD_AT_ONCE_MAX = 200


class Dispatcher:
    """Run by the leading process; leases by the database's clock guard against a second one.

    An attempt is recorded when it has ended. Whoever dies in between leaves a lease that runs
    out, and the same event goes out again under the same `webhook-id`.
    """

    def __init__(self, service: Service, settings: SubscriptionSettings) -> None:
        self.service, self.settings = service, settings
        self.lease_s = settings.delivery_timeout_s + settings.delivery_lease_spare_s
        self._busy: Counter[str] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._came: list[int] = []
        self._look_at = 0.0
        self._ended: asyncio.Queue[tuple[Ended, asyncio.Future[None]]] = asyncio.Queue()

    async def run(self) -> None:
        """Until it is cancelled; what is under way then is left to its lease."""
        async with Client(Policy(self.settings.allowed_pairs)) as client:
            recorder = asyncio.create_task(self._record_all())
            try:
                while not recorder.done():
                    await self._turn(client)
                recorder.result()
            finally:
                for task in (recorder, *self._under_way):
                    task.cancel()
                await asyncio.gather(recorder, *self._under_way, return_exceptions=True)

    async def _turn(self, client: Client) -> None:
        self._freed.clear()
        free = self.settings.deliveries_at_once_max - len(self._under_way)
        if free > 0 and self._worth_a_look():
            try:
                for row in await self._claim(free):
                    self._begin(client, row)
            except (Unavailable, *LOST) as error:
                log.warning("deliveries wait", extra={"cause": type(error).__name__})
                await asyncio.sleep(AGAIN_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._freed.wait(), LOOK_S)

    def _worth_a_look(self) -> bool:
        """Something came or ended, a retry is due, or a second has passed: no query otherwise."""
        now = asyncio.get_running_loop().time()
        came = [reader.n for reader in self.service.readers]
        if came == self._came and now < self._look_at:
            return False
        self._came, self._look_at = came, now + LOOK_ANYWAY_S
        return True

    async def _claim(self, free: int) -> list[Row]:
        async with self.service.database.work() as db:
            return await claim(
                db, free=free, each=self.settings.deliveries_per_endpoint_max, busy=self._busy,
                lease_s=self.lease_s, owner=secrets.token_hex(8),
            )  # fmt: skip

    def _begin(self, client: Client, row: Row) -> None:
        self._busy[row["subscription"]] += 1
        task = asyncio.create_task(self._deliver(client, row))
        self._under_way.add(task)
        task.add_done_callback(lambda done: self._over(done, row))

    def _over(self, task: asyncio.Task[None], row: Row) -> None:
        self._under_way.discard(task)
        self._busy[row["subscription"]] -= 1
        if not self._busy[row["subscription"]]:
            del self._busy[row["subscription"]]
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease runs out, and it is tried again.
            log.error("attempt failed", extra={"delivery": row["id"]}, exc_info=error)

    async def _deliver(self, client: Client, row: Row) -> None:
        if row["event"] is None:
            await self._recorded(_ended(row, None, outcome="undelivered"))
            return
        attempt, line = await send(client, self.service.keys, row, self.settings.delivery_timeout_s)
        luck = random.random()  # noqa: S311 - jitter is no secret
        said = verdict(attempt, row["made"] + 1, self.settings.retries_s, luck)
        await self._recorded(_ended(
            row, line, arrived=attempt.arrived, outcome=said.outcome, after_s=said.after_s,
            gone=said.gone,
        ))  # fmt: skip
        if said.gone:
            try:
                await endings.disable(self.service, row, "gone", attempt.status)
            except DomainError as error:
                # The sweep sees that it is gone, and does it then.
                log.warning("not disabled yet", extra={"cause": error.code})

    async def _recorded(self, ended: Ended) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended.put_nowait((ended, done))
        await done

    async def _record_all(self) -> None:
        """All that ended meanwhile in one transaction."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._ended.get()]
            while not self._ended.empty() and len(batch) < RECORD_AT_ONCE_MAX:
                batch.append(self._ended.get_nowait())
            await self._record([ended for ended, _ in batch])
            self._look_at = min(self._look_at, *(loop.time() + e.after_s for e, _ in batch))
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    async def _record(self, ended: list[Ended]) -> None:
        """A lost server is waited for; what can't be recorded alone is left to its lease."""
        while True:
            try:
                async with self.service.database.work() as db:
                    over = await record(db, ended)
                break
            except (Unavailable, *LOST) as error:
                log.warning("attempts not recorded yet", extra={"cause": type(error).__name__})
                await asyncio.sleep(AGAIN_S)
            except Exception:
                if len(ended) == 1:
                    log.exception("attempt not recorded", extra={"delivery": ended[0].id})
                    return
                for one in ended:
                    await self._record([one])
                return
        if over:
            self.service.store.appended()


def _ended(
    row: Row, line: Json | None, *, outcome: DeliveryOutcome | None, arrived: bool = False,
    after_s: float = 0.0, gone: bool = False,
) -> Ended:  # fmt: skip
    return Ended(
        row["id"], row["owner"], row["subscription"], line, arrived, outcome, after_s, gone
    )
