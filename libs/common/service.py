"""A service with a database and a log: handlers, readers, relay, lease, drain."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import lifecycle, telemetry
from libs.common.bus import reply
from libs.common.bus_service import BusService
from libs.common.catalogue import FindCatalogue
from libs.common.catalogue_reading import find_catalogue
from libs.common.database import LOST, Database
from libs.common.decider import Decider
from libs.common.errors import DomainError
from libs.common.eventstore import EventStore, Outcome, dumps, stream_of
from libs.common.expired import with_expired
from libs.common.grants import GRANTS
from libs.common.inbox import Inbox
from libs.common.lead import Lease
from libs.common.log_page import PAGE_LIMIT, LogPage
from libs.common.messages import Event, Meta, Recorded
from libs.common.privacy import DataKey, Fetch, Forgotten
from libs.common.readers import Projection, Reader, follow_own_log
from libs.common.relay import Relay, pack
from libs.common.settings import Settings, secrets_of
from libs.common.sweeping import Sweep, Sweeping, sql_sweep
from libs.common.tasks import end

log = logging.getLogger(__name__)
C = TypeVar("C")
S = TypeVar("S")
ANSWERS = "answers"
COMMANDS = sql_sweep(
    "commands",
    "delete from commands where (org, id) in"
    " (select org, id from commands where at < :before limit :bite)",
    "select min(at) from commands",
    timedelta(hours=25),
)


class Service(BusService):
    """One service in a process; several may share one. Built in `app.py`, run by `run`.

    `connections` is how many of its own work are kept open; more are opened when needed.
    """

    def __init__(
        self, name: str, settings: Settings, *, fetch_key: Fetch | None = None,
        projections: Sequence[Projection] = (), connections: int = 1,
    ) -> None:  # fmt: skip
        secrets = secrets_of(name)
        super().__init__(name, settings, fetch_key=fetch_key, secrets=secrets)
        self.database = Database(
            settings.database_url, name, secrets.system_password.get_secret_value(),
            secrets.reader_password.get_secret_value(), settings.database_prefix, connections,
        )  # fmt: skip
        self.store = EventStore(self.database)
        self.store.appended = self.appended
        self.readers = [Reader(p, self.database, p.producer or name) for p in projections]
        self.relay: Relay | None = None
        self.lease = Lease(self.database, self.bus, self.owner, self._spawn, self._leading_work)
        self.first: list[Callable[[], Awaitable[None]]] = []
        self.lead: list[Callable[[], Awaitable[None]]] = []
        self.sweeps: list[Sweep] = [COMMANDS]
        for reader in self.readers:
            reader.on_stop = self._reader_stopped

    async def start(self) -> None:
        """Opens what is needed and begins to answer; everything else runs in tasks."""
        await self.database.open()
        for before in self.first:  # else nothing is answered
            await before()
        self._answer_all()
        await super().start()
        self._spawn(self.lease.run(self._measure), "lease")
        self._spawn(self.database.rest_for_ever(), "rest")

    async def stop(self) -> None:
        """Stops taking work, lets handlers end, gives the lease back."""
        await end(self._tasks)
        await self.lease.give_back()
        await super().stop()
        await self.database.close()

    # -- deciding ---------------------------------------------------------------------------

    async def decide(
        self, decider: Decider[C, S], stream: str, command: C, meta: Meta, *,
        answer: Callable[[S, int], BaseModel | dict[str, Any]],
        reveal: dict[str, Any] | None = None,
        beside: Callable[[AsyncConnection], Awaitable[None]] | None = None,
    ) -> NatsResponse:  # fmt: skip
        """Decides, appends, waits for the views, and answers with the thing as it is now.

        `answer(state, version)` shows the thing; `reveal` adds what is shown once (in a
        repetition these are null). The answer is kept sealed under the command's id.
        """
        key = await self._answer_key(meta)

        def sealed(state: S, version: int) -> str:
            body = dumps(answer(state, version))
            if reveal:
                body = dumps(msgspec.json.decode(body) | dict.fromkeys(reveal))
            return key.seal(body, ANSWERS)

        outcome = await self.store.execute(
            decider, stream, command, meta, answer=sealed, beside=beside
        )
        if outcome.replayed:
            return _replayed(key, outcome.answer, outcome.version)
        await self.seen(outcome)
        body = answer(outcome.state, outcome.version)
        if reveal:
            body = msgspec.json.decode(dumps(body)) | reveal
        return reply(body, outcome.version)

    async def answered_before(self, meta: Meta) -> NatsResponse | None:
        """What this very command was answered with, for who decides in a way of their own."""
        found = await self.store.made_before(meta)
        if found is None:
            return None
        return _replayed(await self._answer_key(meta), found[1], found[2])

    async def _answer_key(self, meta: Meta) -> DataKey:
        """Of the organization or person; the installation's where there is none (yet)."""
        owner = meta.organization if meta.organization != "instance" else meta.actor
        purpose = "content" if owner.startswith("org_") else "profile"
        granted = purpose in GRANTS.get(self.name, frozenset())
        if meta.command_id is not None and granted and owner.startswith(("org_", "per_")):
            with contextlib.suppress(Forgotten):
                return await self.keys.key(owner, purpose)
        return self.keys.installation_key(ANSWERS)

    async def seen(self, outcome: Outcome[Any]) -> None:
        """Waits until the service's own views show what was just committed."""
        for reader in self.readers:
            if reader.producer == self.name and outcome.n:
                await reader.reached(outcome.n)

    # -- waking and leading -----------------------------------------------------------------

    def appended(self) -> None:
        """Something was committed: relay and projections are woken, here or where they run."""
        telemetry.APPENDED.labels(self.name).inc()
        self.lease.wake()

    def _leading_work(self) -> list[tuple[str, Any]]:
        self.relay = Relay(self.store, self.bus, self.lease.woken("relay"), self.lease.wake)
        work: list[tuple[str, Any]] = [
            ("relay", self.relay.run()), ("head", self.relay.say_head()),
            ("retention", self._retention()),
        ]  # fmt: skip
        for reader in self.readers:
            if reader.producer == self.name:
                woken = self.lease.woken(reader.name)
                work.append((reader.name, follow_own_log(reader, self.store, woken)))
            else:
                durable = f"{self.name}-{reader.name.replace('_', '-')}"
                work.append((reader.name, Inbox(reader, self.bus, durable).run()))
        return work + [(f.__qualname__, f()) for f in self.lead]

    def _retention(self) -> Awaitable[None]:
        return Sweeping(self.database, self.sweeps, self.settings.retention_every_s).run()

    # -- what others may ask of every service -----------------------------------------------

    def _answer_all(self) -> None:
        router = NatsRouter()

        @router.subscriber(f"{self.name}.query.log-page", queue=self.name)
        async def log_page(query: LogPage) -> NatsResponse:
            limit = min(query.limit, PAGE_LIMIT)
            found, head, incarnation = await self.store.page(query.after, limit)
            fits = pack(found)[0] if found else []
            most = limit if len(fits) == len(found) else len(fits)
            page = await with_expired(self.store, query.after, fits, head, incarnation, most)
            return reply(msgspec.json.encode(page).decode())

        @router.subscriber(f"{self.name}.query.find-catalogue", queue=self.name)
        async def catalogue(query: FindCatalogue) -> NatsResponse:
            return reply(await find_catalogue(self.database, query.after))

        self.include(router)

    # -- health -----------------------------------------------------------------------------

    async def _reader_stopped(self, reader: str, event: Recorded, kind: str) -> None:
        made = lifecycle.of(self.name).reader_stopped(
            reader=reader, event_id=event.id, n=event.sequence, error_type=kind.lower()
        )
        await self.append_system(stream_of("readers", "instance", self.name), made)

    async def note_start(self, version: str, settings_digest: str) -> None:
        events = lifecycle.of(self.name)
        await self._note(events.started(version_=version, settings=settings_digest))

    async def note_stop(self, reason: str) -> None:
        await self._note(lifecycle.of(self.name).stopped(reason=reason))

    async def _note(self, fact: Event) -> None:
        try:
            await self.append_system(stream_of("instance", "instance", self.name), fact)
        except Exception as error:
            log.warning("lifecycle event not recorded", extra={"error_type": type(error).__name__})

    async def append_system(
        self, stream: str, *events: Event, organization: str = "instance"
    ) -> None:
        """Appends facts that need no decision (`service-started`, `reader-stopped`)."""
        await self.store.note(stream, events, Meta.system(self.name, organization))

    def _measure(self) -> None:
        for reader in self.readers:
            telemetry.READER_LAG.labels(self.name, reader.name).set(reader.lag)
            telemetry.READER_STOPPED.labels(self.name, reader.name).set(bool(reader.stopped))

    async def ready(self) -> dict[str, str]:
        parts = await super().ready()
        try:
            async with asyncio.timeout(2), self.database.work() as connection:
                await connection.execute(text("select 1 from heads"))
            parts[f"{self.name}.store"] = "ok"
        except (DomainError, TimeoutError, *LOST) as error:
            parts[f"{self.name}.store"] = f"does not answer ({type(error).__name__})"
        for reader in self.readers:
            said = reader.stopped or ("ok" if reader.lag < 10_000 else f"{reader.lag} behind")
            parts[f"{self.name}.reader.{reader.name}"] = said
        if self.relay is not None and self.relay.stopped:
            parts[f"{self.name}.relay"] = self.relay.stopped
        return parts


def _replayed(key: DataKey, answer: str | None, version: int) -> NatsResponse:
    return reply(key.open(answer, ANSWERS) if answer else "{}", version, replayed=True)
