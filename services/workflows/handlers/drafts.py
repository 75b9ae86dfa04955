"""The draft as the executor runs, tries and tests it."""

import asyncio

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    DraftDocument,
    FindDraftDocument,
    WorkflowInvalid,
    workflow_stream,
)
from services.workflows.domain import documents
from services.workflows.domain.reviewing import must_be_approved
from services.workflows.domain.state import Workflow
from services.workflows.domain.workflow import Facts, workflow
from services.workflows.handlers import preparing, publishing, reviews


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
        reviewed = query.effects and await _reviewed(service, meta, workflow_id, state)
        return reply(DraftDocument(
            workflow_id=workflow_id, name=state.name, draft_version=state.draft_version,
            archived=state.archived, reviewed=reviewed, document=key.seal_bytes(plain, stream),
        ))  # fmt: skip


async def _reviewed(service: Service, meta: Meta, workflow_id: str, state: Workflow) -> bool:
    """Whether it had to be and was. Raises ReviewNeeded: what nobody else has seen does nothing."""
    if not (await reviews.policy_of(service, meta.organization)).review:
        return False
    facts = await publishing.checked(
        service, meta, workflow_id, state.draft_document, state.draft_media
    )
    if not isinstance(facts, Facts):
        raise WorkflowInvalid(f"the draft has {len(facts)} problems", errors=facts)
    must_be_approved(state, facts.callees)
    return True
