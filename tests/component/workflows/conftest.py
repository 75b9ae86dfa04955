"""A running service of workflows on a test's own database, and people who ask it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import nats
import psycopg
import pytest
from nats.js.errors import NotFoundError
from tests_support.servers import Servers

from libs.common import ids
from libs.common.bus import Answered
from libs.common.messages import Ask, Meta
from libs.common.service import Service
from libs.common.testing import PASSWORD, local_keys, prepare
from services.workflows.app import SCHEMA, build
from services.workflows.contract import DraftWorkflow, PublishWorkflow, SaveDraft, StoreSecret

ALL = frozenset(
    (
        "workflows:read",
        "workflows:edit",
        "workflows:publish",
        "workflows:review",
        "secrets:manage",
        "triggers:read",
        "organizations:manage",
    )
)
ORG = "org_one"


@dataclass
class Workflows:
    """Asks as a member of an organization; `sql` looks into the database from outside."""

    service: Service
    admin_url: str

    async def ask(self, message: Ask, org: str = ORG, **meta: Any) -> Answered:
        made = {"organization": org, "actor": "per_1", "permissions": ALL} | meta
        return await self.service.bus.ask(message, Meta.model_validate(made))

    async def draft(self, document: str, org: str = ORG) -> Answered:
        return await self.ask(DraftWorkflow(document=document, media="yaml"), org)

    async def save(self, document: str, version: int | None, name: str = "hello") -> Answered:
        message = SaveDraft(workflow=name, document=document, media="yaml")
        return await self.ask(message, expected_version=version)

    async def publish(self, name: str, version: int, org: str = ORG) -> Answered:
        return await self.ask(PublishWorkflow(workflow=name, draft_version=version), org)

    async def store(self, name: str, value: str, org: str = ORG) -> Answered:
        return await self.ask(StoreSecret.model_validate({"name": name, "value": value}), org)

    async def missed(self, name: str, minutes: int) -> None:
        """As if nobody had looked at a workflow's schedule for so long."""
        workflow_id = ids.derived("wf", ORG, name)
        self.sql(
            f"update schedules set next_at = date_trunc('minute', now())"
            f" - interval '{minutes} minutes' where workflow_id = '{workflow_id}' returning 1"
        )
        self.service.store.appended()

    async def seen(self) -> None:
        """Waits until the views show what was committed."""
        ((head,),) = self.sql("select n from heads")
        assert await self.service.readers[0].reached(head, 15)

    def sql(self, statement: str) -> Sequence[tuple[Any, ...]]:
        name = self.service.database.name
        with psycopg.connect(self.admin_url, dbname=name, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture
async def workflows(servers: Servers) -> AsyncIterator[Workflows]:
    settings = prepare(servers.admin_url, [SCHEMA], servers.nats_url, servers.prefix())
    service = build(settings, local_keys())
    await service.start()
    try:
        yield Workflows(service, servers.admin_url)
    finally:
        await service.stop()
        await forget_stream(servers.nats_url)


async def forget_stream(nats_url: str) -> None:
    """The next test's log begins at 1, and so does its stream."""
    connection = await nats.connect(nats_url, user="workflows", password=PASSWORD)
    with contextlib.suppress(NotFoundError):
        await connection.jetstream().delete_stream("WORKFLOWS")
    await connection.close()
