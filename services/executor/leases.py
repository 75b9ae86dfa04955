"""Leases by the database's clock: claims what is due, organizations in turn; renews the held."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.common.database import LOST, Database
from services.executor.commit import LEASE_S

log = logging.getLogger(__name__)
RENEW_S = 2.0
SOON_S, AGAIN_S, LOOK_S = 0.05, 0.1, 0.5
PER_ORG_MAX = 50
BUSY_S, BUSY_ROWS = 0.05, 25
LOOK_ROWS = 200

# What is due is looked at first; only where that is much, and might be of one organization alone,
# all organizations that have timers are gone through. Nothing here reads an organization's queue.
CLAIM = b"""
with recursive soon as materialized (
    select org from timers where ready_at <= now() order by ready_at limit %(look)s),
  many as materialized (select count(*) = %(look)s as said from soon),
  o(org) as (
    select (select min(org) from timers) where (select said from many)
    union all
    select (select min(r.org) from timers r where r.org > o.org) from o where o.org is not null),
  due as (select org from soon union select org from o where org is not null),
  turn as (select org, (org <= %(after)s)::int as lap from due),
  places as materialized (select t.org, t.lap,
      least(%(per_org)s, greatest(0, coalesce(e.running_max, 5)
        - (select count(*) from timers h
          where h.org = t.org and h.owner is not null and h.leased_until > now())))::int free
    from turn t left join entitlements e on e.org = t.org),
  steps as materialized (select p.org, p.lap, p.free, v.priority from places p cross join lateral (
      with recursive s(priority) as (
        (select max(t.priority) from timers t where t.org = p.org)
        union all
        select (select max(t.priority) from timers t where t.org = p.org
          and t.priority < s.priority) from s where s.priority is not null)
      select s.priority from s where s.priority is not null) v where p.free > 0),
  ready as (select p.org, p.lap, p.free, p.priority, q.execution, q.ready_at
    from steps p cross join lateral (
      select execution, ready_at from timers where org = p.org and priority = p.priority
        and ready_at <= now()
      order by ready_at limit p.free for update skip locked) q),
  pick as (select execution from (
      select r.*, row_number() over (partition by org order by priority desc, ready_at) place
      from ready r) f
    where f.place <= f.free order by f.lap, f.org, f.place limit %(want)s)
update timers t set leased_until = now() + make_interval(secs => %(lease)s),
  epoch = t.epoch + 1, owner = %(me)s, nudged = false
from pick where t.execution = pick.execution returning t.execution, t.org
"""
NEXT = b"select extract(epoch from min(ready_at) - now())::float8 from timers"
# A row that a commit has in hand is renewed by that commit; waiting for it among many others
# would be a deadlock with the next commit, which stops every appender for a second.
RENEW = b"""
with free as materialized (select execution from timers
  where owner = %(me)s and leased_until > now() and execution = any(%(held)s)
  for update {skip}),
mine as (update timers t set leased_until = now() + make_interval(secs => %(lease)s)
  from free where t.execution = free.execution returning t.execution, t.org)
select m.execution, (select max(version) from log l
  where l.stream = 'execution-' || m.org || '-' || m.execution) from mine m
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    execution: str
    org: str


async def _busy() -> bool:
    """Whether one turn of everything that is ready takes long: so long waits whoever comes now,
    several times until the first step of an execution."""
    begun = time.monotonic()
    await asyncio.sleep(0)
    return time.monotonic() - begun > BUSY_S


class Leases:
    """One per process. `claimed` gets what this process is to run; `free` says for how many.

    It sleeps until the next row is due, or until `due_in` named a nearer one; what other processes
    write is seen within `LOOK_S`. It never sleeps so short that every row is claimed alone.
    A busy process claims a few every `LOOK_S`: of a long queue it takes what it has time for.
    """

    def __init__(
        self, database: Database, owner: str, free: Callable[[], int],
        claimed: Callable[[list[Claimed]], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._database, self._owner = database, owner
        self._free, self._claimed = free, claimed
        self._after = ""
        self._look_at = self._next_at = 0.0
        self.more = False
        self.wake = asyncio.Event()

    def due_in(self, seconds: float) -> None:
        """This process wrote a row that is due then."""
        loop, seconds = asyncio.get_running_loop(), max(seconds, SOON_S)
        if loop.time() + seconds < self._look_at:
            self._look_at = loop.time() + seconds
            loop.call_later(seconds, self.wake.set)

    async def claim_for_ever(self) -> None:
        while True:
            self.wake.clear()
            self._look_at = math.inf
            pause = LOOK_S
            try:
                want = await self._wanted()
                got = await self._claim(want) if want > 0 else []
                self.more = bool(got) or want == 0
                if got:
                    self._after = got[-1].org
                    await self._claimed(got)
                    continue
                if want > 0:
                    pause = await self._until_next()
            except LOST as error:
                log.warning("claim waits", extra={"cause": type(error).__name__})
                await asyncio.sleep(0.5)
            await self._sleep(pause)

    async def _wanted(self) -> int:
        want = self._free()
        if await _busy():
            if time.monotonic() < self._next_at:
                return 0
            want = min(want, BUSY_ROWS)
        self._next_at = time.monotonic() + LOOK_S
        return want

    async def _sleep(self, pause: float) -> None:
        self._look_at = min(self._look_at, asyncio.get_running_loop().time() + pause)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self.wake.wait()

    async def _until_next(self) -> float:
        """Seconds until a row is due; one that was left (its organization has no place) is now."""
        async with self._database.hot.connection() as connection:
            row = await (await connection.execute(NEXT)).fetchone()
        left = row[0] if row is not None and row[0] is not None else LOOK_S
        return min(max(left, AGAIN_S), LOOK_S)

    async def _claim(self, want: int) -> list[Claimed]:
        values = {"after": self._after, "per_org": PER_ORG_MAX, "want": want, "lease": LEASE_S,
                  "look": LOOK_ROWS, "me": self._owner}  # fmt: skip
        async with self._database.hot.connection() as connection:
            cursor = await connection.execute(CLAIM, values)
            return [Claimed(*row) for row in await cursor.fetchall()]

    async def renew(self, held: list[str]) -> tuple[dict[str, int], float]:
        """Versions of the streams still held, and until when (monotonic) the lease runs."""
        begun = time.monotonic()
        async with self._database.hot.connection() as connection:
            skip = b"skip locked" if len(held) > 1 else b""
            cursor = await connection.execute(
                RENEW.replace(b"{skip}", skip),
                {"lease": LEASE_S, "me": self._owner, "held": held},
            )
            return dict(await cursor.fetchall()), begun + LEASE_S
