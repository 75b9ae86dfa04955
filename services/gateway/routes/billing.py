"""Plans, the account, and what was used."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.billing.contract import (
    AccountShown,
    ChangePlan,
    FindAccount,
    FindPlans,
    PlanChangedShown,
    PlanShown,
    UsageInPeriod,
    UsageRow,
)
from services.gateway.access import Anybody, Operator, UsageReader
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes

routes = Routes("billing")


@routes.get("/v1/plans", Page[PlanShown])
async def find_plans(
    call: Anybody, given: Annotated[dict[str, Any], Depends(Parameters(FindPlans))]
) -> Response:
    """The plans: limits, features, price."""
    return await call.listed(FindPlans, given)


@routes.get("/v1/billing", AccountShown)
async def find_account(call: UsageReader) -> Response:
    """Plan, period, limits, what was used, alarms."""
    return await call.show(FindAccount)


@routes.put("/v1/billing/plan", PlanChangedShown)
async def change_plan(
    call: Operator, body: Annotated[dict[str, Any], Depends(BodyOf(ChangePlan))]
) -> Response:
    """Give an organization another plan; only the operator of the installation."""
    return await call.carry_out(ChangePlan, **body)


@routes.get("/v1/usage", Page[UsageRow])
async def usage_in_period(
    call: UsageReader, given: Annotated[dict[str, Any], Depends(Parameters(UsageInPeriod))]
) -> Response:
    """Executions started, summed up by day, workflow, kind."""
    return await call.listed(UsageInPeriod, given)
