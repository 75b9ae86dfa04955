"""Approvals: what waits for the caller, and deciding it."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.executor.contract import (
    ApprovalShown,
    DecideApproval,
    FindApproval,
    FindApprovals,
)
from services.gateway.access import ApprovalDecider
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routes.executions import workflows_by_id
from services.gateway.routing import Routes

routes = Routes("approvals")
ANY = Parameters(FindApprovals, by_name=("workflow",))
DECISION = BodyOf(DecideApproval, without=["approval_id", "decision"], optional=True)
REFUSES = ("already-decided", "approval-changed", "approval-closed", "person-needed")


@routes.get("/v1/approvals", Page[ApprovalShown])
async def find_approvals(
    call: ApprovalDecider, given: Annotated[dict[str, Any], Depends(ANY)]
) -> Response:
    """Those that name you or your role; with `status=pending` what waits for somebody."""
    return await call.listed(FindApprovals, await workflows_by_id(call, given))


@routes.get("/v1/approvals/{approval}", ApprovalShown)
async def find_approval(call: ApprovalDecider, approval: str) -> Response:
    """One; what it is about is there for those who are asked."""
    return await call.show(FindApproval, {"approval_id": approval})


@routes.post("/v1/approvals/{approval}/approve", ApprovalShown, refuses=REFUSES)
async def approve_approval(
    call: ApprovalDecider, approval: str, body: Annotated[dict[str, Any], Depends(DECISION)]
) -> Response:
    """Yes, with a changed `input` if the step has a schema for it; of several, one voice."""
    return await call.carry_out(
        DecideApproval, {"approval_id": approval}, decision="approved", **body
    )


@routes.post("/v1/approvals/{approval}/reject", ApprovalShown, refuses=REFUSES)
async def reject_approval(
    call: ApprovalDecider, approval: str, body: Annotated[dict[str, Any], Depends(DECISION)]
) -> Response:
    """No; one is enough."""
    return await call.carry_out(
        DecideApproval, {"approval_id": approval}, decision="rejected", **body
    )
