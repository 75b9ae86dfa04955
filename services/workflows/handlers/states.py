"""What becomes of a workflow: published, rolled back, switched on and off, put away."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    ArchiveWorkflow,
    CalleeFact,
    DisableWorkflow,
    EnableWorkflow,
    PublishWorkflow,
    RollBackWorkflow,
    WorkflowShown,
    workflow_stream,
)
from services.workflows.domain.state import State, Workflow
from services.workflows.domain.workflow import (
    Archive,
    Command,
    Disable,
    Enable,
    Facts,
    Publish,
    RollBack,
    Saved,
    workflow,
)
from services.workflows.handlers import gates, preparing, publishing, reviews
from services.workflows.views import beside, queries, show

BY_HAND = "by-hand"


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(PublishWorkflow.type, queue=SERVICE)
    async def publish_workflow(command: PublishWorkflow, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, command.workflow)
        return await publish(service, meta, workflow_id, command)

    @r.subscriber(RollBackWorkflow.type, queue=SERVICE)
    async def roll_back_workflow(command: RollBackWorkflow, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, command.workflow)
        return await roll_back(service, meta, workflow_id, command)

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
    if not isinstance(state, Workflow):
        raise NotFound()
    facts = await publishing.checked(
        service, meta, workflow_id, state.draft_document, state.draft_media
    )
    policy, accepted = await reviews.policy_of(service, org), None
    if isinstance(facts, Facts):
        await gates.tests_must_pass(service, meta, workflow_id, facts)
        wanted = gates.wanted(command.gate, state, policy)
        if wanted:
            accepted = await gates.golden_must_hold(
                service, meta, workflow_id, facts, wanted, accept=command.accept_differences
            )
    made = Publish(
        command.draft_version, state.draft_version, facts,
        await sealed_note(service, org, stream, command.note), preparing.now(),
        reviewed=policy.review, accepted=accepted,
    )  # fmt: skip
    return await service.decide(
        workflow, stream, made, meta, answer=answers(meta),
        beside=publishing.claims(org, workflow_id, state.name, facts),
    )  # fmt: skip


async def roll_back(
    service: Service, meta: Meta, workflow_id: str, command: RollBackWorkflow
) -> NatsResponse:
    """Checks the document of an old version as it stands today, and publishes it again."""
    org, stream = meta.organization, workflow_stream(meta.organization, workflow_id)
    async with service.database.read(org) as db:
        row = await queries.workflow(db, workflow_id)
        old = await queries.version(db, workflow_id, command.version)
    if row is None or old is None:
        raise NotFound()
    pinned = [CalleeFact.model_validate(callee) for callee in old.callees]
    facts = await publishing.checked(service, meta, workflow_id, old.source, old.media, pinned)
    now = preparing.now()
    saved = Saved(old.source, old.media, old.document_digest, old.bytes, old.steps_count, now)
    note = await sealed_note(service, org, stream, command.note)
    made = RollBack(command.version, old.draft_version, saved, facts, note, now)
    return await service.decide(
        workflow, stream, made, meta, answer=answers(meta),
        beside=publishing.claims(org, workflow_id, row.name, facts),
    )  # fmt: skip


async def sealed_note(service: Service, org: str, stream: str, note: str | None) -> str | None:
    return await service.keys.seal(org, "content", stream, note) if note else None
