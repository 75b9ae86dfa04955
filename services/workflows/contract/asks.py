"""What callers may ask of workflows, and the permission it needs."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    AnyJson,
    Count,
    DocumentText,
    Flag,
    FreeText,
    LabelText,
    Name,
    SecretText,
    Version,
    Word,
)  # fmt: skip
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Message, Query
from services.workflows.contract.answers import (
    CheckShown,
    Done,
    DraftedShown,
    DraftShown,
    SchemaShown,
    SecretShown,
    TriggerShown,
    VariableShown,
    VersionShown,
    WorkflowShown,
)
from services.workflows.contract.events import Media, TriggerKind


class DraftWorkflow(
    Command,
    type="workflows.command.draft-workflow",
    permission="workflows:edit",
    answers=DraftedShown,
):
    """Raises Malformed (malformed-yaml, -json), WorkflowExists."""

    document: DocumentText
    media: Media


class SaveDraft(
    Command, type="workflows.command.save-draft", permission="workflows:edit", answers=DraftedShown
):
    """Needs Meta.expected_version (`If-Match`); 0 (`If-None-Match: *`) creates."""

    workflow: Word
    document: DocumentText
    media: Media


class PublishGate(Message):
    """What has to hold before it is published: so many past executions go the same way."""

    golden_replay: Annotated[Count, Field(ge=1, le=50)]


class PublishWorkflow(
    Command,
    type="workflows.command.publish-workflow",
    permission="workflows:publish",
    answers=WorkflowShown,
):
    """The draft as it was at `draft_version` becomes the next version.

    Its own tests have to pass (tests-failed). As many of the last executions as the organization,
    the workflow or `gate` say have to go the same way (golden-replay-differs), unless the
    differences are accepted, which is recorded.
    """

    workflow: Word
    draft_version: Version
    note: FreeText | None = None
    gate: PublishGate | None = None
    accept_differences: Flag = False


class RollBackWorkflow(
    Command,
    type="workflows.command.roll-back-workflow",
    permission="workflows:publish",
    answers=WorkflowShown,
):
    """What version `version` was is published again as the next version. → WorkflowShown."""

    workflow: Word
    version: Version
    note: FreeText | None = None


class EnableWorkflow(
    Command,
    type="workflows.command.enable-workflow",
    permission="workflows:publish",
    answers=WorkflowShown,
):
    workflow: Word


class DisableWorkflow(
    Command,
    type="workflows.command.disable-workflow",
    permission="workflows:publish",
    answers=WorkflowShown,
):
    workflow: Word


class ArchiveWorkflow(
    Command,
    type="workflows.command.archive-workflow",
    permission="workflows:publish",
    answers=WorkflowShown,
):
    workflow: Word


class StoreSecret(
    Command, type="workflows.command.store-secret", permission="secrets:manage", answers=SecretShown
):
    """A new secret or a new version of one."""

    name: Name
    value: SecretText


class DeleteSecret(
    Command, type="workflows.command.delete-secret", permission="secrets:manage", answers=Done
):
    name: Name


class SetVariable(
    Command,
    type="workflows.command.set-variable",
    permission="workflows:edit",
    answers=VariableShown,
):
    """A new variable, or another value of one."""

    name: Name
    value: AnyJson


class DeleteVariable(
    Command, type="workflows.command.delete-variable", permission="workflows:edit", answers=Done
):
    name: Name


class FindWorkflows(
    PageQuery,
    type="workflows.query.find-workflows",
    permission="workflows:read",
    answers=Page[WorkflowShown],
):
    """`label` is `key` or `key:value`; `q` is a part of the name."""

    name: list[Name] | None = None
    enabled: Flag | None = None
    archived: Flag | None = None
    label: list[LabelText] | None = None
    q: LabelText | None = None


class FindWorkflow(
    Query, type="workflows.query.find-workflow", permission="workflows:read", answers=WorkflowShown
):
    workflow: Word
    expand: list[Literal["draft", "published"]] = Field(default_factory=list)


class FindDraft(
    Query, type="workflows.query.find-draft", permission="workflows:read", answers=DraftShown
):
    """The door answers with `document` itself, in its media type."""

    workflow: Word


class CheckDocument(
    Query, type="workflows.query.check-document", permission="workflows:read", answers=CheckShown
):
    document: DocumentText
    media: Media


class FindVersions(
    PageQuery,
    type="workflows.query.find-versions",
    permission="workflows:read",
    answers=Page[VersionShown],
):
    workflow: Word


class FindVersion(
    Query, type="workflows.query.find-version", permission="workflows:read", answers=VersionShown
):
    workflow: Word
    version: Version


class FindTriggers(
    PageQuery,
    type="workflows.query.find-triggers",
    permission="triggers:read",
    answers=Page[TriggerShown],
):
    workflow: list[Word] | None = None
    kind: list[TriggerKind] | None = None


class FindSchema(Query, type="workflows.query.find-schema", answers=SchemaShown):
    """The JSON Schema of the language."""


class FindSecrets(
    PageQuery,
    type="workflows.query.find-secrets",
    permission="secrets:manage",
    answers=Page[SecretShown],
):
    """Names of secrets, never their values."""


class FindVariables(
    PageQuery,
    type="workflows.query.find-variables",
    permission="workflows:read",
    answers=Page[VariableShown],
):
    """Variables with their values."""
