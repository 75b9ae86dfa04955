"""Four eyes: whether they are wanted, reviews asked for, decided and read."""

from collections.abc import Sequence
from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.messages import Meta, Recorded
from libs.common.pages import page_of
from libs.common.service import Service
from services.identity.contract import FindKeyCreator, KeyCreatorFound
from services.workflows.contract import (
    SERVICE,
    DecideReview,
    DraftSaved,
    FindPublishingPolicy,
    FindReview,
    FindReviews,
    PublishingPolicyShown,
    RequestReview,
    ReviewShown,
    SetPublishingPolicy,
    WorkflowDrafted,
    WorkflowPublished,
    WorkflowRolledBack,
    publishing_stream,
    workflow_stream,
)
from services.workflows.domain import reviewing
from services.workflows.domain.policy import Policy, SetPolicy, policy
from services.workflows.domain.state import State, Workflow
from services.workflows.domain.workflow import Facts, workflow
from services.workflows.handlers import preparing, publishing
from services.workflows.views import queries, show


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(SetPublishingPolicy.type, queue=SERVICE)
    async def set_policy(command: SetPublishingPolicy, meta: CausedBy) -> NatsResponse:
        stream = publishing_stream(meta.organization)
        change = SetPolicy(command.review, command.golden_replay, preparing.now())
        return await service.decide(
            policy, stream, change, meta, answer=lambda state, _: policy_shown(state)
        )

    @r.subscriber(FindPublishingPolicy.type, queue=SERVICE)
    async def find_policy(query: FindPublishingPolicy, meta: CausedBy) -> NatsResponse:
        return reply(policy_shown(await policy_of(service, meta.organization)))

    @r.subscriber(RequestReview.type, queue=SERVICE)
    async def request_review(command: RequestReview, meta: CausedBy) -> NatsResponse:
        return await ask(service, meta, command)

    @r.subscriber(DecideReview.type, queue=SERVICE)
    async def decide_review(command: DecideReview, meta: CausedBy) -> NatsResponse:
        return await decide(service, meta, command)

    @r.subscriber(FindReview.type, queue=SERVICE)
    async def find_review(query: FindReview, meta: CausedBy) -> NatsResponse:
        return reply(await shown(service, meta, await row_of(service, meta, query.review)))

    @r.subscriber(FindReviews.type, queue=SERVICE)
    async def find_reviews(query: FindReviews, meta: CausedBy) -> NatsResponse:
        wanted = [preparing.resolve(meta, name) for name in query.workflow or []]
        async with service.database.read(meta.organization) as db:
            rows = await queries.reviews(db, query, wanted)
        found = [await shown(service, meta, row) for row in rows]
        return reply(page_of(rows, query, lambda row: (row.requested_at, row.review_id), found))


async def policy_of(service: Service, org: str) -> Policy:
    """How the organization publishes, as its log has it now."""
    state, _, _ = await service.store.state(policy, publishing_stream(org))
    return state


def policy_shown(state: Policy) -> PublishingPolicyShown:
    return PublishingPolicyShown(
        review=state.review, golden_replay=state.golden_replay, set_at=state.set_at
    )


async def row_of(service: Service, meta: Meta, review_id: str) -> Any:
    async with service.database.read(meta.organization) as db:
        row = await queries.review(db, review_id)
    if row is None:
        raise NotFound()
    return row


async def shown(service: Service, meta: Meta, row: Any) -> ReviewShown:
    org, stream = meta.organization, workflow_stream(meta.organization, row.workflow_id)
    note = await service.keys.open(org, "content", stream, row.note)
    comment = await service.keys.open(org, "content", stream, row.comment)
    return show.review_shown(row, note, comment)


async def ask(service: Service, meta: Meta, command: RequestReview) -> NatsResponse:
    """Checks the draft as publishing does, so that what is approved can be published."""
    org, workflow_id = meta.organization, preparing.resolve(meta, command.workflow)
    stream = workflow_stream(org, workflow_id)
    state, _, _ = await service.store.state(workflow, stream)
    if not isinstance(state, Workflow):
        raise NotFound()
    facts = await publishing.checked(
        service, meta, workflow_id, state.draft_document, state.draft_media
    )
    covered = (
        reviewing.Covered(facts.callees, facts.secrets, facts.variables)
        if isinstance(facts, Facts)
        else facts
    )
    note = await service.keys.seal(org, "content", stream, command.note) if command.note else None
    made = reviewing.AskReview(
        ids.new("rev"), command.draft_version, state.draft_version, covered, note, meta.actor,
        preparing.now(),
    )  # fmt: skip

    def answer(after: State, _: int) -> ReviewShown:
        assert isinstance(after, Workflow)
        return show.review_asked(after, made, command.note)

    return await service.decide(workflow, stream, made, meta, answer=answer)


async def decide(service: Service, meta: Meta, command: DecideReview) -> NatsResponse:
    org, row = meta.organization, await row_of(service, meta, command.review)
    stream = workflow_stream(org, row.workflow_id)
    state, _, recorded = await service.store.state(workflow, stream)
    if not isinstance(state, Workflow):
        raise NotFound()
    facts = await publishing.checked(
        service, meta, row.workflow_id, state.draft_document, state.draft_media
    )
    note = await service.keys.open(org, "content", stream, row.note)
    comment = command.comment or None
    made = reviewing.DecideReview(
        command.review, command.decision,
        facts.callees if isinstance(facts, Facts) else None,
        await service.keys.seal(org, "content", stream, comment) if comment else None,
        meta.actor, await people_behind(service, org, writers(recorded)),
        state.draft_version, preparing.now(),
    )  # fmt: skip

    def answer(after: State, _: int) -> ReviewShown:
        return show.review_decided(row, note, made, comment)

    return await service.decide(workflow, stream, made, meta, answer=answer)


def writers(recorded: Sequence[Recorded]) -> frozenset[str]:
    """Whose changes are in the draft and were not published yet."""
    found: set[str] = set()
    before = ""
    for event in recorded:
        if event.type in (WorkflowDrafted.type, DraftSaved.type):
            found.add(event.actor)
        elif event.type == WorkflowPublished.type and before != WorkflowRolledBack.type:
            found.clear()
        before = event.type
    return frozenset(found)


async def people_behind(service: Service, org: str, actors: frozenset[str]) -> frozenset[str]:
    """The actors, and who made the API keys among them: a key is its maker's pen."""
    people = set(actors)
    for key in actors:
        if key.startswith("key_"):
            answer = await service.bus.ask(FindKeyCreator(key=key), Meta.system(SERVICE, org))
            people.add(answer.as_a(KeyCreatorFound).person)
    return frozenset(people)
