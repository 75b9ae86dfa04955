"""A test bed for the executor: real workflows service, real NATS and PostgreSQL, local keys."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Literal

from libs.common import ids
from libs.common.bus import Bus
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import KeyRing
from libs.common.service import Service
from libs.common.testing import PASSWORD, local_keys, prepare
from services.billing.app import SCHEMA as BILLING
from services.executor.app import SCHEMA as EXECUTOR
from services.executor.app import Executor, build
from services.executor.settings import ExecutorSettings
from services.executor.work import SUBJECT, Start, StartAnswer, decode_answer, encode
from services.identity.contract import FindPermissions, PermissionsFound
from services.workflows.app import SCHEMA as WORKFLOWS
from services.workflows.app import build as build_workflows
from services.workflows.contract import (
    DraftWorkflow,
    PublishWorkflow,
    SetVariable,
    StoreSecret,
)  # fmt: skip
from tests_support.servers import Servers

EVERYTHING = frozenset(
    {
        "workflows:read", "workflows:edit", "workflows:publish", "secrets:manage",
        "triggers:read", "triggers:resend", "executions:read", "executions:start",
        "executions:control", "payloads:read", "usage:read", "organizations:manage",
    }
)  # fmt: skip


@dataclass
class Bed:
    """One organization's world; `executors` can be stopped and added."""

    servers: Servers
    settings: ExecutorSettings
    workflows: Service
    executors: list[Executor]
    bus: Bus
    keys: KeyRing
    fetch: Any
    org: str
    waiting: dict[str, "asyncio.Future[StartAnswer]"]
    results: set[str]
    may: set[str]  # what identity says, of everybody

    @property
    def meta(self) -> Meta:
        return Meta(organization=self.org, actor="per_1", permissions=EVERYTHING)

    async def add_executor(self) -> Executor:
        made = build(self.settings, self.fetch)
        await made.start()
        self.executors.append(made)
        return made

    async def publish(self, document: str) -> str:
        """Drafts and publishes a YAML document; the workflow's id."""
        drafted = await self.bus.ask(DraftWorkflow(document=document, media="yaml"), self.meta)
        shown = drafted.value
        assert not shown.get("problems"), shown["problems"]
        await self.bus.ask(
            PublishWorkflow(workflow=shown["id"], draft_version=drafted.version or 0), self.meta
        )
        return shown["id"]

    async def set_variable(self, name: str, value: Any) -> None:
        await self.bus.ask(SetVariable(name=name, value=value), self.meta)

    async def store_secret(self, name: str, value: str) -> None:
        await self.bus.ask(StoreSecret(name=name, value=value), self.meta)

    async def send(
        self, path: str, body: Any, *, key: str | None = None,
        respond: Literal["accepted", "result"] = "result",
        wait_s: float = 60, deadline_s: float = 40, digest: str | None = None,
        origin: str | None = None,
    ) -> "asyncio.Future[StartAnswer]":  # fmt: skip
        """Puts a webhook call on the WORK queue, as the gateway does; the answer comes later."""
        secret = await self.keys.key(self.org, "executions")
        call = ids.new("call")
        inbox = f"_INBOX_gateway.starts.{call}"
        future: asyncio.Future[StartAnswer] = asyncio.get_running_loop().create_future()
        self.waiting[inbox] = future
        if respond == "result":
            self.results.add(inbox)
        start = Start(
            kind="webhook", organization=self.org,
            execution=ids.derived("exe", self.org, "hook", path, key or call), call=call,
            payload=secret.seal({"body": body, "headers": {}, "query": {}},
                                stream_of("call", self.org, call)),
            body_digest=digest or secret.digest(encode(body), "body"),
            key_digest=secret.digest(key or call, "key"), reply=inbox,
            deadline_ms=int((time.time() + deadline_s) * 1000), actor="system:hook",
            request_id=ids.new("req"), path=path, respond=respond, wait_s=wait_s,
            bytes=len(encode(body)), origin=origin,
        )  # fmt: skip
        await self.bus.nc.publish(SUBJECT, encode(start), headers={"Nats-Msg-Id": call})
        return future

    async def call(self, path: str, body: Any, **more: Any) -> StartAnswer:
        return await asyncio.wait_for(await self.send(path, body, **more), 60)

    async def close(self) -> None:
        for executor in self.executors:
            await executor.stop()
        await self.workflows.stop()
        js = self.bus.js
        for stream in ("WORK", "EXECUTOR", "WORKFLOWS", "BILLING", "IDENTITY", "SUBSCRIPTIONS"):
            await _forget(js, stream)
        await self.bus.stop()


async def _forget(js: Any, stream: str) -> None:
    from nats.js.errors import NotFoundError

    try:
        await js.delete_stream(stream)
    except NotFoundError:
        return


async def make_bed(servers: Servers, *, allow: str = "", executors: int = 1) -> Bed:
    prefix = servers.prefix()
    prepare(servers.admin_url, [WORKFLOWS, EXECUTOR, BILLING], servers.nats_url, prefix)
    settings = ExecutorSettings(egress_allow=allow)  # pyright: ignore[reportCallIssue] - environment
    fetch = local_keys()
    workflows = build_workflows(settings, fetch)
    await workflows.start()
    bus = Bus(servers.nats_url, "gateway", "gateway", PASSWORD)
    await bus.start()
    waiting: dict[str, asyncio.Future[StartAnswer]] = {}
    results: set[str] = set()

    async def answered(message: Any) -> None:
        future, said = waiting.get(message.subject), decode_answer(message.data)
        if said.status == "started" and message.subject in results:
            return
        if future is not None and not future.done():
            future.set_result(said)

    may = set(EVERYTHING)

    async def identity(message: Any) -> None:
        await message.respond(PermissionsFound(permissions=sorted(may)).model_dump_json().encode())

    await bus.nc.subscribe("_INBOX_gateway.starts.*", cb=answered)
    await bus.nc.subscribe(FindPermissions.type, cb=identity)
    bed = Bed(servers, settings, workflows, [], bus, KeyRing(settings.kek_bytes, fetch), fetch,
              ids.new("org"), waiting, results, may)  # fmt: skip
    for _ in range(executors):
        await bed.add_executor()
    return bed
