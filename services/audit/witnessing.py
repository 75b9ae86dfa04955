"""Has witnesses sign checkpoints along, in the leading process.

What leaves is the signed note and hashes, which name nobody. An answer is kept when the key that
the operator named has signed this very checkpoint, and only then. A witness that is away is asked
again with the next round; for a trail that it refused, some minutes later. Neither stops the signer
nor another witness.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from libs.common import telemetry
from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.messages import Meta
from libs.common.service import Service
from libs.egress import Client, Policy
from libs.trail import paths
from services.audit import stored
from services.audit.announcing import Clock
from services.audit.contract.proof import KeyShown
from services.audit.signing import Connect
from services.audit.witness_protocol import GRAVE, MEANS, Asking, Refused, Trouble, add_checkpoint
from services.audit.witnesses import Witness

log = logging.getLogger(__name__)
PATIENCE = timedelta(minutes=5)
SAID_AGAIN = timedelta(hours=1)
DUE = """
select h.trail from trail_heads h join lateral
  (select size from checkpoints c where c.trail = h.trail order by size desc limit 1) c on true
where c.size is distinct from
  (select max(k.size) from cosignatures k where k.trail = h.trail and k.witness = %s)
order by h.trail
"""
LAST = "select max(at) from cosignatures where witness = %s"
NEWEST = """
select c.size, c.note, coalesce((select max(size) from cosignatures where trail = %s
  and witness = %s), 0) from checkpoints c where c.trail = %s order by c.size desc limit 1
"""
KEEP = """
insert into cosignatures (trail, size, witness, line, at) values (%s, %s, %s, %s, %s)
on conflict do nothing
"""


@dataclass
class Asked:
    """A witness, and what this process knows of it."""

    witness: Witness
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False
    rests: dict[UUID, datetime] = field(default_factory=dict)
    said: dict[tuple[Trouble, UUID | None], datetime] = field(default_factory=dict)


class Witnesses:
    """All of them; each is asked by itself. `connect` is a connection of `audit_signer`."""

    def __init__(
        self, witnesses: Sequence[Witness], service: Service, connect: Connect, clock: Clock,
        timeout_s: float,
    ) -> None:  # fmt: skip
        self.all = [Asked(witness) for witness in witnesses]
        self._service, self._connect, self._clock = service, connect, clock
        self._policy = Policy([witness.pair for witness in witnesses])
        self._timeout_s = timeout_s

    def wake(self) -> None:
        """A round of the signer is over."""
        for one in self.all:
            one.woken.set()

    async def run(self) -> None:
        """For ever, in the leading process."""
        self.wake()
        await asyncio.gather(*(self._follow(one) for one in self.all))

    async def _follow(self, one: Asked) -> None:
        while True:
            await one.woken.wait()
            one.woken.clear()
            try:
                await self._turn(one)
            except (DomainError, *LOST) as error:
                log.warning("witnesses wait", extra={"cause": type(error).__name__})

    async def round(self) -> None:
        """Asks each once for all that is due."""
        await asyncio.gather(*(self._turn(one) for one in self.all))

    async def now(self, trail: UUID) -> None:
        """Asks for one trail those that are there, and waits no longer than for one answer."""
        there = [one for one in self.all if not one.away]
        if not there:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s), Client(self._policy) as client:
                await asyncio.gather(*(self._ask(client, one, trail) for one in there))

    async def shown(self, meta: Meta) -> list[KeyShown]:
        """Their keys; how far each is tells how busy the installation is: for its operator."""
        keys = [str(one.witness.key) for one in self.all]
        if "instance" not in meta.permissions:
            return [KeyShown(verifier_key=key, of="witness") for key in keys]
        found = []
        async with self._service.database.work() as db:
            rows = stored.of_work(db)
            for key in keys:
                ((at,),) = await rows(LAST, (key,))
                behind = len(await rows(DUE, (key,)))
                found.append(
                    KeyShown(verifier_key=key, of="witness", cosigned_at=at, behind=behind)
                )
        return found

    async def _turn(self, one: Asked) -> None:
        one.away = False
        async with self._service.database.work() as db:
            due = await stored.of_work(db)(DUE, (str(one.witness.key),))
        behind = len(due)
        if due:
            async with Client(self._policy) as client:
                for (trail,) in due:
                    behind -= await self._ask(client, one, trail)
                    if one.away:
                        break
        telemetry.WITNESS_BEHIND.labels(one.witness.label).set(behind)

    async def _ask(self, client: Client, one: Asked, trail: UUID) -> bool:
        """Whether it has signed the last checkpoint; if it has not, why is said, and not raised."""
        async with one.lock:  # else a smaller checkpoint could be sent after a larger one
            now = self._clock()
            if one.rests.get(trail, now) > now:
                return False
            try:
                told = await self._once(client, one.witness, trail)
                if told is not None:
                    told = await self._once(client, one.witness, trail, told)
                if told is not None:  # once more is enough
                    raise Refused("refused", told)
            except Refused as refused:
                self._say(one, trail, refused, now)
                return False
            one.rests.pop(trail, None)
            return True

    async def _once(
        self, client: Client, witness: Witness, trail: UUID, old: int | None = None
    ) -> int | None:
        """None when it has signed, else the size that it wants to be asked from."""
        asking = await self._asking(witness, trail, old)
        if asking is None:
            return None
        answer = await add_checkpoint(client, witness, asking, self._timeout_s)
        if isinstance(answer, int):
            return answer
        values = (trail, asking.size, str(witness.key), answer, self._clock())
        async with self._connect() as connection:
            await connection.execute(KEEP.encode(), values)
        return None

    async def _asking(self, witness: Witness, trail: UUID, old: int | None) -> Asking | None:
        """The newest checkpoint, from the size that was signed last; None when nothing is due."""
        key = str(witness.key)
        async with self._service.database.work() as db:
            rows = stored.of_work(db)
            found = await rows(NEWEST, (trail, key, trail))
            if not found:
                return None
            size, note, last = found[0]
            if last == size and old is None:
                return None
            since: int = last if old is None else old
            if since > size:
                raise Refused("longer", since)
            ranges = paths.consistency_ranges(since, size)
            try:
                hash_of = await stored.hash_of(rows, trail, ranges)
            except stored.Missing:
                raise Refused("not-whole", size) from None
        return Asking(since, size, note, paths.hashes(ranges, hash_of))

    def _say(self, one: Asked, trail: UUID, refused: Refused, now: datetime) -> None:
        """At most once an hour: of a trail where it is grave, else of the witness."""
        trouble, name = refused.trouble, one.witness.label
        telemetry.WITNESS_TROUBLES.labels(name, trouble).inc()
        if trouble == "away":
            one.away = True
        else:
            one.rests[trail] = now + PATIENCE
        about = (trouble, trail if trouble in GRAVE else None)
        if about in one.said and now < one.said[about] + SAID_AGAIN:
            return
        one.said[about] = now
        facts = {"witness": name, "trail": stored.trail_name(trail), "size": refused.size}
        log.log(
            logging.CRITICAL if trouble in GRAVE else logging.WARNING, MEANS[trouble], extra=facts
        )
