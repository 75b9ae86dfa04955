"""What becomes of a workflow: published, switched on and off, put away."""

import asyncio

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.errors import FieldProblem, NotFound
from libs.common.messages import Meta
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    ArchiveWorkflow,
    DisableWorkflow,
    EnableWorkflow,
    PublishWorkflow,
    WorkflowShown,
    workflow_stream,
)
from services.workflows.domain import documents
from services.workflows.domain.workflow import (
    Archive,
    Command,
    Disable,
    Enable,
    Facts,
    Publish,
    State,
    Workflow,
    workflow,
)
from services.workflows.handlers import preparing
from services.workflows.views import beside, show

BY_HAND = "by-hand"


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(PublishWorkflow.type, queue=SERVICE)
    async def publish_workflow(command: PublishWorkflow, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, command.workflow)
        return await publish(service, meta, workflow_id, command)

    @r.subscriber(EnableWorkflow.type, queue=SERVICE)
    async def enable_workflow(command: EnableWorkflow, meta: CausedBy) -> NatsResponse:
        return await change(service, meta, command.workflow, Enable(BY_HAND))

    @r.subscriber(DisableWorkflow.type, queue=SERVICE)
    async def disable_workflow(command: DisableWorkflow, meta: CausedBy) -> NatsResponse:
        return await change(service, meta, command.workflow, Disable(BY_HAND))

    @r.subscriber(ArchiveWorkflow.type, queue=SERVICE)
    async def archive_workflow(command: ArchiveWorkflow, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, command.workflow)

        async def free(db: AsyncConnection) -> None:
            await beside.put_away(db, meta.organization, workflow_id)

        stream = workflow_stream(meta.organization, workflow_id)
        return await service.decide(
            workflow, stream, Archive(), meta, answer=answers(meta), beside=free
        )


class answers:  # noqa: N801 - reads as a sentence: `answer=answers(meta)`
    """Shows a workflow as its state has it."""

    def __init__(self, meta: Meta) -> None:
        self.organization = meta.organization

    def __call__(self, state: State, version: int) -> WorkflowShown:
        assert isinstance(state, Workflow)
        return show.workflow_shown(self.organization, state)


async def change(service: Service, meta: Meta, name: str, command: Command) -> NatsResponse:
    stream = workflow_stream(meta.organization, preparing.resolve(meta, name))
    return await service.decide(workflow, stream, command, meta, answer=answers(meta))


async def publish(
    service: Service, meta: Meta, workflow_id: str, command: PublishWorkflow
) -> NatsResponse:
    """Checks the draft as it stands, and publishes it if nobody changes it meanwhile."""
    org, stream = meta.organization, workflow_stream(meta.organization, workflow_id)
    state, _, _ = await service.store.state(workflow, stream)
    if isinstance(state, Workflow):
        checked = await checked_draft(service, meta, state)
    else:
        raise NotFound()
    note = command.note and await service.keys.seal(org, "content", stream, command.note)
    made = Publish(
        command.draft_version, state.draft_version, checked, note or None, preparing.now()
    )

    async def claims(db: AsyncConnection) -> None:
        if isinstance(checked, Facts):
            await beside.lock_secrets(db, org)
            await beside.must_exist(db, org, checked.secrets)
            await beside.claim_paths(db, org, workflow_id, [t.path for t in checked.triggers])
            await beside.note_uses(db, org, workflow_id, state.name, "published", checked.secrets)

    return await service.decide(workflow, stream, made, meta, answer=answers(meta), beside=claims)


async def checked_draft(
    service: Service, meta: Meta, state: Workflow
) -> Facts | list[FieldProblem]:
    """The facts of the draft, with its canonical JSON sealed; or its problems."""
    org, stream = meta.organization, workflow_stream(meta.organization, state.workflow_id)
    text = await service.keys.open(org, "content", stream, state.draft_document)
    known = await preparing.known(service, meta, publishing=True)
    read = await asyncio.to_thread(documents.examine, text, state.draft_media, known)
    plain = documents.canonical(read)
    key = await service.keys.key(org, "content")
    return documents.publishable(read, key.seal_bytes(plain, stream), len(plain))
