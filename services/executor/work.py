"""What goes over the WORK queue: a start with its reply inbox, and the answer to it."""

from typing import Annotated, Any, Literal

import msgspec

from libs.common.fields import (
    Actor,
    Bytes,
    CallId,
    Count,
    Digest,
    ExecutionId,
    HttpPath,
    OrganizationId,
    RequestId,
    SealedJson,
    SealedOrigin,
    Seconds,
    TraceParent,
    Version,
    WorkflowId,
    indirect,
    plain,
)

SUBJECT = "executor.work.start"
STREAM = "WORK"
DURABLE = "executor"
PURPOSE = "executions"
ReplyInbox = Annotated[str, plain("reply inbox")]
TriggerKey = Annotated[str, plain("key of a trigger")]
Facts = Annotated[dict[str, Any], indirect("what is recorded about a trigger: ids and times")]


class Start(msgspec.Struct, omit_defaults=True):
    """One start. `payload` is sealed by the sender for the stream `call-<org>-<call>` under the
    organization's key of purpose `executions`: for a webhook `{"body": …, "headers": {…},
    "query": {…}}` (only listed headers and query values), by hand `{"input": …}`.

    `execution` is `derived("exe", organization, "hook" or "manual", path or workflow id, key)`;
    `key_digest`, `body_digest` are keyed digests (`DataKey.digest`) of the caller's key and body.
    `trigger` is the key of a schedule or event trigger (its id, else its number), `facts` what is
    recorded about it (`schedule`, `due_at`, `event_id`, `event_type`, `depth`); both are in the
    payload too, an event's has `event` (the CloudEvent) and `cause` (`depth`, `workflow`) besides.
    `deadline_ms` is epoch milliseconds: later than that an executor drops the item.
    """

    kind: Literal["webhook", "manual", "schedule", "event"]
    organization: OrganizationId
    execution: ExecutionId
    call: CallId
    payload: SealedJson
    body_digest: Digest
    key_digest: Digest
    reply: ReplyInbox
    deadline_ms: Count
    actor: Actor
    request_id: RequestId
    path: HttpPath | None = None
    workflow: WorkflowId | None = None
    version: Version | None = None
    respond: Literal["accepted", "result"] = "accepted"
    wait_s: Seconds = 0
    origin: SealedOrigin | None = None
    traceparent: TraceParent | None = None
    bytes: Bytes = 0
    trigger: TriggerKey | None = None
    facts: Facts = {}

    @property
    def unattended(self) -> bool:
        """Nobody waits for the answer, or would ask again."""
        return self.kind in ("schedule", "event")


class StartAnswer(msgspec.Struct, omit_defaults=True):
    """`started` comes after the commit of the start; `finished` at the end, only to those who
    wait (`respond: result`); `refused` with `problem` (as `DomainError.to_wire`)."""

    status: Literal["started", "finished", "refused"]
    execution: str
    call: str
    outcome: Literal["succeeded", "failed", "cancelled"] | None = None
    output: Any = None
    error_type: str | None = None
    problem: dict[str, Any] | None = None
    replayed: bool = False


encode = msgspec.json.Encoder().encode
decode_start = msgspec.json.Decoder(Start).decode
decode_answer = msgspec.json.Decoder(StartAnswer).decode
