"""Appends further facts in a transaction that does other work too."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Conflict
from libs.common.eventstore import encode, rows
from libs.common.messages import Event, Meta


async def append_within(
    db: AsyncConnection, stream: str, events: Sequence[Event], meta: Meta
) -> None:
    """Appends to the end of a stream; Conflict when somebody else was first (roll back then)."""
    found = await db.execute(
        text("select coalesce(max(version), 0) from log where stream = :stream"),
        {"stream": stream},
    )
    batch = encode(rows(stream, found.scalar_one() + 1, events, meta)).decode()
    won = await db.exec_driver_sql(
        "select won from append(0::smallint, %s::json, '[]'::json)", (batch,)
    )
    if won.first() is None:
        raise Conflict("too many changes at once; try again")
