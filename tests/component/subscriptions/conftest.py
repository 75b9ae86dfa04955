"""Subscriptions on real servers, with stand-ins for those who produce events and keep keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import text
from tests_support.producers import append, delete_streams, schema_of, stand_in
from tests_support.servers import Servers

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.keys import FindKey, KeyFound
from libs.common.messages import Ask, Meta
from libs.common.service import Service
from libs.common.testing import eventually, local_keys, prepare
from services.executor.contract import ExecutionFinished, ExecutionStarted, TriggerFact
from services.identity.contract import NotificationRaisedShown, RaiseNotification
from services.subscriptions.app import SCHEMA, build
from services.subscriptions.contract import (
    CreateSubscription,
    FindDeliveries,
    FindEvents,
    SubscriptionShown,
)  # fmt: skip
from services.subscriptions.settings import SubscriptionSettings
from tests.fakes.receiver import Receiver

ONE = "org_one"
SEALED = "v1.k1.nonce.neverseen"
RIGHTS = frozenset({"subscriptions:read", "subscriptions:manage", "events:read"})


@dataclass
class World:
    """`notices` is what identity was asked to tell."""

    settings: SubscriptionSettings
    receiver: Receiver
    identity: Service
    executor: Service
    service: Service
    notices: list[tuple[str, RaiseNotification]] = field(default_factory=list)

    async def ask(self, message: Ask, org: str = ONE, **more: Any) -> Any:
        meta = Meta(organization=org, actor="per_1", permissions=RIGHTS, **more)
        return (await self.executor.bus.ask(message, meta)).value

    async def subscribe(
        self, path: str = "/a", types: list[str] | None = None, where: Any = None, org: str = ONE
    ) -> SubscriptionShown:
        command = CreateSubscription(
            url=self.receiver.url + path, types=types or ["executor.event.*"], where=where or {}
        )
        return SubscriptionShown.model_validate(await self.ask(command, org))

    async def start(self, count: int = 1, org: str = ONE) -> list[str]:
        """Executions that started; each of them is a subject of its own."""
        made = [ids.new("exe") for _ in range(count)]
        for execution in made:
            await self.happen(execution, 1, started(execution), org)
        return made

    async def finish(self, execution: str, version: int = 2, outcome: str = "succeeded") -> None:
        await self.happen(execution, version, finished(outcome))

    async def happen(self, execution: str, version: int, event: Any, org: str = ONE) -> None:
        stream = stream_of("execution", org, execution)
        await append(self.executor, stream, [event], org, first=version)

    async def events(self, org: str = ONE, **query: Any) -> Any:
        return await self.ask(FindEvents.model_validate(query), org)

    async def deliveries(self, subscription: str, **query: Any) -> list[Any]:
        ask = FindDeliveries(subscription=subscription, order="asc", limit=200, **query)
        return (await self.ask(ask))["data"]

    async def sql(self, statement: str, **values: Any) -> Any:
        async with self.service.database.work() as db:
            result = await db.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    async def taken(self) -> None:
        """Waits until everything that the executor recorded is in the feed."""
        _, head, _ = await self.executor.store.page(0, 1)
        inbox = next(r for r in self.service.readers if r.name == "feed_executor")

        async def at() -> int:
            return inbox.n

        await eventually(at, lambda n: n >= head)

    async def restart(self, **change: Any) -> None:
        """Stops subscriptions and starts it again, perhaps with other settings."""
        await self.service.stop()
        self.settings = self.settings.model_copy(update=change)
        self.service = build(self.settings)
        await self.service.start()


def started(execution: str, **change: Any) -> ExecutionStarted:
    return ExecutionStarted.model_validate({
        "execution_id": execution, "workflow_id": "wf_1", "workflow_version": 1, "mode": "live",
        "trigger": TriggerFact(kind="webhook", call_id=ids.new("call"), path="orders"),
        "idempotency_digest": "0", "body_digest": "0", "input": SEALED, "input_bytes": 3,
        "labels": {}, **change,
    })  # fmt: skip


def finished(outcome: str = "succeeded") -> ExecutionFinished:
    return ExecutionFinished.model_validate({
        "workflow_id": "wf_1", "outcome": outcome, "rollback": "none", "results": [],
        "error": {"type": "boom", "message": SEALED} if outcome == "failed" else None,
        "values": None, "output": SEALED, "output_bytes": 3, "duration_ms": 5, "steps_count": 1,
        "effects_count": 0,
    })  # fmt: skip


def identity_of(settings: SubscriptionSettings, notices: list[Any]) -> Service:
    """Identity as far as it is asked here: it keeps keys, and the list of notifications."""
    identity, fetch, r = stand_in("identity", settings), local_keys(), NatsRouter()

    @r.subscriber(f"{FindKey.type}.*.*", queue="identity")
    async def find_key(query: FindKey) -> NatsResponse:
        found = await fetch(query.owner, query.purpose)
        if found is None:
            raise NotFound
        return reply(KeyFound(kid=found.kid, wrapped=found.wrapped))

    @r.subscriber(RaiseNotification.type, queue="identity")
    async def raise_notification(command: RaiseNotification, meta: CausedBy) -> NatsResponse:
        notices.append((meta.organization, command))
        return reply(NotificationRaisedShown(id=ids.new("ntf")))

    identity.include(r)
    return identity


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    """Retries follow at once, attempts last a second, nothing else is different."""
    async with Receiver() as receiver:
        schemas = [SCHEMA, schema_of("identity"), schema_of("executor")]
        prepare(servers.admin_url, schemas, servers.nats_url, servers.prefix())
        settings = SubscriptionSettings.model_validate(
            SubscriptionSettings().model_dump()  # pyright: ignore[reportCallIssue] - from the environment
            | {
                "egress_allow": receiver.pair, "delivery_retries_s": ",".join(["0.05"] * 40),
                "delivery_timeout_s": 1.0, "delivery_lease_spare_s": 1.0, "delivery_sweep_s": 0.1,
            }
        )  # fmt: skip
        notices: list[Any] = []
        world = World(
            settings, receiver, identity_of(settings, notices), stand_in("executor", settings),
            build(settings), notices,
        )  # fmt: skip
        try:
            for service in (world.identity, world.executor, world.service):
                await service.start()
            yield world
        finally:
            for service in (world.service, world.executor, world.identity):
                await service.stop()
            await delete_streams(settings, "identity", "executor", "subscriptions")
