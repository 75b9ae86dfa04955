"""Exports of a trail: measured once in the background, then made again whenever a part is read.

Nothing of what is exported is stored, only where each part begins and its hash: so an export
forgets with the trail, and a part that is not what was measured any more is refused.
"""

import asyncio
import hashlib
import logging
from typing import Any

from faststream.nats.response import NatsResponse
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.bus import reply
from libs.common.database import LOST
from libs.common.decider import Decider
from libs.common.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    TooMany,
    Unavailable,
)
from libs.common.eventstore import stream_of
from libs.common.messages import Event, Meta
from libs.common.service import Service
from libs.common.sweeping import sql_sweep
from services.audit import proving, stored
from services.audit.announcing import Clock
from services.audit.contract.proof import (
    EXPORT_PREFIX,
    ExportChanged,
    ExportPart,
    ExportRequested,
    ExportTrail,
    NotSigned,
)
from services.audit.daykeys import DayKeys
from services.audit.export_range import range_of
from services.audit.export_text import PART_ENTRIES, ExportText
from services.audit.people import People
from services.audit.proof_tables import export_parts, exports
from services.audit.signing import CheckpointSigner
from services.audit.witnessing import Witnesses
from services.executor.contract import OperationProblem, OperationResult, OperationShown

log = logging.getLogger(__name__)
KIND = "export-trail"
POLL_S = 2.0
PARTS_A_TURN = 20
OPEN_MAX = 20
# Records the fact and the answer of a command that was carried out.
NOTED: Decider[list[Event], None] = Decider(None, lambda facts, _: facts, lambda state, _: state)
PART = """
select start, first, count as entries, hash from export_parts where export = %s and start <= %s
order by start desc limit 1
"""
KEEP_DAYS = 1
SWEEPS = (
    sql_sweep(
        "exports",
        "delete from export_parts where (export, start) in (select p.export, p.start"
        " from export_parts p join exports e on e.id = p.export"
        " where e.ended_at < :before limit :bite)",
        "select min(e.ended_at) from exports e join export_parts p on p.export = e.id",
        KEEP_DAYS,
    ),
    sql_sweep(
        "exports",
        "delete from exports where id in (select e.id from exports e where e.ended_at < :before"
        " and not exists (select 1 from export_parts p where p.export = e.id) limit :bite)",
        "select min(ended_at) from exports",
        KEEP_DAYS,
    ),
)


