"""How long what was billed is kept: as many whole calendar years as the law of a country says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Column, Table, delete, func, select, tuple_

from libs.common.database import Database
from libs.common.sweeping import BITE, Sweep
from services.billing.views import usage, used

FILE = Path(__file__).with_name("jurisdictions.json")
# A year ends everywhere before its last hour of UTC is a day ago.
ELSEWHERE = timedelta(days=1)


class Jurisdiction(BaseModel):
    """`years` after the end of the calendar year of a record, and the law that says so."""

    years: Annotated[int, Interval(ge=1, le=99)]
    law: str


_jurisdictions = TypeAdapter(dict[str, Jurisdiction])


def years_of(country: str) -> int:
    """Of no country in particular: the most, so that nothing goes early."""
    known = _jurisdictions.validate_json(FILE.read_bytes())
    if not country:
        return max(each.years for each in known.values())
    if country not in known:
        raise SystemExit(
            f"TROTH_BILLING_JURISDICTION: nothing is known of {country};"
            f" known are {', '.join(sorted(known))}"
        )
    return known[country].years


def first_kept(at: datetime, years: int) -> str:
    """The first year of which anything is kept at this moment; its days and months are not less."""
    return f"{(at.astimezone(UTC) - ELSEWHERE).year - years:04}"


def over_at(day: str, years: int) -> datetime:
    """The moment from which a record of that day (or month) is not kept any more."""
    return datetime(int(day[:4]) + years + 1, 1, 1, tzinfo=UTC) + ELSEWHERE


def sweeps(years: int) -> list[Sweep]:
    return [_sweep(usage, usage.c.day, years), _sweep(used, used.c.month, years)]


def _sweep(table: Table, day: Column[Any], years: int) -> Sweep:
    key = tuple_(*table.primary_key)

    async def run(database: Database, at: datetime) -> int:
        old = select(*table.primary_key).where(day < first_kept(at, years)).limit(BITE)
        async with database.work() as db:
            return (await db.execute(delete(table).where(key.in_(old)))).rowcount

    async def overdue(database: Database, at: datetime) -> datetime | None:
        async with database.work() as db:
            oldest: str | None = (await db.execute(select(func.min(day)))).scalar()
        if oldest is None or oldest >= first_kept(at, years):
            return None
        return over_at(oldest, years)

    return Sweep("usage", run, overdue)
