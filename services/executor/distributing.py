"""Deals out what came: wakes executions that wait for it, puts starts on the queue.

Nothing is lost between a wait and an event, whichever is committed first: each is written `fresh`,
and stays so until a round has looked at it together with everything of the other side that was
visible by then. The later of the two is looked at when the earlier one is there. A round that is
cut off is done again: a second wake-up finds nothing new, a second start meets the first.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
import nats.errors
from nats.js.errors import APIError, NoStreamResponseError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import LOST
from libs.common.errors import NotFound, Unavailable
from libs.common.messages import Meta
from libs.common.privacy import Forgotten
from services.executor import arrivals, matching
from services.executor.domain import Offer
from services.executor.engine import Engine
from services.executor.event_starts import by_event, by_schedule
from services.executor.signals import signal
from services.executor.work import DURABLE, PURPOSE, STREAM, SUBJECT, Start, encode

log = logging.getLogger(__name__)
POLL_S, PACE_S = 0.5, 0.02
AT_ONCE, OF_ONE_ORG = 400, 50
QUEUED_MAX, QUEUE_PAUSE_S = 200, 0.02
SIGNALS_AT_ONCE = 16
ERRORS = (Unavailable, nats.errors.Error, APIError, NoStreamResponseError, TimeoutError, *LOST)

ANYTHING = text("""
select exists (select 1 from arrivals where fresh_at is not null)
  or exists (select 1 from listeners where fresh_at is not null) or exists (select 1 from ticks)
""")
# Organizations in turn, so that one with thousands of events does not keep the others waiting.
CAME = text(f"""
select a.id, a.org, a.type, a.at, a.depth, a.workflow from (
  select id, row_number() over (partition by org order by fresh_at) as k
  from arrivals where fresh_at is not null order by k limit {AT_ONCE}) f
join arrivals a using (id) where f.k <= {OF_ONE_ORG}
""")
LISTENING = text("""
select l.owner, l.place, l.org, l.kind, l.version, l.since, e.type as came
from json_to_recordset(cast(:rows as json)) as e(org text, type text, pattern text)
join listeners l on l.org = e.org and l.type = e.pattern where l.kind <> 'awaits'
""")
NEW = text(f"""
select owner, place, org, kind, type, version, since, fresh_at from listeners
where fresh_at is not null order by fresh_at limit {AT_ONCE}
""")
# A wait is woken by the newest only: it looks at everything itself.
BEFORE = """
select r.i, a.id, a.org, a.type, a.at, a.depth, a.workflow
from json_to_recordset(cast(:rows as json)) as r(i int, org text, type text, since timestamptz,
  at_most int)
cross join lateral (select * from arrivals a where a.org = r.org and {same}
  and a.arrived_at >= r.since - interval '60 s' order by a.arrived_at desc limit r.at_most) a
