"""A running identity on its own databases, asked over the real bus as the gateway would."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from libs.common.bus import Answered
from libs.common.grants import key_subject
from libs.common.keys import FindKey, FindKeyById
from libs.common.messages import Ask, Meta
from libs.common.testing import prepare
from services.identity.app import SCHEMA, parts_of
from services.identity.contract import (
    CallerShown,
    FindCaller,
    FoundOrganization,
    OpenSession,
    RegisterPerson,
)
from services.identity.parts import Parts
from services.identity.settings import IdentitySettings
from services.identity.tokens import digest_of
from tests_support.servers import Servers

PASSWORD = "correct horse battery"
ONE_TIME = "one-time-token-of-this-test"


@dataclass
class Identity:
    parts: Parts
    admin_url: str
    folder: Path
    addresses: dict[str, str] = field(default_factory=dict)

    async def ask(self, message: Ask, actor: str = "system:gateway", **meta: Any) -> Answered:
        made, subject = Meta.model_validate({"actor": actor} | meta), message.type
        if isinstance(message, FindKey | FindKeyById):
            subject = key_subject(subject, message.purpose, actor.removeprefix("system:"))
        return await self.parts.service.bus.ask(message, made, subject=subject)

    async def once(self, message: Ask, key: str, actor: str = "system:gateway",
                   **meta: Any) -> Answered:  # fmt: skip
        """With an Idempotency-Key, as the gateway would make it a command id."""
        command_id = str(uuid.uuid5(uuid.NAMESPACE_URL, key))
        return await self.ask(message, actor, command_id=command_id, command_digest="d", **meta)

    async def sign_up(self, name: str, password: str = PASSWORD) -> str:
        command = RegisterPerson(
            name=f"Name of {name}", email=f"{name}@example.org", password=password,
            old_enough=True, policies={"privacy": "2026-12"},
        )  # fmt: skip
        person = (await self.ask(command)).value["id"]
        self.addresses[person] = command.email
        return person

    async def sign_in(self, person: str, password: str = PASSWORD) -> str:
        command = OpenSession(email=self.addresses[person], password=password)
        return (await self.ask(command)).value["token"]

    async def found(self, person: str, slug: str | None = None) -> str:
        answer = await self.ask(FoundOrganization(name="Acme & Sons", slug=slug), person)
        return answer.value["id"]

    async def caller(self, token: str, organization: str | None = None) -> CallerShown:
        query = FindCaller(credential_digest=digest_of(token), organization=organization)
        return (await self.ask(query)).as_a(CallerShown)

    async def as_(self, message: Ask, token: str, organization: str | None = None,
                  **meta: Any) -> Answered:  # fmt: skip
        """As the gateway asks for the holder of a token."""
        who = await self.caller(token, organization)
        return await self.ask(
            message, who.actor, permissions=who.permissions,
            organization=who.organization.id if who.organization else "instance", **meta,
        )  # fmt: skip

    async def restart(self, meanwhile: Callable[[], object]) -> None:
        """Ends the process's service and starts it anew; `meanwhile` nothing runs."""
        before = self.parts
        await before.service.stop()
        meanwhile()
        self.parts = parts_of(before.service.settings, before.settings)
        await self.parts.service.start()

    def sql(self, statement: str) -> Sequence[tuple[Any, ...]]:
        name = self.parts.service.database.name
        with psycopg.connect(self.admin_url, dbname=name, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def types(self) -> list[str]:
        rows = self.sql("select type from log order by n")
        return [row[0].removeprefix("identity.event.") for row in rows]


@contextlib.asynccontextmanager
async def running(servers: Servers, folder: Path, **own: Any) -> AsyncIterator[Identity]:
    settings = prepare(servers.admin_url, [SCHEMA], servers.nats_url, servers.prefix())
    mine = IdentitySettings.model_validate(
        settings.model_dump()
        | {"pepper": settings.index_key, "data_dir": str(folder), "bcrypt_rounds": 4}
        | {"operator_token": SecretStr(ONE_TIME)} | own
    )  # fmt: skip
    parts = parts_of(settings, mine)
    await parts.service.start()
    made = Identity(parts, servers.admin_url, folder)
    try:
        yield made
    finally:
        with contextlib.suppress(NotFoundError):
            await made.parts.service.bus.js.delete_stream("IDENTITY")
        await made.parts.service.stop()
        await asyncio.sleep(0)
