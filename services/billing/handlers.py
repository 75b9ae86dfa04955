"""Answers what others ask of billing."""

import asyncio
from datetime import datetime

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import RowMapping

from libs.common import clock
from libs.common.bus import CausedBy, reply
from libs.common.messages import Meta
from libs.common.pages import page_in_memory
from libs.common.service import Service
from services.billing import views
from services.billing.contract import (
    SERVICE,
    AccountOpening,
    AccountShown,
    ChangePlan,
    FindAccount,
    FindCounted,
    FindPlans,
    Limits,
    Period,
    PlanChangedShown,
    UsageInPeriod,
    Used,
)  # fmt: skip
from services.billing.domain import (
    Account,
    Change,
    State,
    account,
    account_stream,
    period_start,
)  # fmt: skip
from services.billing.plans import PLANS

OPENING_S = 2.0


def router(service: Service) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(ChangePlan.type, queue=SERVICE)
    async def change_plan(command: ChangePlan, meta: CausedBy) -> NatsResponse:
        organization = command.organization or meta.organization
        meta = meta.model_copy(update={"organization": organization})
        change = Change(command.plan, clock.now())
        return await service.decide(
            account, account_stream(organization), change, meta,
            answer=lambda state, _: plan_shown(organization, state),
        )  # fmt: skip

    @r.subscriber(FindPlans.type, queue=SERVICE)
    async def find_plans(query: FindPlans) -> NatsResponse:
        plans = list(PLANS.values())
        return reply(page_in_memory(plans, query, lambda plan: (plan.price.amount, plan.name)))

    @r.subscriber(FindAccount.type, queue=SERVICE)
    async def find_account(query: FindAccount, meta: CausedBy) -> NatsResponse:
        return reply(await _account(service, meta))

    @r.subscriber(FindCounted.type, queue=SERVICE)
    async def find_counted(query: FindCounted) -> NatsResponse:
        async with service.database.work() as connection:
            return reply(await views.find_counted(connection))

    @r.subscriber(UsageInPeriod.type, queue=SERVICE)
    async def usage_in_period(query: UsageInPeriod, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as connection:
            return reply(await views.usage_in_period(connection, meta.organization, query))

    return r


async def _account(service: Service, meta: Meta) -> AccountShown:
    """Waits for the account of an organization that was founded a moment ago."""
    deadline = asyncio.get_running_loop().time() + OPENING_S
    while True:
        async with service.database.read(meta.organization) as connection:
            row = await views.find_account(connection, meta.organization)
            if row is not None:
                alarms = await views.find_alarms(
                    connection, meta.organization, row["period_ends_at"]
                )
                return account_shown(row, alarms)
        if asyncio.get_running_loop().time() > deadline:
            raise AccountOpening("the account of this organization is being opened", part=SERVICE)
        await asyncio.sleep(0.1)


def account_shown(row: RowMapping, alarms: list[views.AlarmShown]) -> AccountShown:
    limit = row["executions_per_month"]
    return AccountShown(
        organization=row["org"], plan=row["plan"], period=period_shown(row["period_ends_at"]),
        limits=Limits(
            executions_per_month=limit, running_max=row["running_max"],
            history_days=row["history_days"],
        ),
        features=row["features"], alarms=alarms,
        used=Used(executions=row["used"], percent=row["used"] * 100 // max(limit, 1)),
    )  # fmt: skip


def plan_shown(organization: str, state: State) -> PlanChangedShown:
    if not isinstance(state, Account):
        raise AccountOpening(part=SERVICE)
    return PlanChangedShown(
        organization=organization, plan=state.plan, period=period_shown(state.period_ends_at),
        limits=Limits(
            executions_per_month=state.executions_per_month, running_max=state.running_max,
            history_days=state.history_days,
        ),
        features=list(state.features),
    )  # fmt: skip


def period_shown(ends_at: datetime) -> Period:
    return Period(starts_at=period_start(ends_at), ends_at=ends_at)
