"""Live streams of the trail to a SIEM."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.audit.contract import (
    ChangeSiemStream,
    CreateSiemStream,
    DeleteSiemStream,
    FindSiemState,
    FindSiemStream,
    FindSiemStreams,
    RotateSiemSecret,
    SiemStateShown,
    SiemStreamPatch,
    SiemStreamShown,
)
from services.gateway.access import AuditExporter, AuditReader
from services.gateway.bodies import MERGE, BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes

routes = Routes("audit")
PATH = "/v1/audit/siem-streams/{stream}"


@routes.get("/v1/audit/siem-streams", Page[SiemStreamShown], refuses=("not-found",))
async def find_siem_streams(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindSiemStreams))]
) -> Response:
    """Where the organization's trail is carried live; `trail` may be the instance's, for its
    operator."""
    return await call.listed(FindSiemStreams, given)


@routes.post("/v1/audit/siem-streams", SiemStreamShown, status=201,
             refuses=("url-not-allowed", "limit-reached", "not-found"))  # fmt: skip
async def create_siem_stream(
    call: AuditExporter, body: Annotated[dict[str, Any], Depends(BodyOf(CreateSiemStream))]
) -> Response:
    """Carry every entry from now on to a SIEM, by signed posts of lines, with a health check each
    day. `signing_secret` is shown now and never again, `authorization` never."""
    return await call.carry_out(
        CreateSiemStream, location=lambda made: f"/v1/audit/siem-streams/{made['id']}", **body
    )


@routes.get(PATH, SiemStreamShown, versioned=True)
async def find_siem_stream(call: AuditReader, stream: str) -> Response:
    """One of them."""
    return await call.show(FindSiemStream, {"stream": stream})


@routes.get(f"{PATH}/state", SiemStateShown)
async def find_siem_state(call: AuditReader, stream: str) -> Response:
    """How far it is, when something arrived last, and the outcome of the last health check."""
    return await call.show(FindSiemState, {"stream": stream})


@routes.patch(PATH, SiemStreamShown, matches=True, refuses=("url-not-allowed",))
async def change_siem_stream(
    call: AuditExporter, stream: str,
    body: Annotated[dict[str, Any], Depends(BodyOf(SiemStreamPatch, media=MERGE))],
) -> Response:  # fmt: skip
    """Change it by a JSON Merge Patch (`If-Match`); it is checked at once."""
    return await call.carry_out(ChangeSiemStream, {"stream": stream}, patch=body)


@routes.delete(PATH, matches=True)
async def delete_siem_stream(call: AuditExporter, stream: str) -> Response:
    """Delete it (`If-Match`): nothing is carried there any more, and its secrets are gone."""
    return await call.carry_out(DeleteSiemStream, {"stream": stream})


@routes.post(f"{PATH}/rotate-secret", SiemStreamShown)
async def rotate_siem_secret(call: AuditExporter, stream: str) -> Response:
    """A new signing secret, shown once; the old one signs too for a day."""
    return await call.carry_out(RotateSiemSecret, {"stream": stream})