"""
BEFORE_EXACTLY = text(BEFORE.format(same="a.type = r.type"))
BEFORE_LIKE = text(BEFORE.format(same="starts_with(a.type, r.type)"))
TICKS = text(f"select * from ticks order by at limit {AT_ONCE}")
DONE = (
    text("update arrivals set fresh_at = null where id = any(:ids)"),
    text("""update listeners l set fresh_at = null
      from json_to_recordset(cast(:rows as json)) as r(owner text, place text, fresh_at timestamptz)
      where l.owner = r.owner and l.place = r.place and l.fresh_at = r.fresh_at"""),
    text("delete from ticks where execution = any(:executions)"),
)
Pairs = list[tuple[Any, Any]]


class Distributor:
    """Run by the holder of the service's lease; a second one by accident only does it again."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._service = engine, engine.service
        self._woken = asyncio.Event()
        self._limit = asyncio.Semaphore(SIGNALS_AT_ONCE)

    def wake(self) -> None:
        """A reader has moved on."""
        self._woken.set()

    async def distribute(self) -> None:
        while True:
            self._woken.clear()
            try:
                if await self.round():
                    continue
                await asyncio.sleep(PACE_S)
            except ERRORS as error:
                log.warning("events wait", extra={"cause": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()

    async def round(self) -> bool:
        """Deals with what is fresh; False when nothing was."""
        async with self._service.database.work() as db:
            if not (await db.execute(ANYTHING)).scalar_one():
                return False
            came = (await db.execute(CAME)).all()
            new = (await db.execute(NEW)).all()
            ticks = (await db.execute(TICKS)).all()
            pairs = await _with_those_that_listen(db, came) + await _with_those_before(db, new)
        await self._wake(pairs)
        await self._start(await self._starts_by(pairs) + await self._starts_at(ticks))
        async with self._service.database.work() as db:
            seen = [{"owner": n.owner, "place": n.place, "fresh_at": n.fresh_at} for n in new]
            await db.execute(DONE[0], {"ids": [a.id for a in came]})
            await db.execute(DONE[1], {"rows": _rows(seen)})
            await db.execute(DONE[2], {"executions": [t.execution for t in ticks]})
        return True

    async def _wake(self, pairs: Pairs) -> None:
        """One signal per execution, whatever number of its waits may be meant."""
        wanted = {(one.org, one.owner): (a.id, a.type) for one, a in pairs if one.kind == "wait"}

        async def offer(org: str, execution: str, event: tuple[str, str]) -> None:
            async with self._limit:
                try:
                    meta = Meta.system("executor", org)
                    await signal(self._engine, execution, Offer(*event), meta)
                except NotFound:
                    return
                except ERRORS:
                    raise
                except Exception:  # one stream that can't be read must not stop all others
                    log.exception("an event was not offered", extra={"execution": execution})

        await asyncio.gather(*(offer(*whom, event) for whom, event in wanted.items()))

    async def _starts_by(self, pairs: Pairs) -> list[Start]:
        by_org: dict[str, Pairs] = {}
        for one, arrival in pairs:
            if one.kind == "trigger" and arrival.at >= one.since:
                by_org.setdefault(one.org, []).append((one, arrival))
        starts: list[Start] = []
        for org, mine in by_org.items():
            try:
                key = await self._service.keys.key(org, PURPOSE)
            except Forgotten:
                continue
            async with self._service.database.work() as db:
                ids = {arrival.id for _, arrival in mine}
                events = await matching.events_of(self._service, db, org, sorted(ids))
            starts += [
                by_event(key, org, one, arrival, events[arrival.id])
                for one, arrival in mine if arrival.id in events
            ]  # fmt: skip
        return starts

    async def _starts_at(self, ticks: Sequence[Any]) -> list[Start]:
        starts: list[Start] = []
        for tick in ticks:
            with contextlib.suppress(Forgotten):
                key = await self._service.keys.key(tick.org, PURPOSE)
                starts.append(by_schedule(key, tick))
        return starts

    async def _start(self, starts: Sequence[Start]) -> None:
        """Puts them on the queue while it is short: calls from outside must not stand behind."""
        js = self._service.bus.js
        for at in range(0, len(starts), OF_ONE_ORG):
            while await self._queued() > QUEUED_MAX:  # noqa: ASYNC110 - a server is asked
                await asyncio.sleep(QUEUE_PAUSE_S)
            for start in starts[at : at + OF_ONE_ORG]:
                await js.publish(SUBJECT, encode(start), headers={"Nats-Msg-Id": start.execution})

    async def _queued(self) -> int:
        info = await self._service.bus.js.consumer_info(STREAM, DURABLE)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def _with_those_that_listen(db: AsyncConnection, came: Sequence[Any]) -> Pairs:
    asked = [
        {"org": org, "type": kind, "pattern": pattern}
        for org, kind in {(a.org, a.type) for a in came}
        for pattern in arrivals.patterns_of(kind)
    ]
    if not asked:
        return []
    listening: dict[tuple[str, str], list[Any]] = {}
    for one in (await db.execute(LISTENING, {"rows": _rows(asked)})).all():
        listening.setdefault((one.org, one.came), []).append(one)
    return [(one, a) for a in came for one in listening.get((a.org, a.type), ())]


async def _with_those_before(db: AsyncConnection, new: Sequence[Any]) -> Pairs:
    pairs: Pairs = []
    for statement, like in ((BEFORE_EXACTLY, False), (BEFORE_LIKE, True)):
        rows = [
            {"i": i, "org": n.org, "type": n.type.removesuffix("*"), "since": n.since,
             "at_most": 1 if n.kind == "wait" else matching.ARRIVALS_MAX}
            for i, n in enumerate(new) if n.type.endswith("*") is like
        ]  # fmt: skip
        if rows:
            found = (await db.execute(statement, {"rows": _rows(rows)})).all()
            pairs += [(new[a.i], a) for a in found]
    return pairs


def _rows(rows: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
