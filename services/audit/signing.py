"""The signer: a role of its own that signs a trail's size and root, and never goes back.

Before it signs it makes the new hashes again from the leaves, and proves that the tree of the last
checkpoint, which it remembers outside the database, is the beginning of the new one. A trail that
does not go on from there gets no further checkpoint until an operator has looked at it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from libs.common import ids
from libs.trail import notes, paths
from libs.trail.tree import EMPTY
from services.audit import stored
from services.audit.batch import trail_name
from services.audit.contract.proof import Reason
from services.audit.memory import Memory, Refusal, Seen

log = logging.getLogger(__name__)
TRANSPORT = frozenset({"transport"})
HEADS = """
select h.trail, h.size, c.size, c.root, c.note, c.at from trail_heads h left join lateral
  (select * from checkpoints c where c.trail = h.trail order by c.size desc limit 1) c on true
{where} order by h.trail
"""
SIGN = """
insert into checkpoints (trail, size, root, note, at) values (%s, %s, %s, %s, %s)
on conflict do nothing
"""
Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]


class Head(NamedTuple):
    """How far a trail is, and the last checkpoint that the database has of it."""

    trail: UUID
    size: int
    signed: int | None
    root: bytes | None
    note: str | None
    at: datetime | None


class Refused(Exception):
    """This tree does not go on from the last one that was signed."""

    def __init__(self, reason: Reason, said: str) -> None:
        super().__init__(said)
        self.reason: Reason = reason


class CheckpointSigner:
    """One signs at a time: the process that leads. `connect` is a connection of `audit_signer`."""

    def __init__(
        self, signer: notes.Signer, installation: str, memory: Memory, connect: Connect
    ) -> None:
        self._signer, self._installation = signer, installation
        self._memory, self._connect = memory, connect
        self._hour: datetime | None = None
        self._one = asyncio.Lock()

    @property
    def verifier(self) -> notes.Verifier:
        return self._signer.verifier

    def sign(self, text: str) -> str:
        """A note that is no checkpoint."""
        return self._signer.sign(text)

    async def round(self, now: datetime) -> None:
        """Signs what is due: where something else than transport was entered, and, with the first
        round of an hour, everything that grew. Then also the trails that did not grow are looked
        at, and a part of the leaves that were signed before, so that a day sees all of them."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        full, self._hour = hour != self._hour, hour
        async with self._one, self._connect() as connection:
            self._memory.refresh()
            heads = await _heads(connection)
            for head in heads:
                await self._turn(connection, head, now, full=full)
            there = {trail_name(head.trail) for head in heads}
            for name in set(self._memory.trails) - there if full else ():
                gone = Head(ids.private(name), 0, None, None, None, None)
                self._refuse(gone, Refused("gone", "the trail is not there any more"))

    async def now(self, trail: UUID, now: datetime) -> None:
        """Signs one trail, whatever is due."""
        async with self._one, self._connect() as connection:
            self._memory.refresh()
            for head in await _heads(connection, trail):
                await self._turn(connection, head, now, full=True)

    @property
    def refusals(self) -> dict[str, Refusal]:
        """Trails for which nothing is signed any more, by their public id."""
        self._memory.refresh()
        return self._memory.refusals

    def resume(self, trail: UUID) -> None:
        self._memory.refresh()
        self._memory.resume(trail_name(trail))

    async def _turn(
        self, connection: psycopg.AsyncConnection[Any], head: Head, now: datetime, *, full: bool
    ) -> None:
        if self._memory.refused(trail_name(head.trail)) is not None:
            return
        rows = stored.of_psycopg(connection)
        try:
            last = self._last(head)
            if head.size < last.size:  # or another process has signed since it was read
                head = (await _heads(connection, head.trail))[0]
            if head.size < last.size:
                raise Refused("smaller", f"{head.size} entries, {last.size} were signed")
            due = full or (head.size > last.size and await _substance(rows, head, last.size))
            if not due or not head.size:
                return
            root = await _examined(rows, head, last)
            if full:
                await stored.check_part(rows, head.trail, head.size, now.hour)
            if head.size > (head.signed or 0):
                await self._sign(connection, head, root, now)
        except stored.Missing as error:
            self._refuse(head, Refused("missing", str(error)))
        except stored.Differs as error:
            self._refuse(head, Refused("inconsistent", str(error)))
        except Refused as refused:
            self._refuse(head, refused)

    def _last(self, head: Head) -> Seen:
        """The largest that was signed, by our own memory and by the database; both must agree."""
        seen = self._memory.last(trail_name(head.trail)) or Seen(0, EMPTY)
        if head.note is None or head.signed is None or head.root is None:
            return seen
        try:
            there = notes.Checkpoint.parse(self._signer.verifier.open(head.note))
        except notes.BadNote as error:
            raise Refused("other-key", f"the last checkpoint: {error}") from None
        if there != notes.Checkpoint(self._origin(head.trail), head.signed, bytes(head.root)):
            raise Refused("inconsistent", "the last checkpoint's note says something else")
        if there.size == seen.size and there.root != seen.root:
            raise Refused("inconsistent", f"two roots were signed at {seen.size}")
        return seen if seen.size >= there.size else Seen(there.size, there.root)

    async def _sign(
        self, connection: psycopg.AsyncConnection[Any], head: Head, root: bytes, now: datetime
    ) -> None:
        checkpoint = notes.Checkpoint(self._origin(head.trail), head.size, root)
        self._memory.remember(trail_name(head.trail), Seen(head.size, root))
        note = self._signer.sign(checkpoint.text())
        await connection.execute(SIGN.encode(), (head.trail, head.size, root, note, now))

    def _origin(self, trail: UUID) -> str:
        return notes.origin_of(self._installation, trail_name(trail))

    def _refuse(self, head: Head, refused: Refused) -> None:
        name = trail_name(head.trail)
        if self._memory.refused(name) is None:
            log.critical("checkpoint refused", extra={"trail": name, "cause": str(refused)})
            seen = self._memory.last(name)
            signed = max(seen.size if seen else 0, head.signed or 0)
            self._memory.refuse(name, Refusal(refused.reason, head.size, signed))


async def _heads(connection: psycopg.AsyncConnection[Any], trail: UUID | None = None) -> list[Head]:
    """Of all trails, or of one."""
    sql = HEADS.format(where="where h.trail = %s" if trail is not None else "")
    values = (trail,) if trail is not None else ()
    return [Head(*row) for row in await stored.of_psycopg(connection)(sql, values)]


async def _substance(rows: stored.Rows, head: Head, since: int) -> bool:
    return not await stored.classes(rows, head.trail, since, head.size) <= TRANSPORT


async def _examined(rows: stored.Rows, head: Head, last: Seen) -> bytes:
    """The new root. Raises Refused; Missing or Differs where rows are not what they were."""
    await stored.check_tree(rows, head.trail, last.size, head.size)
    ranges = paths.consistency_ranges(last.size, head.size)
    hash_of = await stored.hash_of(rows, head.trail, [(0, head.size), *ranges])
    root = paths.hashes([(0, head.size)], hash_of)[0]
    proof = paths.hashes(ranges, hash_of)
    if not paths.consistent(last.size, head.size, last.root, root, proof):
        raise Refused("inconsistent", f"the tree at {head.size} does not go on from {last.size}")
    return root
