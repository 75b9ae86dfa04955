"""Documents: drafted, saved, checked, read back."""

import asyncio

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound, PreconditionRequired
from libs.common.messages import Meta
from libs.common.service import Service
from libs.language.check_editor_schema import workflow_schema
from services.workflows.contract import (
    SERVICE,
    CheckDocument,
    DraftedShown,
    DraftWorkflow,
    FindDraft,
    FindSchema,
    Media,
    SaveDraft,
    SchemaShown,
    workflow_stream,
)
from services.workflows.domain import documents
from services.workflows.domain.state import State, Workflow
from services.workflows.domain.workflow import Draft, Save, workflow
from services.workflows.handlers import preparing
from services.workflows.views import beside, queries, show


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(DraftWorkflow.type, queue=SERVICE)
    async def draft_workflow(command: DraftWorkflow, meta: CausedBy) -> NatsResponse:
        read = await examined(service, meta, command.document, command.media)
        workflow_id = preparing.id_of(meta.organization, read.name)
        return await keep(service, meta, workflow_id, command.media, read, create=True)

    @r.subscriber(SaveDraft.type, queue=SERVICE)
    async def save_draft(command: SaveDraft, meta: CausedBy) -> NatsResponse:
        if meta.expected_version is None:
            raise PreconditionRequired("say with If-Match which draft you change")
        read = await examined(service, meta, command.document, command.media)
        workflow_id = preparing.resolve(meta, command.workflow)
        named = workflow_id == preparing.id_of(meta.organization, read.name)
        create = named and meta.expected_version == 0
        return await keep(service, meta, workflow_id, command.media, read, create=create)

    @r.subscriber(FindDraft.type, queue=SERVICE)
    async def find_draft(query: FindDraft, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, query.workflow)
        async with service.database.read(meta.organization) as db:
            row = await queries.workflow(db, workflow_id)
            draft = await queries.draft(db, workflow_id)
        if row is None or draft is None:
            raise NotFound()
        stream = workflow_stream(meta.organization, workflow_id)
        text = await service.keys.open(meta.organization, "content", stream, draft.document)
        return reply(show.draft_shown(draft, text), row.stream_version)

    @r.subscriber(CheckDocument.type, queue=SERVICE)
    async def check_document(query: CheckDocument, meta: CausedBy) -> NatsResponse:
        known = await preparing.known(service, meta, publishing=True)
        return reply(await asyncio.to_thread(documents.opinion, query.document, query.media, known))

    @r.subscriber(FindSchema.type, queue=SERVICE)
    async def find_schema(query: FindSchema, meta: CausedBy) -> NatsResponse:
        return reply(SchemaShown(json_schema=workflow_schema()))


async def examined(service: Service, meta: Meta, text: str, media: Media) -> documents.Examined:
    known = await preparing.known(service, meta, publishing=False)
    return await asyncio.to_thread(documents.examine, text, media, known)


async def keep(
    service: Service, meta: Meta, workflow_id: str, media: Media, read: documents.Examined, *,
    create: bool,
) -> NatsResponse:  # fmt: skip
    """Puts a document into the log as a new workflow, or in the place of a draft."""
    org = meta.organization
    saved = await preparing.saved(service, meta, workflow_id, media, read)
    command = Draft(workflow_id, read.name, saved) if create else Save(read.name, saved)

    def answer(state: State, version: int) -> DraftedShown:
        assert isinstance(state, Workflow)
        return DraftedShown(
            **dict(show.workflow_shown(org, state)),
            problems=documents.problems_shown(read.checked.problems),
            warnings=documents.problems_shown(read.checked.warnings),
        )

    async def uses(db: AsyncConnection) -> None:
        await beside.note_uses(db, org, workflow_id, read.name, "draft", read.secrets)

    stream = workflow_stream(org, workflow_id)
    return await service.decide(workflow, stream, command, meta, answer=answer, beside=uses)
