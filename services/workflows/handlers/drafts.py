"""The draft as the executor runs, tries and tests it."""

import asyncio

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    DraftDocument,
    FindDraftDocument,
    WorkflowInvalid,
    workflow_stream,
)
from services.workflows.domain import documents
from services.workflows.domain.state import Workflow
from services.workflows.domain.workflow import workflow
from services.workflows.handlers import preparing


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(FindDraftDocument.type, queue=SERVICE)
    async def find_draft_document(query: FindDraftDocument, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, query.workflow)
        stream = workflow_stream(meta.organization, workflow_id)
        state, _, _ = await service.store.state(workflow, stream)
        if not isinstance(state, Workflow):
            raise NotFound()
        key = await service.keys.key(meta.organization, "content")
        text = key.open(state.draft_document, stream)
        known = await preparing.known(service, meta, publishing=False)
        read = await asyncio.to_thread(documents.examine, text, state.draft_media, known)
        plain = documents.canonical(read)
        if problems := documents.unpublishable(read, len(plain)):
            raise WorkflowInvalid(f"the draft has {len(problems)} problems", errors=problems)
        return reply(DraftDocument(
            workflow_id=workflow_id, name=state.name, draft_version=state.draft_version,
            archived=state.archived, document=key.seal_bytes(plain, stream),
        ))  # fmt: skip
