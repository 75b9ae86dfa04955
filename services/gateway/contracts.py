"""Bodies and answers that only the door has: every other one is of the service that is asked."""

from typing import Annotated, Literal

from pydantic import Field, create_model

from libs.common.fields import (
    Actor,
    AnyJson,
    CallId,
    Count,
    Email,
    ExecutionId,
    Flag,
    Label,
    Moment,
    OrganizationId,
    OrganizationRef,
    Password,
    PersonId,
    PolicyVersion,
    Seconds,
    SecretText,
    SessionId,
    Version,
    Word,
    WorkflowId,
)  # fmt: skip
from libs.common.messages import Message
from services.audit.contract import EventTypePattern, ExportFormat, HoldReason
from services.executor.contract import CustomType, ExecutionShown, OwnId, TimelineEntry
from services.workflows.contract import WorkflowShown


class SignIn(Message):
    """How to sign in; `as` says whether the token goes into a cookie or into the answer."""

    email: Email
    password: Password
    as_: Annotated[Literal["cookie", "token"], Field(alias="as")] = "cookie"


class SessionOpened(Message):
    """`token` is null unless it was asked for, and null in a repetition."""

    id: SessionId
    person: PersonId
    expires_at: Moment
    token: SecretText | None


class StartByHand(Message):
    """Input for one execution; `version` null is the newest published one."""

    input: AnyJson = None
    version: Version | None = None


class HoldPlacing(Message):
    """Entries of an organization's trail to keep for a case: `from` inclusive, `to` exclusive, of
    these actors and types where they are given."""

    organization_id: OrganizationId
    reason: HoldReason
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment
    expires_at: Moment
    actor: Annotated[list[Actor] | None, Field(min_length=1, max_length=20)] = None
    event_type: Annotated[
        list[EventTypePattern] | None, Field(min_length=1, max_length=20, alias="type")
    ] = None


class TrailExport(Message):
    """A part of the organization's trail: `from` inclusive, `to` exclusive."""

    format: ExportFormat
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment


class EventSaid(Message):
    """What happened; `id` is the caller's own name of this event, so that it is one event only."""

    type: CustomType
    data: AnyJson = None
    id: OwnId | None = None


class StartedShown(Message):
    """What was started; `outcome` is null while it runs."""

    execution: ExecutionId
    call: CallId
    outcome: Literal["succeeded", "failed", "cancelled"] | None
    error_type: Word | None


ExpandableExecution = create_model(
    "ExpandableExecution", __base__=ExecutionShown,
    __doc__="An execution; expanded, `workflow` is the workflow itself and `steps` are there.",
    workflow=(WorkflowId | WorkflowShown, ...), steps=(list[TimelineEntry] | None, None),
)  # fmt: skip


class LimitsShown(Message):
    """Every limit of this installation."""

    body_bytes: Count
    document_bytes: Count
    document_steps: Count
    document_depth: Count
    headers_bytes: Count
    json_depth: Count
    list_limit: Count
    filter_values: Count
    api_per_s: Count
    api_burst: Count
    hooks_per_s: Count
    hook_file_bytes: Count
    form_parts: Count
    custom_events_per_s: Count
    custom_event_bytes: Count
    unanswered_starts: Count
    sign_in_per_minute_account: Count
    sign_in_per_minute_address: Count
    prefer_wait_s: Seconds
    subscriptions: Count
    streams: Count
    secrets: Count
    variables: Count
    api_keys: Count
    invitations: Count


class DoorShown(Message):
    """This installation: what it is, what it can, what it allows."""

    version: PolicyVersion
    region: Label
    set_up: Flag
    sign_up: Word
    features: list[Word]
    limits: LimitsShown


class HomeParameters(Message):
    """Whose executions the page shows."""

    organization: OrganizationRef | None = None


class OneTimeParameters(Message):
    """The one-time token in the link."""

    token: SecretText | None = None
