"""The facts that workflows records."""

from typing import Literal

from libs.common.fields import (
    Bytes,
    Count,
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
)  # fmt: skip
from libs.common.messages import Event, Message

Media = Literal["yaml", "json"]
Scheme = Literal["standard-webhooks", "github", "stripe", "slack", "token", "none"]
Respond = Literal["accepted", "result"]


class TriggerFact(Message):
    """One way in, as published; `secret` is a name, None only for the scheme `none`."""

    kind: Literal["webhook"]
    id: Name | None
    path: HttpPath
    scheme: Scheme
    secret: Name | None
    header: Word | None
    respond: Respond
    timeout_s: Seconds
    headers: list[Word]
    query: list[QueryName]


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


class WorkflowPublished(Event, type="workflows.event.workflow-published", public=True):
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
