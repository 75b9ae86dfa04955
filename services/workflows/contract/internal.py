"""What only other services ask: the door for hooks, the executor for documents and secrets."""

from typing import Literal

from pydantic import Field

from libs.common.fields import (
    Digest,
    Flag,
    HostName,
    HttpPath,
    LabelText,
    Name,
    QueryName,
    SealedJson,
    SealedSecret,
    Seconds,
    Version,
    Word,
    WorkflowId,
)  # fmt: skip
from libs.common.messages import Message, Query
from services.workflows.contract.events import (
    CalleeFact,
    ConnectorFact,
    Respond,
    Scheme,
    TriggerFact,
)


class HookFound(Message):
    """`reason` says why nothing starts; `secret` is sealed for `secret_stream(org, its name)`.

    To be dropped from a cache at: workflow-published, -enabled, -disabled, -archived,
    secret-stored and secret-deleted of the organization. `secret` is None while the secret is
    missing: then no signature is right (except for the scheme `none`).
    """

    path: HttpPath
    reason: Literal["no-such-path", "disabled", "archived"] | None
    workflow_id: WorkflowId | None = None
    workflow_version: Version | None = None
    enabled: Flag = False
    archived: Flag = False
    scheme: Scheme | None = None
    secret_name: Name | None = None
    secret_version: Version | None = None
    secret: SealedSecret | None = None
    header: Word | None = None
    respond: Respond | None = None
    timeout_s: Seconds | None = None
    headers: list[Word] = Field(default_factory=list)
    query: list[QueryName] = Field(default_factory=list)


class FindHook(Query, type="workflows.query.find-hook", answers=HookFound):
    """The door asks what is behind a path of Meta.organization; also answered if unknown."""

    path: HttpPath


class TriggerFound(Message):
    """The facts of `workflow-published`, and the state; `latest` is the newest version."""

    workflow_id: WorkflowId
    name: Name
    workflow_version: Version
    latest: Version
    enabled: Flag
    archived: Flag
    document: SealedJson
    document_digest: Digest
    language: Version
    triggers: list[TriggerFact]
    connectors: list[ConnectorFact]
    hosts: list[HostName]
    secrets: list[Name]
    variables: list[Name]
    labels: dict[Word, LabelText]
    callees: list[CalleeFact] = Field(default_factory=list)


class DraftDocument(Message):
    """The draft as JSON, sealed for the workflow's stream under the purpose `content`.

    `reviewed`: the organization publishes with four eyes, and exactly this draft was approved.
    """

    workflow_id: WorkflowId
    name: Name
    draft_version: Version
    archived: Flag
    reviewed: Flag
    document: SealedJson


class FindDraftDocument(Query, type="workflows.query.draft-document", answers=DraftDocument):
    """The executor asks for a draft that it runs or tests, or WorkflowInvalid.

    With `effects` what it does is done: ReviewNeeded where it would have to be reviewed first.
    """

    workflow: Word
    effects: Flag = False


class FindTrigger(Query, type="workflows.query.trigger", answers=TriggerFound):
    """What the executor asks when its view lacks a path, or a workflow (id or name) or version.


    Either `path` or `workflow`; `version` None is the newest. NotFound when there is none.
    """

    path: HttpPath | None = None
    workflow: Word | None = None
    version: Version | None = None


class SecretOpened(Message):
    """`value` is sealed for `secret_stream(org, name)`, purpose `secrets`."""

    name: Name
    secret_version: Version
    value: SealedSecret


class SecretsOpened(Message):
    secrets: list[SecretOpened]


class OpenSecrets(Query, type="workflows.query.open-secrets", answers=SecretsOpened):
    """The executor asks for sealed values; names that do not exist are left out."""

    names: list[Name]
