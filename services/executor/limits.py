"""What a customer's plan allows, kept for seconds; and the month that is counted."""

from datetime import timedelta

from libs.common import clock
from libs.common.database import Database
from libs.common.fields import milliseconds
from libs.common.once import Kept
from services.executor import subscribers

LIMITS_S = 5.0
DEFAULT_LIMIT = 1000


class Limits:
    """One per process; dropped when billing says that something changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: Kept[str, int] = Kept(lambda _: LIMITS_S)

    async def executions_per_month(self, org: str) -> int:
        return await self._kept.get(org, lambda: self._entitled(org))

    async def _entitled(self, org: str) -> int:
        async with self._database.work() as db:
            row = await subscribers.find_entitlements(db, org)
        return row.executions_per_month if row is not None else DEFAULT_LIMIT

    def forget(self, org: str) -> None:
        self._kept.drop(lambda key: key == org)


def month() -> str:
    return clock.now().strftime("%Y-%m")


def month_ends() -> str:
    """When the quota of this month is over."""
    first = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return milliseconds((first + timedelta(days=32)).replace(day=1))
