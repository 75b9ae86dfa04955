"""Group commit: all executions of a process share one statement; who loses decides again."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg

from libs.common.database import LOST, Database
from libs.common.eventstore import Made, Row, encode, rows, stream_of
from libs.common.messages import Meta
from services.executor.contract import CancelRequested

log = logging.getLogger(__name__)
BATCH_MAX = 200
LEASE_S = 6.0


@dataclass(slots=True)
class Decision:
    """Events of one execution with its timer: `op` is keep, end, wake, cancel, due or none.

    `due_s` from now by the database's clock; `lease_s` 0 gives the lease back; `reply` is an
    inbox that waits for the end; `admission` is given for a start; `closes` ends the gathering
    of inputs; `version` is what is known of the stream where there are no events;
    `parent` waits for the end; `files` are those that the events name; `cancels` are executions
    that are asked to end by this commit.
    """

    stream: str
    execution: str
    org: str
    rows: list[Row]
    op: str = "none"
    due_s: float = 0.0
    lease_s: float = 0.0
    reply: str | None = None
    wait_s: float = 0.0
    admission: "Admission | None" = None
    closes: bool = False
    version: int = 0
    parent: str | None = None
    made: Made | None = None
    files: frozenset[str] = frozenset()
    cancels: list[str] = field(default_factory=list)


class Admission(msgspec.Struct, frozen=True):
    """What a start needs a place for; keys are keyed digests. `month` None: it is not counted."""

    month: str | None = None
    allowed: int = 0
    priority: int = 0
    ckey: str | None = None
    climit: int | None = None
    cthen: str | None = None
    rkey: str | None = None
    rlimit: int | None = None
    rper_s: float | None = None
    rthen: str | None = None
    dkey: str | None = None
    dwindow_s: float | None = None

    @property
    def keyed(self) -> bool:
        return (self.ckey or self.rkey or self.dkey) is not None


@dataclass(slots=True)
class Committed:
    """What became of a decision: won, lost, quota, busy, rate, or collected (`by` whom);
    `replies` are inboxes to answer at the end."""

    status: str = "lost"
    n: int = 0
    queued: bool = False
    by: str | None = None
    replies: list[str] = field(default_factory=list)


class Side(msgspec.Struct):
    stream: str
    execution: str
    org: str
    op: str
    due_s: float
    lease_s: float
    owner: str
    reply: str | None
    wait_s: float
    bare: bool
    closes: bool
    version: int
    parent: str | None
    cancels: list["Asked"] | None = None


class Asked(msgspec.Struct):
    """An execution that is asked to end, and the event that says so."""

    execution: str
    event: Row


Waiting = tuple[Decision, "asyncio.Future[Committed]"]


class Committer:
    """One per process; `commit` returns when the decision is durable, or lost."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database, self._owner = database, owner
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self.committed = lambda: None
        self.admitted = lambda: None
        self.cancelled: Callable[[str], None] = lambda execution: None
        self.moved: Callable[[list[str]], None] = lambda executions: None
        self.refer: Callable[..., Awaitable[None]] | None = None

    async def commit(self, decision: Decision) -> Committed:
        if decision.files and self.refer is not None:  # before what refers to them is there
            await self.refer(decision.org, decision.execution, decision.files)
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._waiting.append((decision, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Commits for ever; a lost server is waited for, the same events are sent again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._next():
                await self._settle(batch)

    def _next(self) -> list[Waiting]:
        """Up to a batch, one decision of an execution at a time."""
        taken: list[Waiting] = []
        left: list[Waiting] = []
        streams: set[str] = set()
        for item in self._waiting:
            if len(taken) < BATCH_MAX and item[0].stream not in streams:
                streams.add(item[0].stream)
                taken.append(item)
            else:
                left.append(item)
        self._waiting = left
        return taken

    async def _settle(self, batch: list[Waiting]) -> None:
        repeated, pause = False, 0.05
        while True:
            try:
                results = await self._send([decision for decision, _ in batch], repeated)
                break
            except LOST as error:
                log.warning("commit repeated", extra={"cause": type(error).__name__})
                repeated = True
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 2)
            except psycopg.Error as error:
                if len(batch) == 1:
                    log.error("commit refused", extra={"sqlstate": error.sqlstate})
                    _fail(batch[0][1], error)
                    return
                for one in batch:
                    await self._settle([one])
                return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
        self.committed()
        self.moved([decision.execution for decision, _ in batch if decision.rows])

    async def _send(self, decisions: list[Decision], repeated: bool) -> list[Committed]:
        values = _parameters(decisions, self._owner)
        out = {decision.stream: Committed() for decision in decisions}
        async with self._database.hot.connection() as connection:
            cursor = await connection.execute(
                b"select kind, stream, n, extra from append_executions(%s::json, %s::json,"
                b" %s::json, %s::json)", values,
            )  # fmt: skip
            for kind, stream, n, extra in await cursor.fetchall():
                one = out[stream]
                if kind == "reply":
                    one.replies.append(extra)
                elif kind == "queued":
                    one.queued = True
                elif kind == "admitted":
                    self.admitted()
                elif kind == "cancelled":
                    self.cancelled(extra)
                else:
                    one.status, one.n, one.by = kind, n, extra
            if repeated:
                await _own_ones(connection, decisions, out)
        return [out[decision.stream] for decision in decisions]


async def _own_ones(connection: Any, decisions: list[Decision], out: dict[str, Committed]) -> None:
    """After a lost answer: one's own event id at that version means that it was committed."""
    for decision in decisions:
        if out[decision.stream].status != "lost" or not decision.rows:
            continue
        cursor = await connection.execute(
            "select n from log where stream = %s and version = %s and id = %s",
            (decision.stream, decision.rows[-1].version, decision.rows[-1].id),
        )
        if (row := await cursor.fetchone()) is not None:
            out[decision.stream] = Committed("won", row[0])


def _parameters(decisions: list[Decision], owner: str) -> tuple[str, str, str, str]:
    sides = [
        Side(
            d.stream,
            d.execution,
            d.org,
            d.op,
            d.due_s,
            d.lease_s,
            owner,
            d.reply,
            d.wait_s,
            bare=not d.rows,
            closes=d.closes,
            version=d.version,
            parent=d.parent,
            cancels=[Asked(one, _cancel(d, one)) for one in d.cancels] or None,
        )
        for d in decisions
    ]
    starts = [
        {"stream": d.stream, "execution": d.execution, "org": d.org}
        | msgspec.structs.asdict(d.admission)
        | ({"evict": _cancel(d, "")} if d.admission.cthen == "cancel-running" else {})
        for d in decisions
        if d.admission is not None
    ]
    made = [d.made for d in decisions if d.made is not None]
    events = [row for d in decisions for row in d.rows]
    return (
        encode(events).decode(), encode(sides).decode(), encode(starts).decode(),
        encode(made).decode(),
    )  # fmt: skip


def _cancel(decision: Decision, execution: str) -> Row:
    """The event that asks an execution to end, because of the last event of a decision."""
    stream = stream_of("execution", decision.org, execution) if execution else ""
    because = decision.rows[-1]
    meta = Meta.system("executor", decision.org, request_id=because.request_id or "",
                       causation_id=because.id, origin=because.origin,
                       traceparent=because.traceparent)  # fmt: skip
    return rows(stream, 0, [CancelRequested(rollback=False, reason=None)], meta)[0]


def _fail(future: "asyncio.Future[Committed]", error: Exception) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        future.set_exception(error)
