"""Drafts at work: run, tried step by step, tested, held against past executions."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from services.executor.contract import (
    DraftStartedShown,
    GoldenShown,
    ReplayGolden,
    StartDraft,
    TestDraft,
    TestsShown,
    TriedShown,
    TryStep,
)
from services.gateway.access import ExecutionStarter
from services.gateway.bodies import BodyOf
from services.gateway.routing import Routes

routes = Routes("drafts")
RUN = BodyOf(StartDraft, without=["workflow"], optional=True)
TRY = BodyOf(TryStep, without=["workflow", "step"], optional=True)
GOLDEN = BodyOf(ReplayGolden, without=["workflow"], optional=True)
REFUSES = ("workflow-invalid", "workflow-archived")
SIMULATED_S = 70.0


@routes.post("/v1/workflows/{workflow}/draft/run", DraftStartedShown, status=202,
             refuses=(*REFUSES, "invalid-input", "review-needed"))  # fmt: skip
async def run_draft(
    call: ExecutionStarter, workflow: str, body: Annotated[dict[str, Any], Depends(RUN)]
) -> Response:
    """Run the draft as it is now, with its effects. It is not counted, and waits for no place.

    It takes `workflows:edit` too, and where the organization publishes with four eyes an approved
    review. `pins` are results by step (`post`, `post[3]`) that are taken instead of doing the step.
    """
    return await call.carry_out(
        StartDraft, {"workflow": workflow},
        location=lambda made: f"/v1/executions/{made['execution']}", **body,
    )  # fmt: skip


@routes.post("/v1/workflows/{workflow}/draft/steps/{step}/try", TriedShown, takes_s=SIMULATED_S,
             refuses=(*REFUSES, "unknown-step", "review-needed"))  # fmt: skip
async def try_step(
    call: ExecutionStarter, workflow: str, step: str,
    body: Annotated[dict[str, Any], Depends(TRY)],
) -> Response:  # fmt: skip
    """Try one step of the draft with the names in `scope`.

    What it asks of the world is answered by `mock`, done with `"effects": true`, else it stops.
    Effects take `workflows:edit` too, and an organization that does not publish with four eyes.
    """
    return await call.carry_out(TryStep, {"workflow": workflow, "step": step}, **body)


@routes.post("/v1/workflows/{workflow}/draft/test", TestsShown, takes_s=SIMULATED_S,
             refuses=REFUSES)  # fmt: skip
async def test_draft(call: ExecutionStarter, workflow: str) -> Response:
    """Run the tests that the draft carries; nothing is reached, time passes at once."""
    return await call.carry_out(TestDraft, {"workflow": workflow})


@routes.post("/v1/workflows/{workflow}/draft/golden-replay", GoldenShown, takes_s=SIMULATED_S,
             refuses=REFUSES)  # fmt: skip
async def replay_golden(
    call: ExecutionStarter, workflow: str, body: Annotated[dict[str, Any], Depends(GOLDEN)]
) -> Response:
    """The last ended executions, simulated against the draft with what was recorded then.

    Each one is the same, or says the first step that differs and which effects would be new,
    missing or changed. Nothing is reached. Values are shown to who may read payloads.
    """
    return await call.carry_out(ReplayGolden, {"workflow": workflow}, **body)
