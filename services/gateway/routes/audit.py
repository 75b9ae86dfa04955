"""The trail: what happened in the organization, and who did it."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.audit.contract import (
    CompletenessShown,
    EntryShown,
    FindCompleteness,
    FindEntries,
    FindEntry,
    FindInstanceEntries,
)
from services.gateway.access import AuditReader, Operator
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes

routes = Routes("audit")


@routes.get("/v1/audit/events", Page[EntryShown])
async def find_entries(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindEntries))]
) -> Response:
    """The organization's trail, newest first; `type` may end with `*`."""
    return await call.listed(FindEntries, given)


@routes.get("/v1/audit/events/{event}", EntryShown)
async def find_entry(call: AuditReader, event: str) -> Response:
    """One entry."""
    return await call.show(FindEntry, {"event_id": event})


@routes.get("/v1/instance/audit-events", Page[EntryShown])
async def find_instance_entries(
    call: Operator, given: Annotated[dict[str, Any], Depends(Parameters(FindInstanceEntries))]
) -> Response:
    """The installation's own trail: sign-ins, processes, what belongs to no organization."""
    return await call.listed(FindInstanceEntries, given)


@routes.get("/v1/audit/completeness", CompletenessShown)
async def find_completeness(call: Operator) -> Response:
    """Is what was committed also audited, producer by producer? For the operator."""
    return await call.show(FindCompleteness)
