"""What workflows answers: exactly the JSON that the REST API shows."""

from libs.common.fields import (
    Actor,
    AnyJson,
    Bytes,
    Count,
    CronLine,
    DocumentText,
    Flag,
    FreeText,
    HostName,
    HttpPath,
    LabelText,
    Moment,
    Name,
    ResourceAddress,
    Seconds,
    Version,
    Word,
    WorkflowId,
    ZoneName,
)  # fmt: skip
from libs.common.messages import Message
from services.workflows.contract.events import (
    ConnectorFact,
    Media,
    Missed,
    Respond,
    Scheme,
    TriggerKind,
)
from services.workflows.contract.reviews import CalleeShown
from services.workflows.contract.ticks import Decision


class ProblemShown(Message):
    """What breaks a rule in a document, and where."""

    pointer: FreeText
    line: Count | None
    column: Count | None
    rule: LabelText
    detail: FreeText
    found: FreeText | None
    did_you_mean: FreeText | None
    see: FreeText | None


class TickShown(Message):
    """The last instant of a schedule that was decided."""

    due_at: Moment
    decision: Decision
    missed_count: Count
    decided_at: Moment


class TriggerShown(Message):
    """One trigger of the published version; what its kind has not is null.

    `address` is relative to this installation. `next_at` and `last_tick` of a schedule are in
    the list of triggers; a workflow that is off has no next time.
    """

    workflow: WorkflowId
    workflow_name: Name
    version: Version
    kind: TriggerKind
    id: Name | None
    path: HttpPath | None
    address: ResourceAddress | None
    scheme: Scheme | None
    secret: Name | None
    respond: Respond | None
    timeout_s: Seconds | None
    cron: CronLine | None
    timezone: ZoneName | None
    missed: Missed | None
    event_type: Word | None
    enabled: Flag
    archived: Flag
    next_at: Moment | None = None
    last_tick: TickShown | None = None
    last_call_at: Moment | None = None


class DraftShown(Message):
    """The draft as it was saved; `version` is the stream's version at that save."""

    workflow: WorkflowId
    version: Version
    media: Media
    document: DocumentText
    size_bytes: Bytes
    saved_at: Moment
    saved_by: Actor


class VersionShown(Message):
    """A published version; `document` (as it was saved) is there when one is asked for."""

    workflow: WorkflowId
    version: Version
    draft_version: Version
    language: Version
    media: Media
    size_bytes: Bytes
    steps_count: Count
    connectors: list[ConnectorFact]
    hosts: list[HostName]
    secrets: list[Name]
    variables: list[Name]
    callees: list[CalleeShown]
    note: FreeText | None
    published_at: Moment
    published_by: Actor
    document: DocumentText | None = None


class WorkflowShown(Message):
    """`draft` and `published` are version numbers; expanded they are the things themselves."""

    id: WorkflowId
    name: Name
    enabled: Flag
    archived: Flag
    labels: dict[Word, LabelText]
    draft: Version | DraftShown
    published: Version | VersionShown | None
    triggers: list[TriggerShown]
    created_at: Moment
    saved_at: Moment
    published_at: Moment | None


class DraftedShown(WorkflowShown):
    """The workflow after its draft was saved, and what the checker says about the draft."""

    problems: list[ProblemShown]
    warnings: list[ProblemShown]


class CheckShown(Message):
    """`more`: there are problems beyond the first 50."""

    ok: Flag
    problems: list[ProblemShown]
    warnings: list[ProblemShown]
    more: Flag
    steps_count: Count | None


class SecretShown(Message):
    name: Name
    version: Version
    created_at: Moment
    stored_at: Moment
    last_used_at: Moment | None = None


class VariableShown(Message):
    name: Name
    value: AnyJson
    version: Version
    created_at: Moment
    set_at: Moment


class SchemaShown(Message):
    """The JSON Schema of the language; the gateway shows `json_schema` itself."""

    json_schema: AnyJson


class Done(Message):
    """Nothing more to say (204)."""
