"""Leases by the database's clock: claims what is due, organizations in turn; renews the held."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.common.database import LOST, Database
from services.executor.commit import LEASE_S

log = logging.getLogger(__name__)
RENEW_S = 2.0
CLAIM_S = 0.1
PER_ORG_MAX = 50

CLAIM = b"""
with recursive o(org) as (
    (select min(org) from timers where ready_at <= now() and org > %(after)s)
    union all
    select (select min(r.org) from timers r where r.ready_at <= now() and r.org > o.org)
    from o where o.org is not null),
  turn as (select org, 0 as lap from o where org is not null
    union all (with recursive w(org) as (
        (select min(org) from timers where ready_at <= now() and org <= %(after)s)
        union all
        select (select min(r.org) from timers r
          where r.ready_at <= now() and r.org > w.org and r.org <= %(after)s)
        from w where w.org is not null)
      select org, 1 from w where org is not null)),
  places as (select t.org, t.lap, least(%(per_org)s, greatest(0, coalesce(e.running_max, 5)
      - (select count(*) from timers h where h.org = t.org and h.leased_until > now())))::int free
    from turn t left join entitlements e on e.org = t.org),
  pick as (select q.execution from places p cross join lateral (
      select execution from timers where org = p.org and ready_at <= now()
      order by ready_at limit p.free for update skip locked) q
    limit %(want)s)
update timers t set leased_until = now() + make_interval(secs => %(lease)s),
  epoch = t.epoch + 1, owner = %(me)s
from pick where t.execution = pick.execution returning t.execution, t.org
"""
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


class Leases:
    """One per process. `claimed` gets what this process is to run; `free` says for how many."""

    def __init__(
        self, database: Database, owner: str, free: Callable[[], int],
        claimed: Callable[[list[Claimed]], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._database, self._owner = database, owner
        self._free, self._claimed = free, claimed
        self._after = ""
        self.more = False
        self.wake = asyncio.Event()

    async def claim_for_ever(self) -> None:
        while True:
            self.wake.clear()
            try:
                want = self._free()
                got = await self._claim(want) if want > 0 else []
                self.more = bool(got) or want == 0
                if got:
                    self._after = got[-1].org
                    await self._claimed(got)
                    continue
            except LOST as error:
                log.warning("claim waits", extra={"cause": type(error).__name__})
                await asyncio.sleep(0.5)
            try:
                await asyncio.wait_for(self.wake.wait(), CLAIM_S)
            except TimeoutError:
                continue

    async def _claim(self, want: int) -> list[Claimed]:
        values = {"after": self._after, "per_org": PER_ORG_MAX, "want": want, "lease": LEASE_S,
                  "me": self._owner}  # fmt: skip
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
