"""Billing on real servers, with stand-ins for identity and executor."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import psycopg
import pytest
from tests_support.producers import append, delete_streams, schema_of, stand_in
from tests_support.servers import Servers

from libs.common import ids
from libs.common.eventstore import stream_of
from libs.common.messages import Meta, Recorded
from libs.common.service import Service
from libs.common.testing import eventually, prepare
from services.billing.app import SCHEMA, build
from services.billing.contract import AccountShown, FindAccount
from services.billing.domain import account_stream
from services.billing.subscribers import meter, metering
from services.executor.contract import ExecutionStarted, TriggerFact
from services.identity.contract import OrganizationFounded

ONE, TWO = "org_one", "org_two"
Mode = Literal["live", "draft", "test", "replay"]


class World:
    """Billing with stand-ins for identity and executor."""

    def __init__(self, servers: Servers) -> None:
        schemas = [SCHEMA, schema_of("identity"), schema_of("executor")]
        self.admin_url, prefix = servers.admin_url, servers.prefix()
        self.settings = settings = prepare(servers.admin_url, schemas, servers.nats_url, prefix)
        self.identity = stand_in("identity", settings)
        self.executor = stand_in("executor", settings)
        self.billing = build(settings)

    async def found(self, organization: str, at: datetime | None = None) -> None:
        founded = OrganizationFounded(
            organization_id=organization, name="v1.k.n.c", slug="acme", owner_id="per_1",
            founded_at=at or datetime.now(UTC),
        )  # fmt: skip
        stream = stream_of("organization", organization)
        await append(self.identity, stream, [founded], organization)

    async def start_executions(
        self, organization: str, count: int, workflow: str = "wf_1", mode: Mode = "live"
    ) -> None:
        for _ in range(count):
            execution = ids.new("exe")
            stream = stream_of("execution", organization, execution)
            await append(self.executor, stream, [started(execution, workflow, mode)], organization)

    async def ask(self, message: Any, organization: str = ONE, *permissions: str) -> Any:
        meta = Meta(
            organization=organization, actor="per_1",
            permissions=frozenset(permissions or ("usage:read", "instance")),
        )  # fmt: skip
        return (await self.executor.bus.ask(message, meta)).value

    async def account(self, organization: str = ONE) -> AccountShown:
        return AccountShown.model_validate(await self.ask(FindAccount(), organization))

    async def used(self) -> int:
        return (await self.account()).used.executions

    async def wait_published(self, number: int) -> None:
        async def published() -> int:
            return self.executor.relay.published if self.executor.relay else 0

        await eventually(published, lambda n: n >= number)

    async def restart_billing(self) -> None:
        await self.billing.stop()
        self.billing = build(self.settings)
        await self.billing.start()

    def in_log_of(self, producer: str, statement: str) -> None:
        """As the server's administrator: what no service may do to a log."""
        name = f"{self.settings.database_prefix}{producer}"
        with psycopg.connect(self.admin_url, dbname=name, autocommit=True) as connection:
            connection.execute(statement.encode())

    async def recorded(self, kind: type[Any], organization: str = ONE) -> list[Any]:
        found = await self.billing.store.load(account_stream(organization))
        return [r.event() for r in found if r.type == kind.type]


def started(execution: str, workflow: str, mode: Mode = "live") -> ExecutionStarted:
    return ExecutionStarted(
        execution_id=execution, workflow_id=workflow, workflow_version=1, mode=mode,
        trigger=TriggerFact(kind="webhook", call_id="call_1", path="orders"),
        idempotency_digest="d", body_digest="d", input="v1.k.n.c", input_bytes=10, labels={},
    )  # fmt: skip


async def count_many(billing: Service, count: int, at: datetime | None = None) -> None:
    """Counts as the meter does, as one batch; then lets the watch look at it."""
    now = at or datetime.now(UTC)
    batch = [
        Recorded(
            id=str(ids.uuid7()), source="/services/executor", type=ExecutionStarted.type,
            subject=f"execution-{ONE}-exe_{n}", time=now, organization=ONE, streamversion=1,
            sequence=n, actor="system:executor",
            data=msgspec.Raw(started(f"exe_{n}", "wf_1").model_dump_json().encode()),
        )
        for n in range(count)
    ]  # fmt: skip
    async with billing.database.work() as connection:
        await meter(connection, batch)
    reader = next(r for r in billing.readers if r.name == metering.name)
    reader.n += 1


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    made = World(servers)
    try:
        for service in (made.identity, made.executor, made.billing):
            await service.start()
        yield made
    finally:
        for service in (made.billing, made.executor, made.identity):
            await service.stop()
        await delete_streams(made.settings, "billing", "executor", "identity")
