"""Workflows: documents as they are written, drafts, versions, on and off."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.errors import Malformed
from libs.common.lists import Page
from services.gateway.access import WorkflowEditor, WorkflowPublisher, WorkflowReader
from services.gateway.bodies import JSON, YAML, YAML_NAMES, BodyOf, media_type, read
from services.gateway.bodies import refuse_media_type as wrong_media_type
from services.gateway.call import Call, json_response
from services.gateway.parameters import Parameters
from services.gateway.refusals import MalformedJson
from services.gateway.routing import Routes
from services.workflows.contract import (
    ArchiveWorkflow,
    CheckDocument,
    CheckShown,
    CompareVersions,
    DiffShown,
    DisableWorkflow,
    DraftedShown,
    DraftShown,
    DraftWorkflow,
    EnableWorkflow,
    FindDraft,
    FindVersion,
    FindVersions,
    FindWorkflow,
    FindWorkflows,
    PublishWorkflow,
    RollBackWorkflow,
    SaveDraft,
    VersionShown,
    WorkflowShown,
)

routes = Routes("workflows")
DOCUMENTS = (YAML, JSON)


class MalformedYaml(Malformed):
    code = "malformed-yaml"


async def document_of(call: Call) -> dict[str, Any]:
    """The document as it came, and in which notation; its text is read by who owns documents."""
    media = media_type(call.request)
    if media != JSON and media not in YAML_NAMES:
        raise wrong_media_type(DOCUMENTS)
    body = await read(call.request)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        kind = MalformedJson if media == JSON else MalformedYaml
        raise kind("the document is not UTF-8") from None
    return {"document": text, "media": "json" if media == JSON else "yaml"}


@routes.get("/v1/workflows", Page[WorkflowShown])
async def find_workflows(
    call: WorkflowReader, given: Annotated[dict[str, Any], Depends(Parameters(FindWorkflows))]
) -> Response:
    """The workflows; `label` is `key` or `key:value`, `q` a part of the name."""
    return await call.listed(FindWorkflows, given)


@routes.post("/v1/workflows", DraftedShown, status=201, documents=DOCUMENTS,
             refuses=("workflow-exists", "malformed-yaml", "workflow-invalid"))  # fmt: skip
async def draft_workflow(call: WorkflowEditor) -> Response:
    """Create a workflow from a document. A draft may have problems; the answer lists them."""
    return await call.carry_out(
        DraftWorkflow, location=lambda made: f"/v1/workflows/{made['id']}",
        **await document_of(call),
    )  # fmt: skip


@routes.post("/v1/workflows/check", CheckShown, documents=DOCUMENTS, refuses=("malformed-yaml",))
async def check_document(call: WorkflowReader) -> Response:
    """Problems and warnings of a document; nothing is stored."""
    answered = await call.ask(CheckDocument, **await document_of(call))
    return json_response(answered.body, 200)


ONE = Parameters(FindWorkflow, without=["workflow"], expand=("draft", "published"))


@routes.get("/v1/workflows/{workflow}", WorkflowShown, versioned=True)
async def find_workflow(
    call: WorkflowReader, workflow: str, given: Annotated[dict[str, Any], Depends(ONE)]
) -> Response:
    """One workflow by its id or name: state, versions, the addresses of its triggers."""
    return await call.show(FindWorkflow, {"workflow": workflow}, **given)


@routes.get("/v1/workflows/{workflow}/draft", YAML, produces=DOCUMENTS, versioned=True)
async def find_draft(call: WorkflowReader, workflow: str) -> Response:
    """The draft, byte for byte as it was saved, in the notation it was saved in."""
    answered = await call.ask(FindDraft, {"workflow": workflow})
    draft = answered.as_a(DraftShown)
    response = call.shown(answered, draft.document.encode())
    if response.status_code == 200:
        response.headers["Content-Type"] = YAML if draft.media == "yaml" else JSON
        response.headers["Cache-Control"] = "private, no-cache"
    return response


@routes.put("/v1/workflows/{workflow}/draft", DraftedShown, documents=DOCUMENTS, matches=True,
            creates=True, refuses=("malformed-yaml", "workflow-archived"))  # fmt: skip
async def save_draft(call: WorkflowEditor, workflow: str) -> Response:
    """Save the draft (`If-Match`), or create the workflow with it (`If-None-Match: *`)."""
    response = await call.carry_out(SaveDraft, {"workflow": workflow}, **await document_of(call))
    if call.request.headers.get("if-match") is None:
        response.status_code = 201
        response.headers["Location"] = f"/v1/workflows/{workflow}"
    return response


PUBLISH = BodyOf(PublishWorkflow, without=["workflow"])


@routes.post("/v1/workflows/{workflow}/publish", WorkflowShown, takes_s=90.0,
             refuses=("nothing-to-publish", "workflow-invalid", "workflow-archived", "path-taken",
                      "changed-meanwhile", "review-needed", "tests-failed",
                      "golden-replay-differs"))  # fmt: skip
async def publish_workflow(
    call: WorkflowPublisher, workflow: str, body: Annotated[dict[str, Any], Depends(PUBLISH)]
) -> Response:
    """The draft, as it was at `draft_version`, becomes the next version; triggers start it.

    The tests that it carries have to pass. As many of the last executions as the organization,
    the workflow or `gate` say have to go the same way, unless `accept_differences` says that
    their differences are meant.
    """
    return await call.carry_out(PublishWorkflow, {"workflow": workflow}, **body)


ROLL_BACK = BodyOf(RollBackWorkflow, without=["workflow"])


@routes.post("/v1/workflows/{workflow}/rollback", WorkflowShown,
             refuses=("nothing-to-publish", "workflow-invalid", "workflow-archived",
                      "path-taken"))  # fmt: skip
async def roll_back_workflow(
    call: WorkflowPublisher, workflow: str, body: Annotated[dict[str, Any], Depends(ROLL_BACK)]
) -> Response:
    """What version `version` was is published again as the next version; the draft stays."""
    return await call.carry_out(RollBackWorkflow, {"workflow": workflow}, **body)


VERSIONS = Parameters(FindVersions, without=["workflow"])


@routes.get("/v1/workflows/{workflow}/versions", Page[VersionShown])
async def find_versions(
    call: WorkflowReader, workflow: str, given: Annotated[dict[str, Any], Depends(VERSIONS)]
) -> Response:
    """The published versions, newest first."""
    return await call.listed(FindVersions, given, {"workflow": workflow})


@routes.get("/v1/workflows/{workflow}/versions/{version}", VersionShown)
async def find_version(call: WorkflowReader, workflow: str, version: str) -> Response:
    """One published version with its document; it never changes."""
    return await call.show(FindVersion, {"workflow": workflow, "version": version})


DIFF = Parameters(CompareVersions, without=["workflow", "version"])


@routes.get("/v1/workflows/{workflow}/versions/{version}/diff", DiffShown)
async def compare_versions(
    call: WorkflowReader, workflow: str, version: str,
    given: Annotated[dict[str, Any], Depends(DIFF)],
) -> Response:  # fmt: skip
    """What changed from `against` (by default the version before) to this one, step by step.

    With `against=draft` what the draft would change. Pointers lead into the documents.
    """
    return await call.show(CompareVersions, {"workflow": workflow, "version": version}, **given)


@routes.post("/v1/workflows/{workflow}/enable", WorkflowShown,
             refuses=("workflow-archived", "path-taken"))  # fmt: skip
async def enable_workflow(call: WorkflowPublisher, workflow: str) -> Response:
    """Its triggers start executions again."""
    return await call.carry_out(EnableWorkflow, {"workflow": workflow})


@routes.post("/v1/workflows/{workflow}/disable", WorkflowShown, refuses=("workflow-archived",))
async def disable_workflow(call: WorkflowPublisher, workflow: str) -> Response:
    """Its triggers start nothing; what runs goes on."""
    return await call.carry_out(DisableWorkflow, {"workflow": workflow})


@routes.post("/v1/workflows/{workflow}/archive", WorkflowShown)
async def archive_workflow(call: WorkflowPublisher, workflow: str) -> Response:
    """Put it away: new starts are refused, what runs ends."""
    return await call.carry_out(ArchiveWorkflow, {"workflow": workflow})
