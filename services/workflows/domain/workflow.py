"""The life of a workflow: drafted, saved, published, switched on and off, put away."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import ChangedMeanwhile, FieldProblem, InvalidInput, NotFound
from libs.common.messages import Event
from services.workflows.contract import (
    AlreadyArchived,
    ConnectorFact,
    DraftSaved,
    Media,
    NothingToPublish,
    TriggerFact,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowExists,
    WorkflowInvalid,
    WorkflowPublished,
)


@dataclass(frozen=True, slots=True)
class Absent:
    """Nobody drafted it."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as its log has it; `version` is the stream's, documents are sealed."""

    workflow_id: str
    name: str
    version: int
    draft_version: int
    draft_document: str
    draft_media: Media
    draft_digest: str
    draft_bytes: int
    created_at: datetime
    saved_at: datetime
    enabled: bool = True
    archived: bool = False
    published: int | None = None
    published_digest: str | None = None
    published_at: datetime | None = None
    triggers: tuple[TriggerFact, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


State = Absent | Workflow


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


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish the draft as it was at `draft_version`; the one of `checked_version` was checked."""

    draft_version: int
    checked_version: int
    checked: "Facts | list[FieldProblem]"
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


Command = Draft | Save | Publish | Enable | Disable | Archive


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
        case Enable():
            made = WorkflowEnabled(workflow_id=state.workflow_id, reason=command.reason)
            return [] if state.enabled else [made]
        case Disable():
            gone = WorkflowDisabled(workflow_id=state.workflow_id, reason=command.reason)
            return [gone] if state.enabled else []
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
    checked = command.checked
    if not isinstance(checked, Facts):
        raise WorkflowInvalid(f"{len(checked)} problems in the document", errors=checked)
    return [
        WorkflowPublished(
            workflow_id=state.workflow_id, name=state.name,
            workflow_version=(state.published or 0) + 1, draft_version=state.draft_version,
            document=checked.document, media=state.draft_media,
            document_digest=state.draft_digest, bytes=state.draft_bytes,
            steps_count=checked.steps_count, language=checked.language,
            triggers=checked.triggers, connectors=checked.connectors, hosts=checked.hosts,
            secrets=checked.secrets, variables=checked.variables, labels=checked.labels,
            note=command.note, published_at=command.at,
        )
    ]  # fmt: skip


def evolve(state: State, event: Event) -> State:
    if isinstance(event, WorkflowDrafted):
        return Workflow(
            workflow_id=event.workflow_id, name=event.name, version=1, draft_version=1,
            draft_document=event.document, draft_media=event.media,
            draft_digest=event.document_digest, draft_bytes=event.bytes,
            created_at=event.drafted_at, saved_at=event.drafted_at,
        )  # fmt: skip
    if isinstance(state, Absent):
        raise TypeError(f"{event.type} before the workflow was drafted")
    version = state.version + 1
    match event:
        case DraftSaved():
            return replace(
                state, version=version, draft_version=version, draft_document=event.document,
                draft_media=event.media, draft_digest=event.document_digest,
                draft_bytes=event.bytes, saved_at=event.saved_at,
            )  # fmt: skip
        case WorkflowPublished():
            return replace(
                state, version=version, published=event.workflow_version,
                published_digest=event.document_digest, published_at=event.published_at,
                triggers=tuple(event.triggers), labels=event.labels,
            )  # fmt: skip
        case WorkflowEnabled():
            return replace(state, version=version, enabled=True)
        case WorkflowDisabled():
            return replace(state, version=version, enabled=False)
        case WorkflowArchived():
            return replace(state, version=version, archived=True)
        case _:
            raise TypeError(f"{event.type} is not of a workflow")


workflow: Decider[Command, State] = Decider(Absent(), decide, evolve)
