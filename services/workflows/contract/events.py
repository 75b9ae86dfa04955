"""The facts that workflows records."""

from typing import Literal

from pydantic import Field

from libs.common.fields import (
    Bytes,
    Count,
    CronLine,
    Digest,
    HostName,
    HttpPath,
    LabelText,
    Moment,
    Name,
    QueryName,
    SealedJson,
    SealedText,
    Seconds,
    Version,
    Word,
    WorkflowId,
    ZoneName,
)  # fmt: skip
from libs.common.messages import Event, Json, Message, upcast

Media = Literal["yaml", "json"]
Scheme = Literal["standard-webhooks", "github", "stripe", "slack", "token", "none"]
Respond = Literal["accepted", "result"]
TriggerKind = Literal["webhook", "schedule", "event"]
Missed = Literal["skip", "run-once", "run-all"]


class TriggerFact(Message):
    """One way in, as published; what its kind has not is None.

    A webhook's `secret` is a name, None for the scheme `none`. What a trigger matches and what
    input it makes stand in the document, at its place in `on`.
    """

    kind: TriggerKind
    id: Name | None
    path: HttpPath | None = None
    scheme: Scheme | None = None
    secret: Name | None = None
    header: Word | None = None
    respond: Respond | None = None
    timeout_s: Seconds | None = None
    headers: list[Word] = Field(default_factory=list)
    query: list[QueryName] = Field(default_factory=list)
    cron: CronLine | None = None
    timezone: ZoneName | None = None
    missed: Missed | None = None
    event_type: Word | None = None


def trigger_key(trigger_id: str | None, place: int) -> str:
    """What names a trigger in its workflow: its id, else its place in `on`, from 0."""
    return trigger_id or str(place)


class CalleeFact(Message):
    """A sub-workflow as it was published when its caller was: what `workflow: name` starts."""

    name: Name
    workflow_id: WorkflowId
    workflow_version: Version


class ConnectorFact(Message):
    type: Word
    version: Version


class WorkflowDrafted(Event, type="workflows.event.workflow-drafted", public=True):
    """A workflow exists; `document` is the sealed text, byte for byte as it came."""

    workflow_id: WorkflowId
    name: Name
    document: SealedText
    media: Media
    document_digest: Digest
    bytes: Bytes
    drafted_at: Moment


class DraftSaved(Event, type="workflows.event.draft-saved"):
    """The whole document, so that every save can be got back; no count while it has problems."""

    workflow_id: WorkflowId
    document: SealedText
    media: Media
    document_digest: Digest
    bytes: Bytes
    steps_count: Count | None
    saved_at: Moment


class WorkflowPublished(Event, type="workflows.event.workflow-published", version=2, public=True):
    """A version, for ever; `document` is the sealed JSON value of the document (for `parse`)."""

    workflow_id: WorkflowId
    name: Name
    workflow_version: Version
    draft_version: Version
    document: SealedJson
    media: Media
    document_digest: Digest
    bytes: Bytes
    steps_count: Count
    language: Version
    triggers: list[TriggerFact]
    connectors: list[ConnectorFact]
    hosts: list[HostName]
    secrets: list[Name]
    variables: list[Name]
    labels: dict[Word, LabelText]
    note: SealedText | None
    published_at: Moment
    callees: list[CalleeFact] = Field(default_factory=list)
    awaits: list[Word] = Field(default_factory=list)  # types of events that its steps wait for


@upcast("workflows.event.workflow-published", version=1)
def published_before_there_were_sub_workflows(data: Json) -> Json:
    return data | {"callees": []}


class WorkflowRolledBack(Event, type="workflows.event.workflow-rolled-back", public=True):
    """What `to_version` was is published again, as `workflow_version` (the event that follows)."""

    workflow_id: WorkflowId
    from_version: Version
    to_version: Version
    workflow_version: Version


class WorkflowEnabled(Event, type="workflows.event.workflow-enabled", public=True):
    workflow_id: WorkflowId
    reason: Word


class WorkflowDisabled(Event, type="workflows.event.workflow-disabled", public=True):
    workflow_id: WorkflowId
    reason: Word


class WorkflowArchived(Event, type="workflows.event.workflow-archived", public=True):
    workflow_id: WorkflowId


class SecretStored(Event, type="workflows.event.secret-stored", public=True):
    """Nothing of the value is here."""

    name: Name
    secret_version: Version
    stored_at: Moment


class SecretDeleted(Event, type="workflows.event.secret-deleted", public=True):
    name: Name


class VariableSet(Event, type="workflows.event.variable-set", public=True):
    name: Name
    variable_version: Version
    value: SealedJson
    set_at: Moment


class VariableDeleted(Event, type="workflows.event.variable-deleted", public=True):
    name: Name
