"""Read models of the executor: executions, the trigger ledger; and what callers ask of them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Index, Select, Table, case, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.fields import (
    Bytes,
    CallId,
    Count,
    ExecutionId,
    Flag,
    HttpPath,
    Milliseconds,
    Moment,
    OrganizationId,
    PlainJson,
    SealedJson,
    StepPath,
    Version,
    Word,
    WorkflowId,
)  # fmt: skip
from libs.common.messages import Recorded
from libs.common.pages import seek
from libs.common.readers import Projection
from libs.common.tables import column
from services.executor.contract import (
    CallResent,
    ExecutionStarted,
    FindCalls,
    FindExecutions,
    TriggerCallRefused,
    TriggerCallRepeated,
    TriggerCallUnmatched,
)  # fmt: skip
from services.executor.summary import Summary, reduce
from services.executor.tables import metadata, timers

executions = Table(
    "executions",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("org", OrganizationId),
    column("workflow", WorkflowId),
    column("version", Version),
    column("mode", Word),
    column("trigger", PlainJson),
    column("labels", PlainJson),
    column("started_at", Moment),
    column("ended_at", Moment | None),
    column("outcome", Word | None),
    column("waits", PlainJson),
    column("error_type", Word | None),
    column("error_step", StepPath | None),
    column("error_attempts", Count | None),
    column("cancel_requested", Flag),
    column("steps", Count),
    column("effects", Count),
    column("duration_ms", Milliseconds | None),
    Index("executions_newest", "org", "started_at", "execution"),
    Index("executions_of_workflow", "org", "workflow", "started_at"),
)

calls = Table(
    "calls",
    metadata,
    column("call", CallId, primary_key=True),
    column("org", OrganizationId),
    column("kind", Word),
    column("path", HttpPath | None),
    column("outcome", Word),
    column("reason", Word | None),
    column("workflow", WorkflowId | None),
    column("execution", ExecutionId | None),
    column("errors", PlainJson),
    column("headers", SealedJson | None),
    column("body", SealedJson | None),
    column("bytes", Bytes),
    column("resent_as", ExecutionId | None),
    column("called_at", Moment),
    Index("calls_newest", "org", "called_at", "call"),
)

lists = Projection("lists", version=1, tables=[executions, calls])
_SUMMARY = tuple(Summary.__dataclass_fields__)
_JSON = ("trigger", "labels", "waits")
_UPSERT = text(
    "insert into executions ({names}) select {names} from json_to_recordset(:rows) as r("
    "execution text, org text, workflow text, version bigint, mode text, trigger json, labels json,"
    " started_at timestamptz, ended_at timestamptz, outcome text, waits json, error_type text,"
    " error_step text, error_attempts bigint, cancel_requested bool, steps bigint, effects bigint,"
    " duration_ms bigint) on conflict (execution) do update set {sets}".format(
        names=", ".join(_SUMMARY),
        sets=", ".join(f"{n} = excluded.{n}" for n in _SUMMARY if n != "execution"),
    )
)

_INSERT_CALLS = text(
    "insert into calls (call, org, kind, path, outcome, reason, workflow, execution, errors,"
    " headers, body, bytes, resent_as, called_at) select * from json_to_recordset(:rows) as r("
    "call text, org text, kind text, path text, outcome text, reason text, workflow text,"
    " execution text, errors json, headers text, body text, bytes bigint, resent_as text,"
    " called_at timestamptz) on conflict (call) do nothing"  # the queue delivers at least once
)


@lists.whole
async def keep(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Both lists in one transaction: a busy executor moves one bookmark, not two."""
    await keep_executions(connection, events)
    await keep_calls(connection, events)


