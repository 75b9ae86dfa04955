"""How rows and states become what the REST API shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from services.workflows.contract import (
    CalleeFact,
    CalleeShown,
    DraftShown,
    HookFound,
    ReviewShown,
    SecretShown,
    TickShown,
    TriggerFact,
    TriggerFound,
    TriggerShown,
    VariableShown,
    VersionShown,
    WorkflowShown,
)
from services.workflows.domain.reviewing import AskReview, Covered, DecideReview
from services.workflows.domain.state import Workflow


class Shown(Protocol):
    """A workflow: a row of the view or the state of its stream, which say the same."""

    @property
    def workflow_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def archived(self) -> bool: ...
    @property
    def labels(self) -> Any: ...
    @property
    def triggers(self) -> Sequence[Any]: ...
    @property
    def draft_version(self) -> int: ...
    @property
    def published(self) -> int | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def saved_at(self) -> datetime: ...
    @property
    def published_at(self) -> datetime | None: ...


def workflow_shown(
    org: str, thing: Shown, draft: DraftShown | None = None,
    published: VersionShown | None = None,
) -> WorkflowShown:  # fmt: skip
    facts = [TriggerFact.model_validate(fact) for fact in thing.triggers]
    return WorkflowShown(
        id=thing.workflow_id, name=thing.name, enabled=thing.enabled, archived=thing.archived,
        labels=dict(thing.labels), draft=draft or thing.draft_version,
        published=published or thing.published,
        triggers=[trigger_shown(org, thing, thing.published or 0, fact) for fact in facts],
        created_at=thing.created_at, saved_at=thing.saved_at, published_at=thing.published_at,
    )  # fmt: skip


class Switched(Protocol):
    """Whose trigger it is, and whether it is on."""

    @property
    def workflow_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def archived(self) -> bool: ...


def trigger_shown(org: str, of: Switched, version: int, fact: TriggerFact) -> TriggerShown:
    return TriggerShown(
        workflow=of.workflow_id, workflow_name=of.name, version=version, kind=fact.kind,
        id=fact.id, path=fact.path, address=fact.path and f"/hooks/{org}/{fact.path}",
        scheme=fact.scheme, secret=fact.secret, respond=fact.respond, timeout_s=fact.timeout_s,
        cron=fact.cron, timezone=fact.timezone, missed=fact.missed, event_type=fact.event_type,
        enabled=of.enabled, archived=of.archived,
    )  # fmt: skip


def trigger_listed(org: str, row: Any) -> TriggerShown:
    """With the times of a schedule."""
    shown = trigger_shown(org, row, row.version, TriggerFact.model_validate(row.fact))
    last = row.due_at and TickShown(
        due_at=row.due_at, decision=row.decision, missed_count=row.missed_count,
        decided_at=row.decided_at,
    )  # fmt: skip
    return shown.model_copy(update={"next_at": row.next_at, "last_tick": last})


def draft_shown(row: Any, document: str) -> DraftShown:
    return DraftShown(
        workflow=row.workflow_id, version=row.version, media=row.media, document=document,
        size_bytes=row.bytes, saved_at=row.saved_at, saved_by=row.saved_by,
    )  # fmt: skip


def version_shown(row: Any, note: str | None, document: str | None = None) -> VersionShown:
    return VersionShown(
        workflow=row.workflow_id, version=row.version, draft_version=row.draft_version,
        language=row.language, media=row.media, size_bytes=row.bytes,
        steps_count=row.steps_count, connectors=row.connectors, hosts=row.hosts,
        secrets=row.secrets, variables=row.variables, callees=callees_shown(row.callees),
        note=note,
        published_at=row.published_at, published_by=row.published_by, document=document,
    )  # fmt: skip


def secret_shown(row: Any) -> SecretShown:
    return SecretShown(
        name=row.name, version=row.version, created_at=row.created_at, stored_at=row.stored_at
    )


def variable_shown(row: Any, value: Any) -> VariableShown:
    return VariableShown(
        name=row.name, value=value, version=row.version, created_at=row.created_at,
        set_at=row.set_at,
    )  # fmt: skip


def hook_found(row: Any) -> HookFound:
    """What the door needs; a workflow that is put away or switched off says so."""
    fact = TriggerFact.model_validate(row.fact)
    off = None if row.enabled else "disabled"
    return HookFound(
        path=row.path, reason="archived" if row.archived else off, workflow_id=row.workflow_id,
        workflow_version=row.version, enabled=row.enabled, archived=row.archived,
        scheme=fact.scheme, secret_name=fact.secret, secret_version=row.secret_version,
        secret=row.secret, header=fact.header, respond=fact.respond, timeout_s=fact.timeout_s,
        headers=fact.headers, query=fact.query,
    )  # fmt: skip


def trigger_found(row: Any, version: Any) -> TriggerFound:
    """A published version as the executor needs it, with its workflow's state."""
    return TriggerFound(
        workflow_id=row.workflow_id, name=row.name, workflow_version=version.version,
        latest=row.published, enabled=row.enabled, archived=row.archived,
        document=version.document, document_digest=version.document_digest,
        language=version.language, triggers=version.triggers, connectors=version.connectors,
        hosts=version.hosts, secrets=version.secrets, variables=version.variables,
        labels=version.labels, callees=version.callees,
    )  # fmt: skip


def callees_shown(callees: Sequence[Any]) -> list[CalleeShown]:
    facts = [CalleeFact.model_validate(callee) for callee in callees]
    return [
        CalleeShown(name=f.name, workflow=f.workflow_id, version=f.workflow_version) for f in facts
    ]


def review_shown(row: Any, note: str | None, comment: str | None) -> ReviewShown:
    return ReviewShown(
        id=row.review_id, workflow=row.workflow_id, workflow_name=row.workflow_name,
        draft_version=row.draft_version, callees=callees_shown(row.callees), secrets=row.secrets,
        variables=row.variables, status=row.status, note=note, requested_by=row.requested_by,
        requested_at=row.requested_at, decided_by=row.decided_by, decided_at=row.decided_at,
        comment=comment,
    )  # fmt: skip


def review_asked(state: Workflow, made: AskReview, note: str | None) -> ReviewShown:
    """As it will be read; a repeated request gets the answer that was kept."""
    assert state.review is not None
    assert isinstance(made.covered, Covered)
    return ReviewShown(
        id=made.review_id, workflow=state.workflow_id, workflow_name=state.name,
        draft_version=state.draft_version, callees=callees_shown(state.review.callees),
        secrets=made.covered.secrets, variables=made.covered.variables, status="requested",
        note=note, requested_by=made.by, requested_at=made.at, decided_by=None, decided_at=None,
        comment=None,
    )  # fmt: skip


def review_decided(
    row: Any, note: str | None, made: DecideReview, comment: str | None
) -> ReviewShown:
    before = review_shown(row, note, comment)
    return before.model_copy(
        update={"status": made.decision, "decided_by": made.by, "decided_at": made.at}
    )
