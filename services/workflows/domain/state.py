"""What a workflow's log makes of it: its state, and how each event changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.common.messages import Event
from services.workflows.contract import (
    CalleeFact,
    DifferencesAccepted,
    DraftSaved,
    Media,
    PublishingGateSet,
    ReviewDecided,
    ReviewDecision,
    ReviewRequested,
    TriggerFact,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowPublished,
    WorkflowRolledBack,
)


@dataclass(frozen=True, slots=True)
class Review:
    """The newest review of the draft as it is now; another draft has none."""

    review_id: str
    digest: str
    callees: tuple[CalleeFact, ...]
    decision: ReviewDecision | None = None


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
    review: Review | None = None
    golden_replay: int = 0


State = Absent | Workflow


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
            same = event.document_digest == state.draft_digest
            return replace(
                state, version=version, draft_version=version, draft_document=event.document,
                draft_media=event.media, draft_digest=event.document_digest,
                draft_bytes=event.bytes, saved_at=event.saved_at,
                review=state.review if same else None,
            )  # fmt: skip
        case WorkflowPublished():
            used = state.review is not None and state.review.digest == event.document_digest
            return replace(
                state, version=version, published=event.workflow_version,
                published_digest=event.document_digest, published_at=event.published_at,
                triggers=tuple(event.triggers), labels=event.labels,
                review=None if used else state.review,
            )  # fmt: skip
        case WorkflowRolledBack() | DifferencesAccepted():
            return replace(state, version=version)
        case PublishingGateSet():
            return replace(state, version=version, golden_replay=event.golden_replay)
        case ReviewRequested():
            asked = Review(event.review_id, event.document_digest, tuple(event.callees))
            return replace(state, version=version, review=asked)
        case ReviewDecided():
            assert state.review is not None
            decided = replace(state.review, decision=event.decision)
            return replace(state, version=version, review=decided)
        case WorkflowEnabled():
            return replace(state, version=version, enabled=True)
        case WorkflowDisabled():
            return replace(state, version=version, enabled=False)
        case WorkflowArchived():
            return replace(state, version=version, archived=True)
        case _:
            raise TypeError(f"{event.type} is not of a workflow")