async def keep_executions(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Reduces a batch in memory: one read, one write, whatever its size."""
    mine = [e for e in events if e.subject.startswith("execution-")]
    if not mine:
        return
    known = {e.subject.rpartition("-")[2] for e in mine if e.streamversion > 1}
    summaries: dict[str, Summary | None] = {}
    if known:
        found = await connection.execute(
            select(*(executions.c[n] for n in _SUMMARY)).where(executions.c.execution.in_(known))
        )
        summaries = {row.execution: Summary(**row._mapping) for row in found}
    for event in mine:
        name = event.subject.rpartition("-")[2]
        summaries[name] = reduce(summaries.get(name), event)
    rows = [s for s in summaries.values() if s is not None]
    await connection.execute(_UPSERT, {"rows": msgspec.json.encode(rows).decode()})


async def keep_calls(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    rows = [row for e in events if (row := _call(e)) is not None]
    if rows:
        await connection.execute(_INSERT_CALLS, {"rows": msgspec.json.encode(rows).decode()})
    for event in events:
        if event.type == CallResent.type:
            resent = event.json()
            await connection.execute(
                calls.update().where(calls.c.call == resent["call_id"])
                .values(resent_as=resent["execution_id"])
            )  # fmt: skip


def _call(recorded: Recorded) -> dict[str, Any] | None:
    kinds = (
        ExecutionStarted.type, TriggerCallUnmatched.type, TriggerCallRefused.type,
        TriggerCallRepeated.type,
    )  # fmt: skip
    if recorded.type not in kinds:
        return None
    data = recorded.json()
    call = {
        "call": data.get("call_id"), "org": recorded.organization, "kind": data.get("kind"),
        "path": data.get("path"), "outcome": "refused", "reason": data.get("reason"),
        "workflow": data.get("workflow_id"), "execution": data.get("execution_id"),
        "errors": data.get("errors", []), "headers": data.get("headers"), "body": data.get("body"),
        "bytes": data.get("bytes", 0), "resent_as": None, "called_at": recorded.time,
    }  # fmt: skip
    if recorded.type == ExecutionStarted.type:
        trigger = data["trigger"]
        return call | {
            "call": trigger["call_id"], "kind": trigger["kind"], "path": trigger["path"],
            "outcome": "started", "bytes": data["input_bytes"],
        }  # fmt: skip
    outcomes = {TriggerCallUnmatched.type: "unmatched", TriggerCallRepeated.type: "duplicate"}
    return call | {"outcome": outcomes.get(recorded.type, "refused")}


# -- what callers ask ------------------------------------------------------------------------------

_held = exists().where(
    timers.c.execution == executions.c.execution, timers.c.leased_until > func.now()
)
_status = case(
    (executions.c.outcome.is_not(None), executions.c.outcome),
    (_held, "running"),
    (executions.c.waits.cast(JSONB) != text("'{}'::jsonb"), "waiting"),
    else_="queued",
)


async def find_executions(connection: AsyncConnection, query: FindExecutions) -> Sequence[Any]:
    """Rows of Summary and `held`, one more than the limit."""
    t = executions.c
    statement = select(*(t[n] for n in _SUMMARY), _held.label("held"))
    for chosen, expression in (
        (query.status, _status), (query.outcome, t.outcome), (query.workflow, t.workflow),
        (query.version, t.version), (query.mode, t.mode), (query.error_type, t.error_type),
        (query.trigger, t.trigger["kind"].as_string()),
    ):  # fmt: skip
        if chosen:
            statement = statement.where(expression.in_(chosen))
    for label in query.label or []:
        name, _, value = label.partition(":")
        statement = statement.where(t.labels[name].as_string() == value)
    statement = _between(statement, t.started_at, query)
    return (await connection.execute(seek(statement, query, t.started_at, t.execution))).all()


async def is_held(connection: AsyncConnection, execution: str) -> bool:
    found = await connection.execute(
        select(timers.c.execution).where(
            timers.c.execution == execution, timers.c.leased_until > func.now()
        )
    )
    return found.first() is not None


async def find_calls(connection: AsyncConnection, query: FindCalls) -> Sequence[Any]:
    t = calls.c
    statement = select(calls)
    for chosen, expression in (
        (query.outcome, t.outcome), (query.workflow, t.workflow), (query.kind, t.kind),
        (query.path, t.path),
    ):  # fmt: skip
        if chosen:
            statement = statement.where(or_(*(expression == one for one in chosen)))
    statement = _between(statement, t.called_at, query)
    return (await connection.execute(seek(statement, query, t.called_at, t.call))).all()


async def find_call(connection: AsyncConnection, call: str) -> Any:
    return (await connection.execute(select(calls).where(calls.c.call == call))).first()


def _between(statement: Select[Any], moment: Any, query: FindCalls | FindExecutions) -> Any:
    if query.from_at is not None:
        statement = statement.where(moment >= query.from_at)
    if query.to_at is not None:
        statement = statement.where(moment < query.to_at)
    return statement
