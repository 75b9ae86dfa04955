"""One reader per producer enters every event; numbers that nobody has are recorded as a gap."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Meta, Recorded
from libs.common.readers import Projection
from services.audit.contract import PRODUCERS, SERVICE, GapClosed, GapFound
from services.audit.forget_ledger import note_keys
from services.audit.tables import READER
from services.audit.writing import Writer
from services.identity import contract as identity


def trail_of(producer: str) -> Projection:
    """The reader of one producer; audit's own events come from its own log, once, and end there.

    Its tables are no view: nothing may delete from them, so a reader that begins anew finds its
    numbers taken and adds what is missing.
    """
    foreign = producer if producer != SERVICE else None
    trail = Projection(f"{READER}{producer}", version=2, producer=foreign)

    async def hole(connection: AsyncConnection, incarnation: int, first: int, last: int) -> None:
        found = GapFound(producer=producer, incarnation=incarnation, first=first, last=last)
        await append_within(connection, gap_stream(found), [found], Meta.system(SERVICE), first=1)

    trail.hole = hole
    return trail


def gap_stream(gap: GapFound | GapClosed) -> str:
    """Found is the first event of a gap's stream and closed the second, so each is there once."""
    return stream_of("trail", "instance", gap.producer, str(gap.incarnation), str(gap.first))


def trails() -> tuple[Projection, ...]:
    return tuple(trail_of(producer) for producer in (*PRODUCERS, SERVICE))


def enter_with(writer: Writer, readers: Sequence[Projection]) -> None:
    """What the readers take goes into the trail."""
    for reader in readers:
        producer = reader.producer or SERVICE

        async def take(
            connection: AsyncConnection, events: Sequence[Recorded], producer: str = producer
        ) -> None:
            await writer.enter(connection, producer, events)
            if producer == identity.SERVICE:
                await note_keys(connection, events)

        reader.whole(take)
