"""What is kept where and what for, whether that is so, and the record made from it."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from services.audit.contract import (
    CheckInventory,
    CheckShown,
    FindInventory,
    FindProcessingRecord,
    InventoryShown,
    RecordShown,
)
from services.gateway.access import AuditReader, Operator
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes

routes = Routes("audit")
CHECK_S = 60.0


@routes.get("/v1/inventory", InventoryShown)
async def find_inventory(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindInventory))]
) -> Response:
    """The inventory of data: every table, type of event, stream and file with all its values."""
    return await call.show(FindInventory, **given)


@routes.post("/v1/inventory/check", CheckShown, takes_s=CHECK_S)
async def check_inventory(call: Operator) -> Response:
    """Holds the live system against the inventory now. For the operator."""
    return await call.carry_out(CheckInventory)


@routes.get("/v1/processing-record", RecordShown)
async def find_processing_record(call: AuditReader) -> Response:
    """The record of processing activities (Article 30 GDPR), made from the inventory."""
    return await call.show(FindProcessingRecord)
