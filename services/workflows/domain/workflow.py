"""The life of a workflow: drafted, saved, reviewed, published, switched on and off, put away."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import ChangedMeanwhile, FieldProblem, InvalidInput, NotFound
from libs.common.messages import Event
from services.workflows.contract import (
    AlreadyArchived,
    CalleeFact,
    ConnectorFact,
    DifferencesAccepted,
    DraftSaved,
    Media,
    NothingToPublish,
    PublishingGateSet,
    TriggerFact,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowExists,
    WorkflowInvalid,
    WorkflowPublished,
    WorkflowRolledBack,
)
from services.workflows.domain import reviewing
from services.workflows.domain.reviewing import AskReview, DecideReview
from services.workflows.domain.state import Absent, State, Workflow, evolve


@dataclass(frozen=True, slots=True)
class Saved:
    """A document on its way into the log; `document` and `digest` were made by its handler."""

    document: str
    media: Media
    digest: str
    bytes: int
    steps_count: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """Make a workflow of this name."""

    workflow_id: str
    name: str
    saved: Saved


@dataclass(frozen=True, slots=True)
class Save:
    """Put another document in the place of the draft; `name` is the one that stands in it."""

    name: str
    saved: Saved


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document says, as others need it; `document` is the sealed JSON value."""

    document: str
    steps_count: int
    language: int
    triggers: list[TriggerFact]
    connectors: list[ConnectorFact]
    hosts: list[str]
    secrets: list[str]
    variables: list[str]
    labels: dict[str, str]
    callees: list[CalleeFact] = field(default_factory=list)
    awaits: list[str] = field(default_factory=list)
    tests: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The executions that differ, of `total` that were looked at."""

    executions: list[str]
    total: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish the draft as it was at `draft_version`; the one of `checked_version` was checked.

    `reviewed`: the organization wants four eyes. `accepted`: the past executions that would go
    another way, and that is accepted.
    """

    draft_version: int
    checked_version: int
    checked: Facts | list[FieldProblem]
    note: str | None
    at: datetime
    reviewed: bool = False
    accepted: Accepted | None = None


@dataclass(frozen=True, slots=True)
class RollBack:
    """Publish again what a version was; `document` and `checked` are of that version."""

    to_version: int
    draft_version: int
    document: Saved
    checked: Facts | list[FieldProblem]
    note: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Enable:
    reason: str


@dataclass(frozen=True, slots=True)
class Disable:
    reason: str


@dataclass(frozen=True, slots=True)
class Archive:
    pass


@dataclass(frozen=True, slots=True)
class SetGate:
    """So many past executions have to go the same way before a draft is published."""

    golden_replay: int
    at: datetime


Command = (
    Draft | Save | Publish | RollBack | Enable | Disable | Archive | AskReview | DecideReview
    | SetGate
)  # fmt: skip


def decide(command: Command, state: State) -> list[Event]:
    if isinstance(command, Draft):
        return _draft(command, state)
    if isinstance(state, Absent):
        raise NotFound()
    match command:
        case Archive():
            return [] if state.archived else [WorkflowArchived(workflow_id=state.workflow_id)]
        case _ if state.archived:
            raise AlreadyArchived("it was archived and does not change any more")
        case Save():
            return _save(command, state)
        case Publish():
            return _publish(command, state)
        case RollBack():
            return _roll_back(command, state)
        case AskReview():
            return reviewing.ask(command, state)
        case DecideReview():
            return reviewing.decide(command, state)
        case Enable():
            made = WorkflowEnabled(workflow_id=state.workflow_id, reason=command.reason)
            return [] if state.enabled else [made]
        case Disable():
            gone = WorkflowDisabled(workflow_id=state.workflow_id, reason=command.reason)
            return [gone] if state.enabled else []
        case SetGate():
            return _set_gate(command, state)
        case _:
            assert_never(command)


def _draft(command: Draft, state: State) -> list[Event]:
    if isinstance(state, Workflow):
        raise WorkflowExists(
            f"there is a workflow {command.name} already", workflow=state.workflow_id
        )
    saved = command.saved
    return [
        WorkflowDrafted(
            workflow_id=command.workflow_id, name=command.name, document=saved.document,
            media=saved.media, document_digest=saved.digest, bytes=saved.bytes,
            drafted_at=saved.at,
        )
    ]  # fmt: skip


