"""What is kept and destroyed of the trail: legal holds, and receipts of what was forgotten."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.audit.contract import (
    FindAllHolds,
    FindHeldEntries,
    FindHolds,
    FindReceipt,
    HeldEntry,
    HoldShown,
    LiftHold,
    PlaceHold,
    ReceiptShown,
)
from services.gateway.access import AuditReader, AuditReaderOrOperator, Operator
from services.gateway.bodies import JSON, BodyOf
from services.gateway.contracts import HoldPlacing
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes

routes = Routes("audit")
TEXT = "text/plain"
HELD = Parameters(FindHeldEntries, without=["hold_id"])


@routes.get("/v1/audit/holds", Page[HoldShown])
async def find_holds(
    call: AuditReaderOrOperator,
    given: Annotated[dict[str, Any], Depends(Parameters(FindAllHolds))],
) -> Response:
    """Legal holds on the organization's trail: that there is one, why, and for which time. The
    operator of the installation, who needs no organization for it, sees those of all, or of the
    one in `organization`, and which entries they name."""
    assert call.caller is not None, "nobody else was let in"
    return await call.listed(FindAllHolds if call.caller.instance_operator else FindHolds, given)


@routes.post("/v1/audit/holds", HoldShown, status=201, refuses=("not-found",))
async def place_hold(
    call: Operator, body: Annotated[dict[str, Any], Depends(BodyOf(HoldPlacing))]
) -> Response:
    """Keeps entries of a trail for a case, under a key of its own, also when their day is
    forgotten; until it is lifted, or `expires_at`."""
    given = {name: body.get(name) for name in ("actor", "event_type")}
    return await call.carry_out(
        PlaceHold, organization_id=body["organization_id"], reason=body["reason"],
        from_at=body["from_"], to_at=body["to"], expires_at=body["expires_at"], **given,
    )  # fmt: skip


@routes.delete("/v1/audit/holds/{hold}")
async def lift_hold(call: Operator, hold: str) -> Response:
    """Ends it: its key is destroyed, and with it all that it kept."""
    return await call.carry_out(LiftHold, {"hold_id": hold})


@routes.get("/v1/audit/holds/{hold}/entries", Page[HeldEntry])
async def find_held_entries(
    call: Operator, hold: str, given: Annotated[dict[str, Any], Depends(HELD)]
) -> Response:
    """What the case has kept, with places and leaves that stay provable for ever."""
    return await call.listed(FindHeldEntries, given, {"hold_id": hold})


@routes.get("/v1/receipts/{receipt}", ReceiptShown, produces=(JSON, TEXT))
async def find_receipt(call: AuditReader, receipt: str) -> Response:
    """Signed proof that a day of the organization's trail was forgotten, or a case destroyed. As
    `text/plain` the note itself, which the key of the checkpoints verifies."""
    answered = await call.ask(FindReceipt, {"receipt_id": receipt})
    if TEXT in call.request.headers.get("accept", ""):
        return Response(answered.value["note"], media_type=TEXT)
    return call.shown(answered)
