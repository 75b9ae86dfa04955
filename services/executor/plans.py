"""How long an organization's history is kept: by its plan, as billing said it last."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import TextClause, text

from libs.common.database import Database
from libs.common.errors import Unavailable
from libs.common.log_page import LogPage, Page
from libs.common.messages import Meta
from services.billing.contract import SERVICE as BILLING
from services.executor.contract import SERVICE
from services.executor.subscribers import billing_view

if TYPE_CHECKING:
    from services.executor.engine import Engine

# Of an organization whose plan is not known here nothing leaves that any plan keeps.
LONGEST_DAYS = 30
_decode = msgspec.json.Decoder(Page).decode


async def over(engine: "Engine", database: Database, found: TextClause, at: datetime) -> bool:
    """Whether `found` finds anything by the plans that billing said last. Raises Unavailable."""
    async with database.work() as db:
        if (await db.execute(found, {"at": at, "bite": 1})).first() is None:
            return False
    await must_be_known(engine)
    return True


async def must_be_known(engine: "Engine") -> None:
    """Raises Unavailable while an older plan than today's may stand in `entitlements`."""
    answered = await engine.service.bus.ask(
        LogPage(after=0, limit=1), Meta.system(SERVICE), subject=f"{BILLING}.query.log-page"
    )
    page = _decode(answered.body)
    reader = next(r for r in engine.service.readers if r.name == billing_view.name)
    of_this_log = reader.incarnation in (0, page.incarnation)
    if not await reader.reached(page.head) or not of_this_log:
        raise Unavailable("what billing said last is not taken yet", part=BILLING)


def by_plan(table: str, where: str, found: str) -> TextClause:
    """A statement over all organizations with rows of `table` that are `where`, one by one.

    `found` is a select for one of them, `o`: its `org`, its `days`, and the moment `before` which
    its history is over at `:at`. Organizations are found by an index that begins with `org`.
    """
    return text(f"""
with recursive orgs(org) as (
  (select t.org from {table} t where {where} order by t.org limit 1)
  union all
  select (select t.org from {table} t where {where} and t.org > orgs.org order by t.org limit 1)
  from orgs where orgs.org is not null),
plans as (
  select orgs.org, coalesce(e.history_days, {LONGEST_DAYS}) as days
  from orgs left join entitlements e using (org) where orgs.org is not null),
o as (
  select org, days, cast(:at as timestamptz) - days * interval '24 hours' as before from plans)
{found}""")
