"""What billing shows: the account of an organization, its alarms, and the meter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    RowMapping,
    Table,
    case,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    text,
    union_all,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import clock
from libs.common.fields import Count, Day, Moment, OrganizationId, Word, WorkflowId
from libs.common.messages import Recorded
from libs.common.pages import Page, page_of, seek
from libs.common.readers import Projection
from libs.common.tables import column, moment_now
from services.billing.contract import (
    AccountOpened,
    AlarmShown,
    CountedShown,
    EntitlementsSet,
    Meter,
    PeriodClosed,
    PlanChanged,
    PlanName,
    TriggerKind,
    UsageAlarmRaised,
    UsageInPeriod,
    UsageRow,
)  # fmt: skip
from services.billing.domain import BEFORE_ALL, MARKS, day_of, month_of, period_start

metadata = MetaData()
accounts = Table(
    "accounts", metadata,
    column("org", OrganizationId, primary_key=True), column("plan", PlanName),
    column("executions_per_month", Count), column("running_max", Count),
    column("history_days", Count), column("features", list[Word]),
    column("period_ends_at", Moment), column("month", Word), column("mark", Count),
)  # fmt: skip
alarms = Table(
    "alarms", metadata,
    column("org", OrganizationId), column("period_ends_at", Moment), column("meter", Meter),
    column("percent", Count), column("used", Count), column("limit_was", Count),
    column("raised_at", Moment), Index("alarms_of_period", "org", "period_ends_at"),
)  # fmt: skip
usage = Table(
    "usage", metadata,
    column("org", OrganizationId), column("day", Day), column("workflow", WorkflowId),
    column("kind", TriggerKind), column("executions", Count),
    PrimaryKeyConstraint("org", "day", "workflow", "kind"),
)  # fmt: skip
used = Table(
    "used", metadata,
    column("org", OrganizationId), column("month", Word), column("executions", Count),
    PrimaryKeyConstraint("org", "month"),
)  # fmt: skip

# What is counted and in no fact yet that `usage` has taken: of the executor's log, as it comes.
# `upto` is 0 until a fact says the row, then that fact's number.
counting = Table(
    "counting", metadata,
    column("org", OrganizationId), column("day", Day), column("workflow", WorkflowId),
    column("kind", TriggerKind), column("upto", Count), column("executions", Count),
    moment_now("since", Moment),
    PrimaryKeyConstraint("org", "day", "workflow", "kind", "upto"),
    Index("counting_since", "since"),
)  # fmt: skip
# No view: which starts the facts of a year hold, so that none is counted twice.
counted = Table(
    "counted", metadata,
    column("org", OrganizationId), column("year", Word), column("incarnation", Count),
    column("upto", Count), PrimaryKeyConstraint("org", "year"), info={"hidden": True},
)  # fmt: skip

account_view = Projection("accounts", version=1, tables=[accounts, alarms])


@account_view.on(AccountOpened)
async def _opened(connection: AsyncConnection, event: AccountOpened, recorded: Recorded) -> None:
    await connection.execute(
        insert(accounts).values(
            org=recorded.organization, plan=event.plan, executions_per_month=0, running_max=0,
            history_days=0, features=[], period_ends_at=BEFORE_ALL, month="", mark=0,
        )
    )  # fmt: skip


@account_view.on(EntitlementsSet)
async def _entitled(
    connection: AsyncConnection, event: EntitlementsSet, recorded: Recorded
) -> None:
    await _set(
        connection, recorded,
        executions_per_month=event.executions_per_month, running_max=event.running_max,
        history_days=event.history_days, features=event.features,
        period_ends_at=event.period_ends_at, month=month_of(period_start(event.period_ends_at)),
    )  # fmt: skip


@account_view.on(PlanChanged)
async def _changed(connection: AsyncConnection, event: PlanChanged, recorded: Recorded) -> None:
    await _set(connection, recorded, plan=event.to_plan, mark=0)


@account_view.on(PeriodClosed)
async def _closed(connection: AsyncConnection, _: PeriodClosed, recorded: Recorded) -> None:
    await _set(connection, recorded, mark=0)


@account_view.on(UsageAlarmRaised)
async def _alarmed(
    connection: AsyncConnection, event: UsageAlarmRaised, recorded: Recorded
) -> None:
    await _set(connection, recorded, mark=event.percent)
    await connection.execute(
        insert(alarms).values(
            org=recorded.organization, period_ends_at=event.period_ends_at, meter=event.meter,
            percent=event.percent, used=event.used, limit_was=event.limit,
            raised_at=recorded.time,
        )
    )  # fmt: skip


async def _set(connection: AsyncConnection, recorded: Recorded, **values: object) -> None:
    await connection.execute(
        update(accounts).where(accounts.c.org == recorded.organization).values(**values)
    )


@dataclass(frozen=True, slots=True)
class Metered:
    """What an organization used in the period that ends then."""

    organization: str
    period_ends_at: datetime
    used: int


async def find_account(connection: AsyncConnection, organization: str) -> RowMapping | None:
    """The account with `used`, the executions of its period."""
    statement = _with_used().where(accounts.c.org == organization)
    return (await connection.execute(statement)).mappings().first()


async def find_alarms(
    connection: AsyncConnection, organization: str, period_ends_at: datetime
) -> list[AlarmShown]:
    found = await connection.execute(
        select(alarms)
        .where(alarms.c.org == organization, alarms.c.period_ends_at == period_ends_at)
        .order_by(alarms.c.raised_at, alarms.c.percent)
    )
    return [
        AlarmShown(
            meter=row.meter, percent=row.percent, used=row.used, limit=row.limit_was,
            raised_at=row.raised_at,
        )
        for row in found
    ]  # fmt: skip


async def find_alarming(connection: AsyncConnection) -> list[Metered]:
    """Accounts that passed a mark for which no alarm was raised in their period."""
    next_mark = case(*[(accounts.c.mark < mark, mark) for mark in MARKS], else_=None)
    limit = accounts.c.executions_per_month * next_mark
    return await _metered(connection, lambda total: total * 100 >= limit)


async def find_ended(connection: AsyncConnection, grace: timedelta) -> list[Metered]:
    """Accounts whose period ended more than `grace` ago."""
    return await _metered(connection, lambda _: accounts.c.period_ends_at < clock.now() - grace)


async def _metered(
    connection: AsyncConnection, where: Callable[[Any], ColumnElement[bool]]
) -> list[Metered]:
    statement = _with_used()
    total = statement.selected_columns["used"].element
    found = await connection.execute(statement.where(where(total)).order_by(accounts.c.org))
    return [Metered(row.org, row.period_ends_at, row.used) for row in found]


def _with_used() -> Any:
    """What the facts say, and what is counted since."""
    month = func.left(counting.c.day, literal_column("7"))
    months = select(
        counting.c.org, month.label("month"), func.sum(counting.c.executions).label("executions")
    ).group_by(counting.c.org, month).subquery()  # fmt: skip
    total = _nothing_is_0(used.c.executions) + _nothing_is_0(months.c.executions)
    return select(accounts, total.cast(BigInteger).label("used")).select_from(
        accounts
        .outerjoin(used, (used.c.org == accounts.c.org) & (used.c.month == accounts.c.month))
        .outerjoin(months, (months.c.org == accounts.c.org) & (months.c.month == accounts.c.month))
    )  # fmt: skip


def _nothing_is_0(count: Any) -> Any:
    return func.coalesce(count, 0)


async def find_counted(connection: AsyncConnection) -> CountedShown:
    """Where the meter is in the executor's log."""
    found = await connection.execute(
        text("select incarnation, n from readers where name = 'metering'")
    )
    row = found.one_or_none()
    return CountedShown(incarnation=row.incarnation if row else 0, upto=row.n if row else 0)


