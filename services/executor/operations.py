"""Long work on many executions or calls: kinds, how one is begun, and the task that carries on.

A kind is a name, a permission, and what to do with one item. Pieces are done in order, a few at
once, and each is recorded when it is done; after a crash the last few are done again, so what a
kind does must be safe to repeat (`Piece.meta` has a command id of its own for that).
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from faststream.nats.response import NatsResponse
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import clock, ids
from libs.common.database import LOST
from libs.common.errors import DomainError, InvalidInput, Unavailable
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.privacy import Forgotten
from services.executor.contract import (
    OperationEnded,
    OperationProblem,
    OperationRequested,
    OperationResult,
    OperationShown,
)  # fmt: skip
from services.executor.noted import NOTED
from services.executor.operation_tables import operations, pieces
from services.identity.contract import FindPermissions, PermissionsFound

if TYPE_CHECKING:
    from services.executor.engine import Engine

log = logging.getLogger(__name__)
ITEMS_MAX = 100_000
BATCH = 50
AT_ONCE = 10
POLL_S, PACE_S = 2.0, 0.5  # every commit wakes it
KEEP_DAYS = 7
PURPOSE = "executions"

FIRST = text("""not exists (select 1 from operations o where o.org = operations.org
  and o.ended_at is null and (o.created_at, o.id) < (operations.created_at, operations.id))""")
DONE = text("""
update operation_pieces p set outcome = r.outcome, code = r.code, made = r.made, value = r.value
from json_to_recordset(cast(:rows as json)) as r(n bigint, outcome text, code text, made text,
  value text) where p.operation = :operation and p.n = r.n and p.outcome is null
