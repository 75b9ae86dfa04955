"""The ninetieth day with a moved clock: on both sides of its edge, over restarts day by day."""

import pytest

from libs.common import clock
from services.audit.contract import DayForgotten, FindEntries
from services.audit.daykeys import KEPT_DAYS
from services.audit.forget_ledger import spelled

from .conftest import ONE, Past

NOTED = ["executor.event.noted"]


async def moved(past: Past, patch: pytest.MonkeyPatch, days: int) -> int:
    """Audit restarts so many days later, and its runner has its turns; how many days went."""
    patch.setattr(clock, "offset_s", days * 86_400.0)
    past.now = clock.now()
    await past.restart_audit()
    await past.parts.proof.digests.due(past.now)
    return await past.forget()


async def found(past: Past) -> int:
    return len((await past.ask(FindEntries(event_type=NOTED)))["data"])


async def test_a_day_is_kept_for_ninety_days_and_not_one_more(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in past.places:  # a new ratchet, as of a new installation
        place.unlink()
    await past.begin(digests=0)
    await past.note(7)
    await past.complete()
    today = past.today
    assert await past.forget() == 0

    await moved(past, monkeypatch, KEPT_DAYS - 1)
    past.parts.keys.refresh()
    assert past.parts.keys.oldest == today  # the days before were empty: they wait for nothing
    assert await found(past) == 7
    assert past.told(DayForgotten, ONE) == []

    await moved(past, monkeypatch, KEPT_DAYS)
    past.parts.keys.refresh()
    assert past.parts.keys.oldest == today + 1
    assert await found(past) == 0
    (told,) = past.told(DayForgotten, ONE)
    assert (told["day"], told["entries"]) == (spelled(today), 7)

    await moved(past, monkeypatch, KEPT_DAYS + 1)
    past.parts.keys.refresh()
    assert past.parts.keys.oldest == today + 2
    assert len(past.told(DayForgotten, ONE)) == 1
    # The partition of the day behind it had been made ahead, and no other day was ever entered.
    assert past.rows("select why, count(*) from forget_ledger group by 1") == [("ninety-days", 2)]
