"""A world for tests of blocks: one organization, a receiver, workflows written in short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.common.eventstore import stream_of
from libs.common.testing import eventually
from services.executor.app import Executor
from services.executor.contract import FindExecution, FindTimeline
from services.executor.domain import Command
from services.executor.signals import signal
from services.executor.work import StartAnswer
from tests.fakes.receiver import Receiver
from tests_support.engines import Bed, make_bed
from tests_support.servers import Servers

HEAD = """
troth: 1
name: {name}
on:
  - webhook: {{path: {name}, verify: {{scheme: none}}, respond: result}}
"""
BASE = "http://127.0.0.1:PORT"


def step(name: str, path: str, *, undo: str = "", retry: str = "") -> str:
    """A POST to the receiver, in flow style; `undo` is a DELETE with the id of the answer."""
    parts = [f"id: {name}", "uses: http-request@1",
             f'with: {{method: POST, url: "{BASE}{path}"}}']  # fmt: skip
    if undo:
        gone = f"{BASE}{undo}/${{{{ {name}.json.id }}}}"
        parts.append(f'undo: {{uses: http-request@1, with: {{method: DELETE, url: "{gone}"}}}}')
    if retry:
        parts.append(f"retry: {retry}")
    return "{" + ", ".join(parts) + "}"


class World:
    """What a test says about workflows, in a few words."""

    def __init__(self, bed: Bed, receiver: Receiver) -> None:
        self.bed, self.receiver = bed, receiver
        self._count = 0

    @property
    def reply(self) -> Any:
        return self.receiver.reply

    @reply.setter
    def reply(self, reply: Any) -> None:
        self.receiver.reply = reply

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.receiver.seen]

    def key_of(self, path: str, at: int = 0) -> str:
        return [s for s in self.receiver.seen if s.path == path][at].headers["idempotency-key"]

    @property
    def engine(self) -> Any:
        return self.bed.executors[-1].engine

    async def publish(self, name: str, text: str) -> None:
        whole = HEAD.format(name=name) + text.replace("PORT", str(self.receiver.port))
        await self.bed.publish(whole)

    async def send(self, text: str, n: int = 7) -> "asyncio.Future[StartAnswer]":
        self._count += 1
        name = f"w{self._count}"
        await self.publish(name, text)
        return await self.bed.send(name, {"n": n}, wait_s=60)

    async def run(self, text: str, n: int = 7) -> StartAnswer:
        return await asyncio.wait_for(await self.send(text, n), 25)

    async def signal(self, execution: str, command: Command) -> bool:
        return await signal(self.engine, execution, command, self.bed.meta)

    async def shown(self, execution: str) -> dict[str, Any]:
        return (await self.bed.bus.ask(FindExecution(execution_id=execution), self.bed.meta)).value

    async def timeline(self, execution: str) -> list[dict[str, Any]]:
        asked = FindTimeline(execution_id=execution, limit=200)
        return (await self.bed.bus.ask(asked, self.bed.meta)).value["data"]

    async def events(self, execution: str) -> list[Any]:
        stream = stream_of("execution", self.bed.org, execution)
        return [e.event() for e in await self.engine.store.load(stream)]

    async def sealed(self, execution: str, value: Any) -> str:
        key = await self.bed.keys.key(self.bed.org, "executions")
        return key.seal(value, stream_of("execution", self.bed.org, execution))

    async def waiting(self) -> str:
        """The execution that is parked; there is one."""
        found = await eventually(self._parked, lambda rows: len(rows) >= 1)
        return found[0]

    async def _parked(self) -> list[str]:
        async with self.engine.service.database.hot.connection() as connection:
            cursor = await connection.execute(
                "select execution from timers where leased_until < now() and due_at > now()"
                " order by since"
            )
            return [row[0] for row in await cursor.fetchall()]

    async def seen(self, path: str) -> str:
        """The execution whose request came to `path`."""

        async def keys() -> list[str]:
            found = [s for s in self.receiver.seen if s.path == path]
            return [s.headers["idempotency-key"].partition(":")[0] for s in found]

        return (await eventually(keys, bool))[0]

    async def approval(self, execution: str) -> str:
        asked = [e for e in await self.events(execution) if hasattr(e, "quorum")]
        return asked[0].approval_id

    async def child_of(self, execution: str) -> str:
        async def found() -> list[str]:
            events = await self.events(execution)
            return [e.execution_id for e in events if getattr(e, "kind", "") == "workflow"]

        return (await eventually(found, bool))[0]

    async def kill_and_replace(self) -> Executor:
        """The executor stops without a word, its leases run out, another one takes over."""
        dead = self.bed.executors.pop(0)
        for run in list(dead.engine.runs.values()):
            run.abandon()
        dead.engine.runs.clear()
        dead.engine.draining = True
        await dead.stop()
        return await self.bed.add_executor()


async def in_state(world: World, execution: str, status: str) -> None:
    await eventually(lambda: world.shown(execution), lambda shown: shown["status"] == status)


@asynccontextmanager
async def one_world(servers: Servers, executors: int = 1) -> AsyncIterator[World]:
    async with Receiver() as receiver:
        allow = f"127.0.0.1:{receiver.port}"
        bed = await make_bed(servers, allow=allow, executors=executors)
        try:
            yield World(bed, receiver)
        finally:
            await bed.close()