class Exports:
    """One per process; `run` is what the leading process does."""

    def __init__(
        self, service: Service, keys: DayKeys, people: People, signer: CheckpointSigner,
        witnesses: Witnesses, clock: Clock,
    ) -> None:  # fmt: skip
        self._service, self._signer, self._clock = service, signer, clock
        self._witnesses = witnesses
        self._text = ExportText(service, keys, people, signer)
        self._woken = service.lease.woken("exports")

    # -- asking ---------------------------------------------------------------------------------

    async def begin(self, command: ExportTrail, meta: Meta) -> NatsResponse:
        """Promises it; the same command promises it once."""
        if (before := await self._service.answered_before(meta)) is not None:
            return before
        if command.from_at >= command.to_at:
            raise InvalidInput("`from` is before `to`")
        trail = await proving.own_trail(self._service, meta.organization)
        if trail is None:
            raise NotSigned("nothing was entered for this organization yet")
        org, now = meta.organization, self._clock()
        made = ids.derived("op", org, meta.command_id) if meta.command_id else ids.new("op")
        made = EXPORT_PREFIX + made.removeprefix("op_")
        row = {
            "id": made, "org": org, "trail": trail, "actor": meta.actor, "created_at": now,
            "request_id": meta.request_id, "format": command.format, "from_at": command.from_at,
            "to_at": command.to_at,
        }  # fmt: skip

        async def beside(db: AsyncConnection) -> None:
            mine = select(exports.c.id).where(exports.c.org == org, exports.c.ended_at.is_(None))
            if len((await db.execute(mine)).all()) >= OPEN_MAX:
                raise TooMany(f"{OPEN_MAX} exports are being made", retry_after_s=10)
            await db.execute(insert(exports).values(row))

        fact = ExportRequested(
            operation_id=made, format=command.format, from_at=command.from_at, to_at=command.to_at
        )
        first = OperationShown(
            id=made, kind=KIND, status="queued", done=0, total=0, result=None, problem=None,
            created_at=now, ended_at=None,
        )  # fmt: skip
        answered = await self._service.decide(
            NOTED, stream_of("export", org, made), [fact], meta, beside=beside,
            answer=lambda state, version: first,
        )  # fmt: skip
        self._woken.set()
        return answered

    async def find(self, operation: str, meta: Meta) -> NatsResponse:
        return reply(_shown(await self._row(operation, meta)))

    async def read(self, operation: str, at: int, meta: Meta) -> NatsResponse:
        """The part in which byte `at` is; ExportChanged when it is another now."""
        row = await self._row(operation, meta)
        if row.status != "succeeded":
            raise Conflict("the export is still being made")
        async with self._service.database.work() as db:
            part = (await db.exec_driver_sql(PART, (operation, at))).first()
        if part is None or at > row.bytes:
            raise NotFound
        made = await self._text.part(row, part.first, part.entries)
        if hashlib.sha256(made).hexdigest() != part.hash:
            raise ExportChanged("something of it was forgotten meanwhile: export it again")
        tag = hashlib.sha256(f"{row.id} {row.bytes} {row.signed_size}".encode()).hexdigest()[:32]
        return reply(ExportPart(text=made.decode(), start=part.start, total=row.bytes, tag=tag))

    async def _row(self, operation: str, meta: Meta) -> Any:
        """The caller's own."""
        async with self._service.database.read(meta.organization) as db:
            mine = select(exports).where(exports.c.id == operation, exports.c.actor == meta.actor)
            row = (await db.execute(mine)).first()
        if row is None:
            raise NotFound
        return row

    # -- making ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carries on what is open, in turns, for ever."""
        while True:
            self._woken.clear()
            try:
                if await self.turn():
                    continue
            except (Unavailable, *LOST) as error:
                log.warning("exports wait", extra={"cause": type(error).__name__})
            try:
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def turn(self) -> bool:
        """A stretch of each that is open; False when none went on."""
        async with self._service.database.work() as db:
            still = select(exports).where(exports.c.ended_at.is_(None))
            found = (await db.execute(still.order_by(exports.c.created_at))).all()
        moved = False
        for row in found:
            try:
                moved |= await self._carry_on(row)
            except (stored.Missing, DomainError) as error:
                if isinstance(error, Unavailable):
                    raise
                log.error("an export failed", extra={"export": row.id, "cause": str(error)})
                await self._end(row, "failed", getattr(error, "code", "trail-incomplete"))
        return moved

    async def _carry_on(self, row: Any) -> bool:
        if row.first is None:
            return await self._settle(row)
        left = row.count - row.done
        if not left and row.bytes:
            await self._end(row, "succeeded", None)
            return True
        done, size = row.done, row.bytes
        for _ in range(PARTS_A_TURN):
            count = min(PART_ENTRIES, row.count - done)
            made = await self._text.part(row, row.first + done, count)
            part = {
                "export": row.id, "start": size, "org": row.org, "first": row.first + done,
                "count": count, "bytes": len(made), "hash": hashlib.sha256(made).hexdigest(),
            }  # fmt: skip
            done, size = done + count, size + len(made)
            async with self._service.database.work() as db:
                await db.execute(insert(export_parts).values(part))
                await db.execute(
                    update(exports).where(exports.c.id == row.id)
                    .values(done=done, bytes=size, status="running")
                )  # fmt: skip
            if done == row.count:
                await self._end(row, "succeeded", None)
                break
        return True

    async def _settle(self, row: Any) -> bool:
        """Which entries, and the checkpoint that signs for them; False while there is none."""
        first, count = await range_of(self._text, row)
        await self._signer.now(row.trail, self._clock())
        if stored.trail_name(row.trail) in self._signer.refusals:
            raise NotSigned("nothing is signed for this trail any more")
        await self._witnesses.now(row.trail)
        async with self._service.database.work() as db:
            try:
                size = (await proving.last_signed(db, row.trail)).size
            except NotFound:
                return False
            if size < first + count:
                return False
            lines = await proving.cosigned(db, row.trail, size)
            await db.execute(
                update(exports).where(exports.c.id == row.id)
                .values(
                    first=first, count=count, signed_size=size, cosigned=lines[size],
                    status="running",
                )
            )  # fmt: skip
        return True

    async def _end(self, row: Any, status: str, problem: str | None) -> None:
        async with self._service.database.work() as db:
            await db.execute(
                update(exports).where(exports.c.id == row.id)
                .values(status=status, problem=problem, ended_at=text("wall_clock()"))
            )  # fmt: skip


def _shown(row: Any) -> OperationShown:
    ended = row.status == "succeeded"
    return OperationShown(
        id=row.id, kind=KIND, status=row.status, done=row.done, total=row.count or 0,
        result=OperationResult(done=row.done, refused=0, refusals={}) if ended else None,
        problem=OperationProblem(code=row.problem) if row.problem else None,
        created_at=row.created_at, ended_at=row.ended_at,
    )  # fmt: skip
