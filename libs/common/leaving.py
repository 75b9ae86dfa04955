"""Streams leave a service's own log, no further than everybody who needs them has taken it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from libs.common.database import unavailable
from libs.common.service import Service

MOST = 500
# One statement and its commit: nobody waits for what happens in this process meanwhile, nor for the
# disk, as what a crash takes back is done again. Whoever is about to write into a view what leaves
# has the bookmark, or waits for it.
TAKE_OUT = """
select x.gone, x.events, set_config('synchronous_commit', 'off', true) from (
  select min(case when r.incarnation = h.incarnation then r.n else 0 end) as n
  from (select n, incarnation from readers where name = any(%s) for update) r, heads h) viewed,
lateral expire_streams(%s, least(%s, viewed.n), %s) x
"""


class Taken(Protocol):
    """What another service answers: how far it has taken this log, and which one it means."""

    @property
    def upto(self) -> int: ...

    @property
    def incarnation(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Left:
    """Streams of which nothing is left, and how many events went, these streams' or others'."""

    streams: frozenset[str]
    events: int


async def agreed(service: Service, *answers: Taken) -> int:
    """The number up to which all of them, and the relay, have everything; 0 of another log."""
    upto = min(answer.upto for answer in answers)
    _, _, incarnation = await service.store.page(upto, 1)
    if {answer.incarnation for answer in answers} != {incarnation} or service.relay is None:
        return 0
    return min(upto, service.relay.published)


async def take_out(service: Service, names: Sequence[str], upto: int) -> Left:
    """One bite of these streams, as far as the service's own readers have them too.

    While they leave nothing is appended to the log.
    """
    own = [r.name for r in service.readers if r.producer == service.name]
    with unavailable("store"):
        async with service.database.hot.connection() as connection:
            cursor = await connection.execute(TAKE_OUT, (own, list(names), upto, MOST))
            gone, events, _ = cast(tuple[list[str], int, str], await cursor.fetchone())
    return Left(frozenset(gone), events)
