"""Approvals as a read model: who is asked for what, and what was decided."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Index, Table, false, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.fields import (
    ApprovalId,
    Count,
    ExecutionId,
    Flag,
    Moment,
    OrganizationId,
    PlainJson,
    SealedJson,
    SealedText,
    StepPath,
    Version,
    Word,
    WorkflowId,
)
from libs.common.messages import Meta, Recorded
from libs.common.pages import seek
from libs.common.tables import column
from services.executor.contract import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ExecutionFinished,
    FindApprovals,
    RollbackBegan,
    WaitEnded,
)
from services.executor.tables import metadata

approvals = Table(
    "approvals",
    metadata,
    column("approval", ApprovalId, primary_key=True),
    column("org", OrganizationId),
    column("execution", ExecutionId),
    column("workflow", WorkflowId),
    column("version", Version),
    column("step", StepPath),
    column("status", Word),
    column("by", PlainJson),
    column("quorum", Count),
    column("agreeing", Count),
    column("decisions", PlainJson),
    column("message", SealedText),
    column("input", SealedJson | None),
    column("input_version", Count),
    column("editable", Flag),
    column("not_the_starter", Flag),
    column("requested_at", Moment),
    column("due_at", Moment | None),
    column("ended_at", Moment | None),
    Index("approvals_newest", "org", "requested_at", "approval"),
    Index("approvals_pending", "execution", postgresql_where=text("status = 'pending'")),
    Index("approvals_of_execution", "execution"),
)
# An execution that asked somebody has at least these before its end: start, question, wait.
BEFORE_THE_END = 3
ENDING = (ExecutionFinished.type, RollbackBegan.type)
OVER = {"cancelled": "cancelled", "decided": "approved"}


async def keep(
    connection: AsyncConnection, events: Sequence[Recorded], asked_on: Mapping[str, tuple[str, int]]
) -> None:
    """`asked_on` says workflow and version of the execution as it asked, by the event's id."""
    ended: dict[str, Any] = {}
    for one in events:
        if one.type == ApprovalRequested.type:
            await connection.execute(approvals.insert().values(_row(one, *asked_on[one.id])))
        elif one.type == ApprovalDecided.type:
            await _decided(connection, one)
        elif one.type == ApprovalExpired.type:
            await _close(connection, approvals.c.approval == one.json()["approval_id"], one,
                         "timed-out")  # fmt: skip
        elif one.type == WaitEnded.type:
            await _wait_over(connection, one)
        elif one.type in ENDING and one.streamversion > BEFORE_THE_END:
            ended.setdefault(_execution(one), one.time)
    if ended:
        rows = [{"execution": name, "at": at} for name, at in ended.items()]
        await connection.execute(CANCEL, {"rows": msgspec.json.encode(rows).decode()})


def _execution(one: Recorded) -> str:
    return one.subject.rpartition("-")[2]


def _row(one: Recorded, workflow: str, version: int) -> dict[str, Any]:
    event, execution = one.event(), _execution(one)
    assert isinstance(event, ApprovalRequested), "only questions become rows"
    return {
        "approval": event.approval_id, "org": one.organization, "execution": execution,
        "workflow": workflow, "version": version, "step": event.path,
        "status": "pending", "by": event.by, "quorum": event.quorum, "agreeing": 0,
        "decisions": [], "message": event.message, "input": event.input, "input_version": 0,
        "editable": event.editable,
        "not_the_starter": event.not_the_starter, "requested_at": event.asked_at,
        "due_at": event.due_at, "ended_at": None,
    }  # fmt: skip


async def _decided(connection: AsyncConnection, one: Recorded) -> None:
    event = one.event()
    assert isinstance(event, ApprovalDecided), "only decisions are counted"
    decision = {
        "by": event.person_id, "decision": event.decision, "changed": event.input is not None,
        "at": one.time.isoformat(),
    }  # fmt: skip
    await connection.execute(COUNT, {
        "approval": event.approval_id, "decision": msgspec.json.encode([decision]).decode(),
        "at": one.time, "approves": int(event.decision == "approved"), "input": event.input,
    })  # fmt: skip


COUNT = text("""
update approvals a set decisions = (cast(a.decisions as jsonb) || cast(:decision as jsonb))::json,
  agreeing = n.agreeing, input = coalesce(cast(:input as text), a.input),
  input_version = a.input_version + case when cast(:input as text) is null then 0 else 1 end,
  status = case when :approves = 0 then 'rejected'
    when n.agreeing >= a.quorum then 'approved' else a.status end,
  ended_at = case when :approves = 0 or n.agreeing >= a.quorum then cast(:at as timestamptz) end
from (select approval, :approves + case when cast(:input as text) is null then agreeing else 0 end
  as agreeing from approvals where approval = :approval) n
where a.approval = n.approval and a.status = 'pending'
""")


# What nobody decided before its execution ended, each at its own execution's end.
CANCEL = text("""
update approvals a set status = 'cancelled', ended_at = e.at
from json_to_recordset(:rows) as e(execution text, at timestamptz)
where a.execution = e.execution and a.status = 'pending'
""")


async def _wait_over(connection: AsyncConnection, one: Recorded) -> None:
    """The branch that asked is over; or the step went on, also where an older version counted who
    had approved before the input was changed."""
    ended = one.json()
    if (status := OVER.get(ended["reason"])) is not None:
        asked = ids.derived("apv", _execution(one), ended["path"])
        await _close(connection, approvals.c.approval == asked, one, status)


async def _close(connection: AsyncConnection, which: Any, one: Recorded, status: str) -> None:
    await connection.execute(
        update(approvals).where(which, approvals.c.status == text("'pending'"))
        .values(status=status, ended_at=one.time)
    )  # fmt: skip


# -- what callers ask ------------------------------------------------------------------------------


def groups_of(meta: Meta) -> list[str]:
    """As what an approval may name the caller: themselves, and their role. A key is nobody."""
    if not meta.actor.startswith("per_"):
        return []
    own = [f"person:{meta.actor}"]
    return [*own, f"role:{meta.role}"] if meta.role is not None else own


async def find(connection: AsyncConnection, query: FindApprovals, meta: Meta) -> Sequence[Any]:
    """What names the caller, one row more than the limit."""
    t = approvals.c
    named = [t.by.cast(JSONB).contains([group]) for group in groups_of(meta)]
    statement = select(approvals).where(or_(false(), *named))
    if query.status:
        statement = statement.where(t.status.in_(query.status))
    if query.workflow:
        statement = statement.where(t.workflow.in_(query.workflow))
    ordered = seek(statement, query, t.requested_at, t.approval)
    return (await connection.execute(ordered)).all()


async def find_one(connection: AsyncConnection, approval: str) -> Any:
    found = await connection.execute(select(approvals).where(approvals.c.approval == approval))
    return found.first()
