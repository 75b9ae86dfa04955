"""Read models of the executor: executions, the trigger ledger; and what callers ask of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Index, Select, Table, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import clock
from libs.common.fields import (
    Bytes,
    CallId,
    Count,
    Digest,
    ExecutionId,
    Flag,
    HttpPath,
    Milliseconds,
    Moment,
    Number,
    OrganizationId,
    PlainJson,
    SealedJson,
    SealedText,
    StepPath,
    Version,
    Word,
    WorkflowId,
)  # fmt: skip
from libs.common.messages import Recorded
from libs.common.pages import seek
from libs.common.readers import Projection
from libs.common.tables import column
from services.executor import arriving, asked, labelled
from services.executor.contract import (
    ApprovalRequested,
    CallFilter,
    CallResent,
    ExecutionForgotten,
    ExecutionStarted,
    FindCalls,
    QueuedFor,
    TriggerCallRefused,
    TriggerCallRepeated,
    TriggerCallUnmatched,
)  # fmt: skip
from services.executor.summary import Summary, reduce
from services.executor.tables import CLEANED_SOON, collecting, forgotten, metadata, timers

PLACE = ("org", "started_at", "execution")
A_DAY = timedelta(days=1)
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
    column("error_status", Number | None),
    column("error_also", PlainJson),
    column("error_message", SealedText | None),
    column("concurrency_key", Digest | None),
    column("cancel_requested", Flag),
    column("paused", Flag),
    column("rolling_back", Flag),
    column("rollback", Word | None),
    column("parent", ExecutionId | None),
    column("steps", Count),
    column("effects", Count),
    column("duration_ms", Milliseconds | None),
    Index("executions_newest", *PLACE),
    Index("executions_of_workflow", "org", "workflow", "started_at", "execution"),
    Index("executions_live", *PLACE, postgresql_where=text("outcome is null")),
    *(
        Index(f"executions_by_{name}", "org", name, *PLACE[1:], postgresql_where=text(where))
        for name, where in (
            ("outcome", "outcome in ('failed', 'cancelled')"),
            ("error_type", "error_type is not null"),
            ("parent", "parent is not null"),
            ("concurrency_key", "concurrency_key is not null"),
        )
    ),
    postgresql_with=CLEANED_SOON,
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
    Index("calls_loose", "org", "called_at", postgresql_where=text("outcome <> 'started'")),
    postgresql_with=CLEANED_SOON,
)

lists = Projection("lists", version=5, tables=[executions, calls, asked.approvals, labelled.labels])
_SUMMARY = tuple(Summary.__dataclass_fields__)
_UPSERT = text(
    "insert into executions ({names}) select {names} from json_to_recordset(:rows) as r("
    "execution text, org text, workflow text, version bigint, mode text, trigger json, labels json,"
    " started_at timestamptz, ended_at timestamptz, outcome text, waits json, error_type text,"
    " error_step text, error_attempts bigint, error_status bigint, error_also json,"
    " error_message text, concurrency_key text, cancel_requested bool, paused bool,"
    " rolling_back bool, rollback text, parent text, steps bigint, effects bigint,"
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
    """Lists and arrivals in one transaction: a busy executor moves one bookmark, not three."""
    await keep_executions(connection, events)
    await keep_calls(connection, events)
    await arriving.keep_own(connection, events)
    if gone := [e.json()["execution_id"] for e in events if e.type == ExecutionForgotten.type]:
        await forget(connection, gone)
    if events[0].time < clock.now() - A_DAY:
        await _hide_again(connection, events)


async def _hide_again(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Events as old as that come when the view is rebuilt: what is hidden stays so."""
    names = {e.subject.rpartition("-")[2] for e in events if e.subject.startswith("execution-")}
    t = forgotten.c
    hidden = await connection.execute(select(t.execution).where(t.execution.in_(names)))
    if gone := hidden.scalars().all():
        await forget(connection, gone)


async def forget(connection: AsyncConnection, gone: Sequence[str]) -> None:
    """What a rebuild would not bring back either, when their events have left the log."""
    t = executions.c
    began = select(t.trigger["call_id"].as_string()).where(t.execution.in_(gone))
    await connection.execute(calls.delete().where(calls.c.call.in_(began)))
    for table in (executions, asked.approvals, labelled.labels):
        await connection.execute(table.delete().where(table.c.execution.in_(gone)))


