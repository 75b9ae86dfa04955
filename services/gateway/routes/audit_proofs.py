"""The proof of the trail: checkpoints, proof files, tiles, digests, keys, exports."""

import base64
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.audit.contract import (
    CheckpointShown,
    ConsistencyShown,
    DigestShown,
    ExportTrail,
    FindCheckpoint,
    FindCheckpoints,
    FindConsistency,
    FindDigests,
    FindProof,
    FindTile,
    FindVerifierKeys,
    KeyShown,
    ResumeSigning,
)
from services.executor.contract import OperationShown
from services.gateway.access import Anybody, AuditExporter, AuditReader, Operator
from services.gateway.bodies import JSON, BodyOf
from services.gateway.contracts import TrailExport
from services.gateway.parameters import Parameters
from services.gateway.routes.operations import promised
from services.gateway.routing import Routes

routes = Routes("audit")
TEXT, BYTES = "text/plain", "application/octet-stream"
TILE = Parameters(FindTile, without=["level", "index"])


@routes.get("/v1/audit/checkpoint", CheckpointShown, produces=(JSON, TEXT),
            refuses=("not-found",))  # fmt: skip
async def find_checkpoint(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindCheckpoint))]
) -> Response:
    """The last signed checkpoint of the organization's trail, or the one of a `size`. As
    `text/plain` the note itself. `trail` may be the instance's, for its operator."""
    answered = await call.ask(FindCheckpoint, **given)
    if TEXT in call.request.headers.get("accept", ""):
        return Response(answered.value["checkpoint"], media_type=TEXT)
    return call.shown(answered)


@routes.get("/v1/audit/checkpoints", Page[CheckpointShown], refuses=("not-found",))
async def find_checkpoints(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindCheckpoints))]
) -> Response:
    """All that were ever signed for the trail, newest first."""
    return await call.listed(FindCheckpoints, given)


@routes.get("/v1/audit/consistency", ConsistencyShown, refuses=("not-found", "not-signed-yet"))
async def find_consistency(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindConsistency))]
) -> Response:
    """The proof that the tree of size `from` is the beginning of that of size `to`."""
    return await call.show(FindConsistency, **given)


@routes.get("/v1/audit/events/{event}/proof", TEXT, produces=(TEXT,), refuses=("not-signed-yet",))
async def find_proof(call: AuditReader, event: str) -> Response:
    """A proof file of one entry (C2SP tlog-proof): verifiable offline, for ever."""
    answered = await call.ask(FindProof, {"event_id": event})
    return Response(answered.value["proof"], media_type=TEXT)


@routes.get("/v1/audit/tiles/{level}/{index}", BYTES, produces=(BYTES,))
async def find_tile(
    call: AuditReader, level: str, index: str, given: Annotated[dict[str, Any], Depends(TILE)]
) -> Response:
    """Hashes of the tree as C2SP tlog-tiles; without `width` as many as the tile has by now."""
    answered = await call.ask(FindTile, {"level": level, "index": index}, **given)
    return Response(base64.b64decode(answered.value["hashes"]), media_type=BYTES)


@routes.get("/v1/audit/digests", Page[DigestShown])
async def find_digests(
    call: AuditReader, given: Annotated[dict[str, Any], Depends(Parameters(FindDigests))]
) -> Response:
    """The signed digests, one an hour, newest first; the numbers in them are the operator's."""
    return await call.listed(FindDigests, given)


@routes.get("/v1/audit/keys", Page[KeyShown])
async def find_verifier_keys(
    call: Anybody, given: Annotated[dict[str, Any], Depends(Parameters(FindVerifierKeys))]
) -> Response:
    """With these keys checkpoints and digests are verified. Keep one where you keep what is yours:
    a key that is asked for again may be another one."""
    return await call.listed(FindVerifierKeys, given)


@routes.post("/v1/audit/exports", OperationShown, status=202, waits=True,
             later=(200, OperationShown), refuses=("not-signed-yet",))  # fmt: skip
async def export_trail(
    call: AuditExporter, body: Annotated[dict[str, Any], Depends(BodyOf(TrailExport))]
) -> Response:
    """A part of the trail as lines, read from `/v1/operations/{operation}/result` for a day:
    `jsonl` is what `troth audit verify` takes, `ocsf` events of OCSF."""
    answered = await call.change(
        ExportTrail, format=body["format"], from_at=body["from_"], to_at=body["to"]
    )
    return await promised(call, answered)


@routes.post("/v1/audit/checkpoints/resume", CheckpointShown, refuses=("not-found",
             "checkpoint-refused"))  # fmt: skip
async def resume_signing(
    call: Operator, body: Annotated[dict[str, Any], Depends(BodyOf(ResumeSigning))]
) -> Response:
    """Sign again for a trail that was refused, if it goes on now from what was signed last."""
    return await call.carry_out(ResumeSigning, **body)
