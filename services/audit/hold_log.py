"""A legal hold as its events make it, and the view of all of them. Pure, but for the view."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.messages import Event, Recorded
from libs.common.readers import Projection
from services.audit.contract.holds import Ended, HoldLifted, HoldPlaced
from services.audit.forget_tables import holds

hold_view = Projection("holds", version=1, tables=[holds])


@dataclass(frozen=True, slots=True)
class Hold:
    """Named as the columns of the view are."""

    id: str
    org: str
    from_at: datetime
    to_at: datetime
    placed_at: datetime
    expires_at: datetime
    reason: str
    filter: str
    ended_at: datetime | None = None
    how: Ended | None = None
    entries: int | None = None
    receipt: str | None = None


def deciding(organization: str) -> Decider[Sequence[Event], Hold | None]:
    """Takes what is to be told; a hold is placed once and ended once."""

    def decide(facts: Sequence[Event], state: Hold | None) -> Sequence[Event]:
        lifts = any(isinstance(fact, HoldLifted) for fact in facts)
        if lifts and state is None:
            raise NotFound
        done = state is not None and (not lifts or state.ended_at is not None)
        return [] if done else facts

    def evolve(state: Hold | None, event: Event) -> Hold | None:
        if isinstance(event, HoldPlaced):
            return Hold(
                event.hold_id, organization, event.from_at, event.to_at, event.placed_at,
                event.expires_at, event.reason, event.filter,
            )  # fmt: skip
        if isinstance(event, HoldLifted) and state is not None:
            return replace(
                state, ended_at=event.ended_at, how=event.how, entries=event.entries,
                receipt=event.receipt,
            )  # fmt: skip
        return state

    return Decider(None, decide, evolve)


@hold_view.on(HoldPlaced)
async def _placed(connection: AsyncConnection, event: HoldPlaced, recorded: Recorded) -> None:
    await connection.execute(
        insert(holds).values(
            id=event.hold_id, org=recorded.organization, from_at=event.from_at, to_at=event.to_at,
            placed_at=event.placed_at, expires_at=event.expires_at, reason=event.reason,
            filter=event.filter,
        )
    )  # fmt: skip


@hold_view.on(HoldLifted)
async def _lifted(connection: AsyncConnection, event: HoldLifted, recorded: Recorded) -> None:
    await connection.execute(
        update(holds).where(holds.c.id == event.hold_id).values(
            ended_at=event.ended_at, how=event.how, entries=event.entries, receipt=event.receipt
        )
    )  # fmt: skip