async def keep_executions(connection: AsyncConnection, events: Sequence[Recorded]) -> None:
    """Reduces a batch in memory: one read, one write, whatever its size."""
    mine = [e for e in events if e.subject.startswith("execution-")]
    if not mine:
        return
    begun = {e.subject for e in mine if e.streamversion == 1}
    known = {e.subject.rpartition("-")[2] for e in mine if e.subject not in begun}
    summaries: dict[str, Summary | None] = {}
    if known:
        found = await connection.execute(
            select(*(executions.c[n] for n in _SUMMARY)).where(executions.c.execution.in_(known))
        )
        summaries = {row.execution: Summary(**row._mapping) for row in found}
    asked_on: dict[str, tuple[str, int]] = {}  # an execution may be moved later in the same batch
    for event in mine:
        name = event.subject.rpartition("-")[2]
        summaries[name] = now = reduce(summaries.get(name), event)
        if now is not None and event.type == ApprovalRequested.type:
            asked_on[event.id] = now.workflow, now.version
    rows = [s for s in summaries.values() if s is not None]
    await connection.execute(_UPSERT, {"rows": msgspec.json.encode(rows).decode()})
    fresh = {e.subject.rpartition("-")[2] for e in mine if e.type == ExecutionStarted.type}
    await labelled.keep(connection, [one for one in rows if one.execution in fresh])
    await asked.keep(connection, mine, asked_on)


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


_OUTCOMES = {TriggerCallUnmatched.type: "unmatched", TriggerCallRepeated.type: "duplicate"}


def _call(recorded: Recorded) -> dict[str, Any] | None:
    if recorded.type not in (ExecutionStarted.type, TriggerCallRefused.type, *_OUTCOMES):
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
    return call | {"outcome": _OUTCOMES.get(recorded.type, "refused")}


# -- what callers ask ------------------------------------------------------------------------------

held = exists().where(
    timers.c.execution == executions.c.execution, timers.c.leased_until > func.now()
)


async def standing(
    connection: AsyncConnection, names: Sequence[str]
) -> dict[str, tuple[bool, QueuedFor | None]]:
    """Of live executions: whether somebody holds it now, and what it would be queued for."""
    gathers = (collecting.c.org == timers.c.org) & (collecting.c.execution == timers.c.execution)
    statement = (
        select(
            timers.c.execution, (timers.c.leased_until > func.now()).label("held"),
            timers.c.entered, (timers.c.due_at > func.now()).label("later"), collecting.c.key,
        ).outerjoin(collecting, gathers).where(timers.c.execution.in_(names))
    )  # fmt: skip
    found: dict[str, tuple[bool, QueuedFor | None]] = {}
    for row in (await connection.execute(statement)).all():
        reason: QueuedFor = "places"
        if not row.entered:
            reason = "concurrency-key"
        elif row.later:
            reason = "rate" if row.key is None else "debounce"
        found[row.execution] = (row.held, reason)
    return found


def _chosen_calls(statement: Select[Any], query: CallFilter | FindCalls) -> Select[Any]:
    t = calls.c
    for chosen, expression in (
        (query.outcome, t.outcome), (query.workflow, t.workflow), (query.kind, t.kind),
        (query.path, t.path),
    ):  # fmt: skip
        if chosen:
            statement = statement.where(or_(*(expression == one for one in chosen)))
    return _between(statement, t.called_at, query)


async def find_calls(connection: AsyncConnection, query: FindCalls) -> Sequence[Any]:
    statement = _chosen_calls(select(calls), query)
    ordered = seek(statement, query, calls.c.called_at, calls.c.call)
    return (await connection.execute(ordered)).all()


async def names_of_calls(connection: AsyncConnection, wanted: CallFilter, most: int) -> list[str]:
    """Calls that can be sent again, in the order in which they came; at most `most`."""
    t = calls.c
    kept = or_(t.body.is_not(None), t.execution.is_not(None))
    statement = _chosen_calls(select(t.call), wanted).where(kept, t.resent_as.is_(None))
    ordered = statement.order_by(t.called_at, t.call).limit(most)
    return list((await connection.execute(ordered)).scalars())


async def find_call(connection: AsyncConnection, call: str) -> Any:
    return (await connection.execute(select(calls).where(calls.c.call == call))).first()


def _between(statement: Select[Any], moment: Any, query: CallFilter | FindCalls) -> Any:
    if query.from_at is not None:
        statement = statement.where(moment >= query.from_at)
    if query.to_at is not None:
        statement = statement.where(moment < query.to_at)
    return statement
