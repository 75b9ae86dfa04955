"""Carries trails to SIEMs, for ever: in order, at least once, one post at a time for each stream.

A position moves when a post was answered with success, so whoever dies in between sends the same
entries again. Streams do not wait for each other.
"""

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import nats.errors

from libs.common import clock, ids
from libs.common.database import LOST
from libs.common.errors import DomainError, Unavailable
from libs.common.eventstore import stream_of
from libs.common.fields import milliseconds
from libs.common.messages import Meta
from libs.common.privacy import DataKey, Forgotten
from libs.common.service import Service
from libs.egress import Client, Policy
from libs.egress.webhooks import Attempt, post, signed
from services.audit import siem_outbox, siem_text, stored
from services.audit.announcing import Clock
from services.audit.contract import SERVICE
from services.audit.export_text import ExportText
from services.audit.people import PURPOSE
from services.audit.proving import INSTANCE
from services.audit.settings import AuditSettings
from services.audit.siem_stream import Delete, siem_stream
from services.identity.contract import RaiseNotification

log = logging.getLogger(__name__)
AT_ONCE_MAX = 32
READING_MAX = 2
RETRY_AFTER_MAX_S = 3600.0
DOUBLED_MAX = 16
FAILING = timedelta(hours=1)
WAITS = (Unavailable, *LOST)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a stream goes, opened."""

    url: str
    secrets: list[str]
    authorization: dict[str, str]


async def key_of(service: Service, org: str) -> DataKey:
    """Seals where a stream goes and its secrets. Raises Forgotten."""
    if org == INSTANCE:
        return service.keys.installation_key("siem")
    return await service.keys.key(org, PURPOSE)


class Forwarder:
    """One per process; `run` is what the leading process does."""

    def __init__(
        self, service: Service, source: ExportText, settings: AuditSettings, clock: Clock
    ) -> None:
        self._service, self._source = service, source
        self._settings, self._clock = settings, clock
        self._woken = service.lease.woken("siem")
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._sweep_at = 0.0
        self._reading = asyncio.Semaphore(READING_MAX)  # the writer needs connections too

    async def run(self) -> None:
        """Until it is cancelled; what is under way then is sent again by the next one."""
        async with Client(Policy(self._settings.allowed_pairs)) as client:
            try:
                while True:
                    self._woken.clear()
                    await self._turn(client)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._settings.siem_gather_s):
                            await self._woken.wait()
            finally:
                under_way = list(self._under_way.values())
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def _turn(self, client: Client) -> None:
        try:
            if (at := asyncio.get_running_loop().time()) >= self._sweep_at:
                self._sweep_at = at + self._settings.siem_sweep_s
                await self._sweep()
            busy = set(self._under_way)  # one that ends meanwhile would be seen as it was before
            async with self._service.database.work() as db:
                rows = await siem_outbox.due(db, self._clock())
        except (DomainError, nats.errors.Error, *LOST) as error:
            log.warning("SIEM streams wait", extra={"cause": type(error).__name__})
            return
        for row in rows:
            if row.id not in busy and len(self._under_way) < AT_ONCE_MAX:
                task = asyncio.create_task(self._forward(client, row))
                self._under_way[row.id] = task
                task.add_done_callback(lambda done, id=row.id: self._over(done, id))

    def _over(self, task: "asyncio.Task[None]", id: str) -> None:
        del self._under_way[id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a SIEM stream waits", extra={"stream": id}, exc_info=error)

    async def _forward(self, client: Client, row: Any) -> None:
        try:
            to = await self._receiver(row)
            if siem_outbox.check_is_due(row, self._clock()) and not await self._check(
                client, row, to
            ):
                return
            if row.position < row.size:
                await self._carry(client, row, to)
        except Forgotten:
            await self._forget(row)
        except WAITS as error:
            facts = {"stream": row.id, "cause": type(error).__name__}
            log.warning("a SIEM stream waits", extra=facts)
        except (stored.Missing, stored.Differs) as error:
            log.error("the trail is not whole", extra={"stream": row.id, "cause": str(error)})
            await self._failed(row, Attempt(), "trail-incomplete")

    async def _carry(self, client: Client, row: Any, to: Receiver) -> None:
        async with self._reading:
            batch = await siem_text.next_batch(self._source, row)
        if batch.post is None:
            async with self._service.database.work() as db:
                await siem_outbox.passed(db, row, batch.beyond)
        else:
            attempt = await self._post(client, to, batch.post)
            if not attempt.arrived:
                await self._failed(row, attempt)
                return
            span, now = (batch.first, batch.last), self._clock()
            async with self._service.database.work() as db:
                await siem_outbox.delivered(
                    db, row, span, batch.count, batch.beyond, attempt, now
                )  # fmt: skip
        if batch.beyond < row.size:
            self._woken.set()  # the next one is full, or nearly: it is not gathered for

    async def _check(self, client: Client, row: Any, to: Receiver) -> bool:
        now = self._clock()
        attempt = await self._post(client, to, await siem_text.health(self._source, row, now))
        async with self._service.database.work() as db:
            told = await siem_outbox.checked(db, row, attempt, now)
        if told:
            self._service.appended()
        if not attempt.arrived:
            await self._failed(row, attempt)
        return attempt.arrived

    async def _post(self, client: Client, to: Receiver, what: siem_text.Post) -> Attempt:
        headers = {
            "content-type": what.media, **to.authorization,
            **signed(to.secrets, what.id, int(clock.seconds()), what.body),
        }  # fmt: skip
        return await post(client, to.url, headers, what.body, self._settings.siem_timeout_s)

    async def _failed(self, row: Any, attempt: Attempt, error: str | None = None) -> None:
        doubled = self._settings.siem_retry_s * 2 ** min(row.failures, DOUBLED_MAX)
        jitter = 1 + 0.2 * (random.random() - 0.5)  # noqa: S311 - jitter is no secret
        wait_s = min(doubled, self._settings.siem_retry_max_s) * jitter
        asked_s = min(attempt.retry_after_s or 0.0, RETRY_AFTER_MAX_S)
        async with self._service.database.work() as db:
            lost = await siem_outbox.failed(
                db, row, attempt.status, error or attempt.trouble, self._clock(),
                max(wait_s, asked_s),
            )  # fmt: skip
        if lost:
            self._service.appended()

    async def _receiver(self, row: Any) -> Receiver:
        key, name = await key_of(self._service, row.org), stream_of("siem", row.org, row.id)
        secrets: dict[str, list[str]] = {"signing": [], "authorization": []}
        for secret in row.secrets or ():
            secrets[secret["kind"]].append(key.open(secret["sealed"], name))
        headers = dict(zip([row.authorization_header], secrets["authorization"], strict=False))
        return Receiver(key.open(row.url, name), secrets["signing"], headers)

    async def _forget(self, row: Any) -> None:
        """Its organization's key is destroyed: nobody can say any more where it went."""
        name = stream_of("siem", row.org, row.id)
        meta = Meta.system(SERVICE, row.org)
        await self._service.store.execute(
            siem_stream, name, Delete(meta.actor), meta,
            beside=lambda db: siem_outbox.forget(db, row.org, row.id),
        )  # fmt: skip

    # -- besides --------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        now = self._clock()
        async with self._service.database.work() as db:
            told = await siem_outbox.tell_hours(db, now)
        if told:
            self._service.appended()
        for row in await siem_outbox.to_notice(self._service, now - FAILING):
            await self._notice(row)
            await siem_outbox.noticed(self._service, row.id, now)

    async def _notice(self, row: Any) -> None:
        """Who reads the trail is told; of the instance's, whoever made the stream."""
        person = row.created_by if row.org == INSTANCE else None
        if person is not None and not person.startswith("per_"):
            log.error("a SIEM stream fails, and no person made it", extra={"stream": row.id})
            return
        notice = RaiseNotification(
            person=person, audience="audit:read", category="security", template="siem-failing",
            facts={"stream": row.id},
        )  # fmt: skip
        since = milliseconds(row.failing_since)
        command_id = str(ids.derived_uuid("notice", row.id, since))
        meta = Meta.system(SERVICE, row.org, command_id=command_id, command_digest="notice")
        await self._service.bus.ask(notice, meta)
