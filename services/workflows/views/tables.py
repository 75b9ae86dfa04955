"""The tables of workflows: views made from the log alone, and what is kept beside the log."""

from typing import Annotated, Any

from sqlalchemy import Column, Index, MetaData, Table

from libs.common.fields import (
    Actor,
    Bytes,
    Count,
    CronLine,
    Digest,
    Flag,
    HttpPath,
    Moment,
    Name,
    OrganizationId,
    ReviewId,
    SealedJson,
    SealedSecret,
    SealedText,
    Version,
    Word,
    WorkflowId,
    ZoneName,
    indirect,
    plain,
)  # fmt: skip
from libs.common.tables import column
from services.workflows.contract import (
    Decision,
    Media,
    Missed,
    ReviewStatus,
    TriggerKind,
)

metadata = MetaData()
Labels = Annotated[dict[str, str], plain("labels, from a document")]
Names = Annotated[list[str], plain("names in a document")]
Hosts = Annotated[list[str], indirect("host names")]
Facts = Annotated[list[Any], plain("triggers or connectors, from a document")]
Fact = Annotated[dict[str, Any], plain("a trigger, from a document")]


def key(name: str, kind: Any) -> Column[Any]:
    return column(name, kind, primary_key=True)


workflows = Table(
    "workflows", metadata,
    key("org", OrganizationId), key("workflow_id", WorkflowId), column("name", Name),
    column("stream_version", Version), column("enabled", Flag), column("archived", Flag),
    column("labels", Labels), column("triggers", Facts), column("draft_version", Version),
    column("published", Version | None), column("created_at", Moment),
    column("saved_at", Moment), column("published_at", Moment | None),
)  # fmt: skip
Index("workflows_created", workflows.c.org, workflows.c.created_at, workflows.c.workflow_id)

drafts = Table(
    "drafts", metadata,
    key("org", OrganizationId), key("workflow_id", WorkflowId), column("version", Version),
    column("media", Media), column("document", SealedText), column("bytes", Bytes),
    column("saved_at", Moment), column("saved_by", Actor),
)  # fmt: skip

versions = Table(
    "versions", metadata,
    key("org", OrganizationId), key("workflow_id", WorkflowId), key("version", Version),
    column("draft_version", Version), column("language", Version), column("media", Media),
    column("source", SealedText), column("document", SealedJson),
    column("document_digest", Digest), column("bytes", Bytes), column("steps_count", Count),
    column("triggers", Facts), column("connectors", Facts), column("hosts", Hosts),
    column("secrets", Names), column("variables", Names), column("labels", Labels),
    column("callees", Facts), column("note", SealedText | None), column("published_at", Moment),
    column("published_by", Actor),
)  # fmt: skip

# Of the newest version of each workflow; `trigger` is unique, `key` is so within the workflow.
triggers = Table(
    "triggers", metadata,
    key("org", OrganizationId), key("trigger", Word), column("workflow_id", WorkflowId),
    column("key", Word), column("kind", TriggerKind), column("path", HttpPath | None),
    column("version", Version), column("fact", Fact), column("published_at", Moment),
)  # fmt: skip
Index("triggers_of_workflow", triggers.c.org, triggers.c.workflow_id)
Index("triggers_of_path", triggers.c.org, triggers.c.path)

# What is due when. A version that another one followed has a row while instants before that are
# owed, up to `until`.
schedules = Table(
    "schedules", metadata,
    key("org", OrganizationId), key("workflow_id", WorkflowId), key("schedule", Word),
    key("version", Version), column("cron", CronLine), column("timezone", ZoneName),
    column("missed", Missed), column("next_at", Moment), column("until", Moment | None),
)  # fmt: skip
Index("schedules_due", schedules.c.next_at)

# The last instant of each schedule that was decided; `stream_version` is the tick's.
ticks = Table(
    "ticks", metadata,
    key("org", OrganizationId), key("workflow_id", WorkflowId), key("schedule", Word),
    column("stream_version", Version), column("due_at", Moment), column("decision", Decision),
    column("missed_count", Count), column("decided_at", Moment),
)  # fmt: skip

reviews = Table(
    "reviews", metadata,
    key("org", OrganizationId), key("review_id", ReviewId), column("workflow_id", WorkflowId),
    column("workflow_name", Name), column("draft_version", Version),
    column("document_digest", Digest), column("callees", Facts), column("secrets", Names),
    column("variables", Names), column("status", ReviewStatus),
    column("note", SealedText | None), column("requested_by", Actor),
    column("requested_at", Moment), column("decided_by", Actor | None),
    column("decided_at", Moment | None), column("comment", SealedText | None),
)  # fmt: skip
Index("reviews_requested", reviews.c.org, reviews.c.requested_at, reviews.c.review_id)
Index("reviews_of_workflow", reviews.c.org, reviews.c.workflow_id)

secrets = Table(
    "secrets", metadata,
    key("org", OrganizationId), key("name", Name), column("version", Version),
    column("created_at", Moment), column("stored_at", Moment),
)  # fmt: skip

variables = Table(
    "variables", metadata,
    key("org", OrganizationId), key("name", Name), column("version", Version),
    column("value", SealedJson), column("created_at", Moment), column("set_at", Moment),
)  # fmt: skip

VIEWS = (workflows, drafts, versions, triggers, schedules, ticks, reviews, secrets, variables)

# Beside the log, written in the transaction of the decision: whose path it is, the sealed values
# of secrets (None when deleted, so that a version is never given twice), and who uses them.
hook_paths = Table(
    "hook_paths", metadata,
    key("org", OrganizationId), key("path", HttpPath), column("workflow_id", WorkflowId),
    info={"hidden": True},
)  # fmt: skip

secret_values = Table(
    "secret_values", metadata,
    key("org", OrganizationId), key("name", Name), column("version", Version),
    column("value", SealedSecret | None),
)  # fmt: skip

secret_uses = Table(
    "secret_uses", metadata,
    key("org", OrganizationId), key("name", Name), key("workflow_id", WorkflowId),
    key("place", Word), column("workflow_name", Name),
    info={"hidden": True},
)  # fmt: skip
