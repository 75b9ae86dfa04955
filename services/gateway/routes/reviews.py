"""What publishing takes: reviews by four eyes, past executions that go the same way."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import (
    OrganizationManager,
    WorkflowEditor,
    WorkflowPublisher,
    WorkflowReader,
    WorkflowReviewer,
)
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.workflows.contract import (
    DecideReview,
    FindPublishingGate,
    FindPublishingPolicy,
    FindReview,
    FindReviews,
    PublishingGateShown,
    PublishingPolicyShown,
    RequestReview,
    ReviewShown,
    SetPublishingGate,
    SetPublishingPolicy,
)

routes = Routes("reviews")
REQUEST = BodyOf(RequestReview, without=["workflow"])
DECISION = BodyOf(DecideReview, without=["review", "decision"], optional=True)
DECISION_REFUSES = ("already-decided", "review-void", "own-change", "person-needed",
                    "workflow-archived")  # fmt: skip


@routes.get("/v1/organization/publishing", PublishingPolicyShown)
async def find_publishing_policy(call: WorkflowReader) -> Response:
    """What a draft needs before it is published: a review, past executions that go its way."""
    return await call.show(FindPublishingPolicy)


@routes.put("/v1/organization/publishing", PublishingPolicyShown)
async def set_publishing_policy(
    call: OrganizationManager,
    body: Annotated[dict[str, Any], Depends(BodyOf(SetPublishingPolicy))],
) -> Response:
    """Publish with four eyes or two, and held against the last `golden_replay` executions."""
    return await call.carry_out(SetPublishingPolicy, **body)


@routes.get("/v1/workflows/{workflow}/publishing", PublishingGateShown)
async def find_publishing_gate(call: WorkflowReader, workflow: str) -> Response:
    """How many past executions have to go the same way before this workflow is published."""
    return await call.show(FindPublishingGate, {"workflow": workflow})


GATE = BodyOf(SetPublishingGate, without=["workflow"])


@routes.put("/v1/workflows/{workflow}/publishing", PublishingGateShown,
            refuses=("workflow-archived",))  # fmt: skip
async def set_publishing_gate(
    call: WorkflowPublisher, workflow: str, body: Annotated[dict[str, Any], Depends(GATE)]
) -> Response:
    """Set it for this workflow; what the organization asks for stays the least."""
    return await call.carry_out(SetPublishingGate, {"workflow": workflow}, **body)


@routes.post("/v1/workflows/{workflow}/reviews", ReviewShown, status=201,
             refuses=("nothing-to-publish", "workflow-invalid", "workflow-archived",
                      "changed-meanwhile"))  # fmt: skip
async def request_review(
    call: WorkflowEditor, workflow: str, body: Annotated[dict[str, Any], Depends(REQUEST)]
) -> Response:
    """Ask for a review of the draft as it was at `draft_version`, and of what it leans on."""
    return await call.carry_out(
        RequestReview, {"workflow": workflow},
        location=lambda made: f"/v1/reviews/{made['id']}", **body,
    )  # fmt: skip


@routes.get("/v1/reviews", Page[ReviewShown])
async def find_reviews(
    call: WorkflowReader, given: Annotated[dict[str, Any], Depends(Parameters(FindReviews))]
) -> Response:
    """The reviews, newest first."""
    return await call.listed(FindReviews, given)


@routes.get("/v1/reviews/{review}", ReviewShown)
async def find_review(call: WorkflowReader, review: str) -> Response:
    """One review, and what it covers."""
    return await call.show(FindReview, {"review": review})


@routes.post("/v1/reviews/{review}/approve", ReviewShown, refuses=DECISION_REFUSES)
async def approve_review(
    call: WorkflowReviewer, review: str, body: Annotated[dict[str, Any], Depends(DECISION)]
) -> Response:
    """The draft may be published as it is; not by who wrote what is in it."""
    return await call.carry_out(DecideReview, {"review": review}, decision="approved", **body)


@routes.post("/v1/reviews/{review}/reject", ReviewShown, refuses=DECISION_REFUSES)
async def reject_review(
    call: WorkflowReviewer, review: str, body: Annotated[dict[str, Any], Depends(DECISION)]
) -> Response:
    """The draft may not be published as it is."""
    return await call.carry_out(DecideReview, {"review": review}, decision="rejected", **body)