async def usage_in_period(
    connection: AsyncConnection, organization: str, query: UsageInPeriod
) -> Page[UsageRow]:
    """Sums over the days, by what was asked; ordered by day, then workflow and kind."""
    both = union_all(*(
        select(t.c.day, t.c.workflow, t.c.kind, t.c.executions).where(t.c.org == organization)
        for t in (usage, counting)
    )).subquery()  # fmt: skip
    keys = [both.c[key] for key in ("day", "workflow", "kind") if key in query.by]
    sums = select(*keys, func.sum(both.c.executions).label("executions")).group_by(*keys)
    if query.from_at is not None:
        sums = sums.where(both.c.day >= day_of(query.from_at))
    if query.to_at is not None:
        sums = sums.where(both.c.day <= day_of(query.to_at - timedelta(microseconds=1)))
    rows = sums.subquery()
    shown = [
        rows.c[key] if key in query.by else null().label(key) for key in ("day", "workflow", "kind")
    ]
    day = func.coalesce(rows.c.day, "") if "day" in query.by else literal("")
    rest = [rows.c[key] for key in ("workflow", "kind") if key in query.by]
    place = func.concat_ws("/", literal(""), *rest)
    statement: Any = select(*shown, rows.c.executions, day.label("p1"), place.label("p2"))
    found = (await connection.execute(seek(statement, query, day, place))).all()
    return page_of(found, query, lambda r: (r.p1, r.p2), _usage_rows(found))


def _usage_rows(found: Sequence[Row[Any]]) -> list[UsageRow]:
    return [
        UsageRow(day=r.day, workflow=r.workflow, kind=r.kind, executions=int(r.executions))
        for r in found
    ]