def _save(command: Save, state: Workflow) -> list[Event]:
    if command.name != state.name:
        detail = f"this workflow is {state.name!r} for ever; another name is another workflow"
        raise InvalidInput(
            detail, errors=[FieldProblem(pointer="/name", rule="name-fixed", detail=detail)]
        )
    saved = command.saved
    if saved.digest == state.draft_digest and saved.media == state.draft_media:
        return []
    return [
        DraftSaved(
            workflow_id=state.workflow_id, document=saved.document, media=saved.media,
            document_digest=saved.digest, bytes=saved.bytes, steps_count=saved.steps_count,
            saved_at=saved.at,
        )
    ]  # fmt: skip


def _publish(command: Publish, state: Workflow) -> list[Event]:
    is_current = state.draft_version <= command.draft_version <= state.version
    if not is_current or command.checked_version != state.draft_version:
        raise ChangedMeanwhile(
            f"the draft is at version {state.draft_version} now", current=f'"{state.version}"'
        )
    if state.draft_digest == state.published_digest:
        raise NothingToPublish(f"the draft is what version {state.published} is already")
    checked = _without_problems(command.checked)
    if command.reviewed:
        reviewing.must_be_approved(state, checked.callees)
    saved = Saved(
        state.draft_document, state.draft_media, state.draft_digest, state.draft_bytes,
        checked.steps_count, command.at,
    )  # fmt: skip
    made = _published(state, saved, state.draft_version, checked, command.note, command.at)
    if (accepted := command.accepted) is None:
        return [made]
    return [
        DifferencesAccepted(
            workflow_id=state.workflow_id, draft_version=state.draft_version,
            executions=accepted.executions, total=accepted.total,
        ),
        made,
    ]  # fmt: skip


def _set_gate(command: SetGate, state: Workflow) -> list[Event]:
    if command.golden_replay == state.golden_replay:
        return []
    return [
        PublishingGateSet(
            workflow_id=state.workflow_id, golden_replay=command.golden_replay, set_at=command.at
        )
    ]


def _roll_back(command: RollBack, state: Workflow) -> list[Event]:
    """What ran before needs no second review; the sub-workflows are those that ran with it."""
    if state.published is None or not 0 < command.to_version <= state.published:
        raise NotFound()
    if command.document.digest == state.published_digest:
        raise NothingToPublish(f"version {command.to_version} is what is published already")
    made = _published(
        state, command.document, command.draft_version, _without_problems(command.checked),
        command.note, command.at,
    )  # fmt: skip
    back = WorkflowRolledBack(
        workflow_id=state.workflow_id, from_version=state.published,
        to_version=command.to_version, workflow_version=made.workflow_version,
    )  # fmt: skip
    return [back, made]


def _without_problems(checked: Facts | list[FieldProblem]) -> Facts:
    if isinstance(checked, Facts):
        return checked
    raise WorkflowInvalid(f"{len(checked)} problems in the document", errors=checked)


def _published(
    state: Workflow, saved: Saved, draft_version: int, facts: Facts, note: str | None,
    at: datetime,
) -> WorkflowPublished:  # fmt: skip
    """The next version; a workflow that calls itself means this very one."""
    number = (state.published or 0) + 1
    itself = {"workflow_version": number}
    return WorkflowPublished(
        workflow_id=state.workflow_id, name=state.name, workflow_version=number,
        draft_version=draft_version, document=facts.document, media=saved.media,
        document_digest=saved.digest, bytes=saved.bytes, steps_count=facts.steps_count,
        language=facts.language, triggers=facts.triggers, connectors=facts.connectors,
        hosts=facts.hosts, secrets=facts.secrets, variables=facts.variables,
        labels=facts.labels, note=note, published_at=at, awaits=facts.awaits,
        callees=[
            callee.model_copy(update=itself) if callee.workflow_id == state.workflow_id else callee
            for callee in facts.callees
        ],
    )  # fmt: skip


workflow: Decider[Command, State] = Decider(Absent(), decide, evolve)