""")


@dataclass(frozen=True, slots=True)
class Piece:
    """One item of an operation: `ask` are the fields of the command, `meta` speaks for who asked
    (`command_id` is this piece's own, so that a repetition can be known)."""

    kind: str
    item: str
    ask: dict[str, Any]
    meta: Meta


@dataclass(frozen=True, slots=True)
class Made:
    """What a piece gave: a new execution, or a value (kept sealed, shown in the result)."""

    execution: str | None = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be done to many: `each` raises a DomainError where it is refused."""

    name: str
    permission: str
    each: Callable[[Piece], Awaitable[Made | None]]
    keep_days: int = KEEP_DAYS


class Operations:
    """One per process; `run` is what the leading process does."""

    def __init__(self, engine: "Engine") -> None:
        self.engine, self.service = engine, engine.service
        self.kinds: dict[str, Kind] = {}
        self._woken = self.service.lease.woken("operations")

    def register(self, kind: Kind) -> None:
        self.kinds[kind.name] = kind

    # -- asking for one -----------------------------------------------------------------------

    async def begin(
        self, kind: str, ask: dict[str, Any], items: Sequence[str], meta: Meta
    ) -> NatsResponse:
        """Promises it; answers OperationShown. The same command promises it once.

        `ask` are the command's fields as JSON has them; `items` are done in this order.
        """
        if len(items) > ITEMS_MAX:
            raise InvalidInput(f"the filter has more than {ITEMS_MAX} hits; make it narrower")
        org = meta.organization
        made = ids.derived("op", org, meta.command_id) if meta.command_id else ids.new("op")
        stream = stream_of("operation", org, made)
        key = await self.service.keys.key(org, PURPOSE)
        row = {
            "id": made, "org": org, "kind": kind, "actor": meta.actor, "total": len(items),
            "request_id": meta.request_id, "origin": meta.origin, "ask": key.seal(ask, stream),
        }  # fmt: skip

        async def beside(db: AsyncConnection) -> None:
            await db.execute(insert(operations).values(row).on_conflict_do_nothing())
            await db.execute(
                text("insert into operation_pieces (operation, n, org, item)"
                     " select :id, n, :org, item from unnest(cast(:items as text[]))"
                     " with ordinality as i(item, n) on conflict do nothing"),
                {"id": made, "org": org, "items": list(items)},
            )  # fmt: skip

        shown = OperationShown(
            id=made, kind=kind, status="queued", done=0, total=len(items), result=None,
            problem=None, created_at=clock.now(), ended_at=None,
        )  # fmt: skip
        fact = OperationRequested(operation_id=made, kind=kind, total=len(items))
        return await self.service.decide(
            NOTED, stream, [fact], meta, answer=lambda state, version: shown, beside=beside
        )

    async def stop(self, operation: str) -> None:
        """No further piece is begun."""
        async with self.service.database.work() as db:
            await db.execute(
                update(operations).where(operations.c.id == operation).values(stopping=True)
            )
        self._woken.set()

    # -- carrying on --------------------------------------------------------------------------

    async def run(self) -> None:
        """Carries on what is open, organizations in turn, for ever."""
        while True:
            self._woken.clear()
            try:
                if await self._round():
                    continue
                await asyncio.sleep(PACE_S)
            except (Unavailable, *LOST) as error:
                log.warning("operations wait", extra={"cause": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()

    async def _round(self) -> bool:
        """A batch of the oldest of each organization; False when nothing is open."""
        t = operations.c
        oldest = select(operations).where(t.ended_at.is_(None), FIRST).order_by(t.org)
        async with self.service.database.work() as db:
            found = (await db.execute(oldest)).all()
        for row in found:
            await self._carry_on(row)
        return bool(found)

    async def _carry_on(self, row: Any) -> None:
        kind = self.kinds.get(row.kind)
        if row.stopping or kind is None:
            await self._end(row, "cancelled" if row.stopping else "failed")
            return
        if not await self._may(row, kind):
            await self._end(row, "failed", "permission-missing")
            return
        mine = (pieces.c.operation == row.id) & pieces.c.outcome.is_(None)
        async with self.service.database.work() as db:
            batch = (await db.execute(
                select(pieces.c.n, pieces.c.item).where(mine).order_by(pieces.c.n).limit(BATCH)
            )).all()  # fmt: skip
        if not batch:
            await self._end(row, "succeeded")
            return
        stream, free = stream_of("operation", row.org, row.id), asyncio.Semaphore(AT_ONCE)
        try:
            key = await self.service.keys.key(row.org, PURPOSE)
            ask = key.open(row.ask, stream)
        except Forgotten:  # of one organization: the others' operations go on
            await self._end(row, "failed")
            return

        async def one(n: int, item: str) -> dict[str, Any]:
            async with free:
                said = await _outcome(kind, _piece(row, kind, n, item, ask))
            value = said.pop("value", None)
            sealed = key.seal(value, stream) if value is not None else None
            return {"n": n, "value": sealed} | said

        await self._record(row, await asyncio.gather(*(one(n, item) for n, item in batch)))

    async def _may(self, row: Any, kind: Kind) -> bool:
        """Whether who asked still may, for each batch: people leave, lose roles and keys."""
        asked = FindPermissions(actor=row.actor)
        answer = await self.service.bus.ask(asked, Meta.system("executor", row.org))
        return kind.permission in answer.as_a(PermissionsFound).permissions

    async def _record(self, row: Any, outcomes: list[dict[str, Any]]) -> None:
        t = operations.c
        codes = Counter(one["code"] for one in outcomes if one["outcome"] == "refused")
        refusals = dict(Counter(row.refusals) + codes)
        async with self.service.database.work() as db:
            await db.execute(
                DONE, {"operation": row.id, "rows": msgspec.json.encode(outcomes).decode()}
            )
            await db.execute(
                update(operations).where(t.id == row.id, t.done == row.done).values(
                    status="running", done=row.done + len(outcomes),
                    refused=row.refused + codes.total(), refusals=refusals,
                )
            )  # fmt: skip

    async def _end(self, row: Any, status: Any, why: str = "internal") -> None:
        t = operations.c
        problem = why if status == "failed" else None
        fact = OperationEnded(
            operation_id=row.id, kind=row.kind, status=status, done=row.done, refused=row.refused
        )

        async def beside(db: AsyncConnection) -> None:
            await db.execute(
                update(operations).where(t.id == row.id)
                .values(status=status, problem=problem, ended_at=func.wall_clock())
            )  # fmt: skip

        meta = Meta.system("executor", row.org, request_id=row.request_id, origin=row.origin)
        await self.service.store.execute(
            NOTED, stream_of("operation", row.org, row.id), [fact], meta, beside=beside
        )


def _piece(row: Any, kind: Kind, n: int, item: str, ask: dict[str, Any]) -> Piece:
    meta = Meta(
        organization=row.org, actor=row.actor, request_id=row.request_id, origin=row.origin,
        permissions=frozenset({kind.permission}),
        command_id=str(ids.derived_uuid("piece", row.id, str(n))), command_digest=row.id,
    )  # fmt: skip
    return Piece(row.kind, item, ask, meta)


async def _outcome(kind: Kind, piece: Piece) -> dict[str, Any]:
    """Done or refused; Unavailable is raised, for then the piece has to be tried again."""
    try:
        made = await kind.each(piece) or Made()
    except (Unavailable, *LOST):
        raise
    except DomainError as error:
        return {"outcome": "refused", "code": error.code, "made": None}
    except Exception as error:
        log.exception("a piece failed", extra={"kind": piece.kind, "cause": type(error).__name__})
        return {"outcome": "refused", "code": "internal", "made": None}
    return {"outcome": "done", "code": None, "made": made.execution, "value": made.value}


def shown(row: Any) -> OperationShown:
    result = None
    if row.ended_at is not None:
        result = OperationResult(
            done=row.done - row.refused, refused=row.refused, refusals=row.refusals
        )
    return OperationShown(
        id=row.id, kind=row.kind, status=row.status, done=row.done, total=row.total,
        result=result, problem=OperationProblem(code=row.problem) if row.problem else None,
        created_at=row.created_at, ended_at=row.ended_at,
    )  # fmt: skip
