"""Legal holds: an operator names entries that a case needs; they stay readable through it only.

The organization sees that a hold exists, why and for which time. Which entries it names, and what
they hold, only the operator sees.
"""

from typing import Any

from faststream.nats.response import NatsResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.errors import InvalidInput, NotFound
from libs.common.eventstore import stream_of
from libs.common.looks import Looks
from libs.common.messages import Meta
from libs.common.pages import Page, page_of, seek
from libs.common.service import Service
from libs.trail.notes import b64
from services.audit import stored
from services.audit.announcing import Clock
from services.audit.contract.holds import (
    FindAllHolds,
    FindHeldEntries,
    FindHolds,
    HeldEntry,
    HoldPlaced,
    HoldShown,
    LiftHold,
    PlaceHold,
)
from services.audit.contract.looking import TrailRead
from services.audit.forget_tables import hold_entries, holds
from services.audit.hold_copying import FILTER, KIND, Keeper, count, filter_of
from services.audit.hold_log import Hold, deciding
from services.audit.looking import KIND as READ
from services.audit.proving import own_trail
from services.audit.searching import shown


class Holds:
    """What others ask of them."""

    def __init__(self, service: Service, keeper: Keeper, looks: Looks, clock: Clock) -> None:
        self._service, self._keeper, self._looks, self._clock = service, keeper, looks, clock

    async def place(self, command: PlaceHold, meta: Meta) -> NatsResponse:
        """The same command places it once. NotFound for an organization without a trail."""
        org, now = command.organization_id, self._clock()
        own = meta.model_copy(update={"organization": org})
        if (before := await self._service.answered_before(own)) is not None:
            return before
        if command.from_at >= command.to_at:
            raise InvalidInput("`from` is before `to`")
        if command.expires_at <= now:
            raise InvalidInput("`expires_at` is later than now")
        if await own_trail(self._service, org) is None:
            raise NotFound
        hold = ids.derived("hold", org, own.command_id) if own.command_id else ids.new("hold")
        stream, key = stream_of(KIND, org, hold), self._service.keys.installation_key(FILTER)
        fact = HoldPlaced(
            hold_id=hold, from_at=command.from_at, to_at=command.to_at, placed_at=now,
            expires_at=command.expires_at, reason=key.seal(command.reason, stream),
            filter=key.seal({"actor": command.actor, "event_type": command.event_type}, stream),
        )  # fmt: skip

        def answer(state: Hold | None, version: int) -> HoldShown:
            return self._shown(state, 0, operator=True)

        answered = await self._service.decide(deciding(org), stream, [fact], own, answer=answer)
        self._keeper.woken.set()
        return answered

    async def lift(self, command: LiftHold, meta: Meta) -> HoldShown:
        """Lifted twice is lifted once."""
        row = await self._row(command.hold_id)
        if row.ended_at is None:
            own = meta.model_copy(update={"organization": row.org})
            await self._keeper.end(row, "lifted", own)
            row = await self._row(command.hold_id)
        return self._shown(row, row.entries, operator=True)

    async def find(self, query: FindHolds, meta: Meta) -> Page[HoldShown]:
        operator = isinstance(query, FindAllHolds)
        found = select(holds)
        if query.organization_id is not None:
            found = found.where(holds.c.org == query.organization_id)
        statement = seek(found, query, holds.c.placed_at, holds.c.id)
        database = self._service.database
        async with database.work() if operator else database.read(meta.organization) as connection:
            rows = (await connection.execute(statement)).all()
            kept = {row.id: await _kept(connection, row) for row in rows if operator}
        shows = [self._shown(row, kept.get(row.id), operator=operator) for row in rows]
        return page_of(rows, query, lambda r: (r.placed_at, r.id), shows)

    async def entries(self, query: FindHeldEntries, meta: Meta) -> Page[HeldEntry]:
        """Nothing of an ended case; NotFound for one that never was. The organization's own trail
        tells that somebody looked."""
        org = (await self._row(query.hold_id)).org
        look = meta.model_copy(update={"organization": org})
        self._looks.note(READ, query.hold_id, TrailRead(what="case"), look)
        key, e = self._keeper.cases.of(query.hold_id), hold_entries.c
        statement = seek(select(hold_entries).where(e.hold == query.hold_id), query, e.seq, e.day)
        async with self._service.database.work() as connection:
            rows = (await connection.execute(statement)).all() if key is not None else []
            of = stored.of_work(connection)
            leaves = [await stored.entries(of, r.trail, r.seq, r.seq + 1) for r in rows]
        found = []
        for row, (leaf,) in zip(rows, leaves, strict=True):
            opened = key.open(row.trail, row.seq, row.sealed) if key is not None else None
            if opened is None:
                raise NotFound(f"entry {row.seq} of this case was changed, or its key was")
            found.append(HeldEntry(
                trail=stored.trail_name(row.trail), seq=row.seq, leaf=b64(leaf.leaf),
                entry=shown(opened),
            ))  # fmt: skip
        return page_of(rows, query, lambda r: (r.seq, r.day), found)

    async def _row(self, hold: str) -> Any:
        async with self._service.database.work() as connection:
            row = (await connection.execute(select(holds).where(holds.c.id == hold))).first()
        if row is None:
            raise NotFound
        return row

    def _shown(self, row: Any, entries: int | None, *, operator: bool) -> HoldShown:
        key = self._service.keys.installation_key(FILTER)
        named = filter_of(self._service, row) if operator else {"actor": None, "event_type": None}
        return HoldShown(
            id=row.id, organization_id=row.org,
            reason=key.open(row.reason, stream_of(KIND, row.org, row.id)),
            from_at=row.from_at, to_at=row.to_at, placed_at=row.placed_at,
            expires_at=row.expires_at, ended_at=row.ended_at, how=row.how, receipt=row.receipt,
            actor=named["actor"], event_type=named["event_type"], entries=entries,
        )  # fmt: skip


async def _kept(connection: AsyncConnection, row: Any) -> int:
    return row.entries if row.ended_at is not None else await count(connection, row.id)
