"""Approvals: what waits for a person, and what they decide."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common import clock
from libs.common.bus import CausedBy, reply
from libs.common.errors import FieldProblem, InvalidInput, NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Meta, Recorded
from libs.common.pages import page_of
from libs.language.check import parse
from libs.language.document import Document
from libs.language.schema import compile_schema, validate_input
from libs.language.steps import ApprovalStep, blocks_in
from services.executor import asked
from services.executor.contract import (
    SERVICE,
    ApprovalShown,
    DecideApproval,
    DecisionShown,
    ExecutionStarted,
    FindApproval,
    FindApprovals,
    PersonNeeded,
)
from services.executor.domain import Decide
from services.executor.engine import Engine
from services.executor.handlers.controls import sealed
from services.executor.looking import execution_opened
from services.executor.noted import NOTED
from services.executor.signals import history, signal
from services.executor.work import PURPOSE
from services.identity.contract import FindKeyCreator, KeyCreatorFound

ERRORS_MAX = 50


def register(r: NatsRouter, engine: Engine) -> None:
    service = engine.service

    @r.subscriber(FindApprovals.type, queue=SERVICE)
    async def find_approvals(query: FindApprovals, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            found = await asked.find(db, query, meta)
        as_shown = [await shown(engine, row, meta) for row in found]
        return reply(page_of(found, query, lambda row: (row.requested_at, row.approval), as_shown))

    @r.subscriber(FindApproval.type, queue=SERVICE)
    async def find_approval(query: FindApproval, meta: CausedBy) -> NatsResponse:
        return reply(await shown(engine, await _row(engine, query.approval_id, meta), meta))

    @r.subscriber(DecideApproval.type, queue=SERVICE)
    async def decide_approval(command: DecideApproval, meta: CausedBy) -> NatsResponse:
        if (before := await service.answered_before(meta)) is not None:
            return before
        if not meta.actor.startswith("per_"):
            raise PersonNeeded("what people are asked is decided by people")
        row = await _row(engine, command.approval_id, meta)
        events = await history(engine, meta, row.execution)
        said = Decide(
            approval=row.approval, person=meta.actor, named=_named(row, meta),
            starter=await _starter(engine, events, meta), decision=command.decision,
            comment=await sealed(engine, meta, row.execution, command.comment),
            input=await _edited(engine, command, row, events, meta), at=clock.now(),
        )  # fmt: skip
        await signal(engine, row.execution, said, meta)
        answer = await _decided(engine, row, command, meta)
        stream = stream_of("execution", meta.organization, row.execution)
        return await service.decide(NOTED, stream, [], meta, answer=lambda state, version: answer)


async def _row(engine: Engine, approval: str, meta: Meta) -> Any:
    async with engine.service.database.read(meta.organization) as db:
        row = await asked.find_one(db, approval)
    if row is None:
        raise NotFound()
    return row


def _named(row: Any, meta: Meta) -> bool:
    return not set(asked.groups_of(meta)).isdisjoint(row.by)


async def shown(engine: Engine, row: Any, meta: Meta) -> ApprovalShown:
    """As the caller may see it: what it is about is opened for those who are asked."""
    named, org = _named(row, meta), meta.organization
    message = given = None
    if named:
        stream = stream_of("execution", org, row.execution)
        keys = engine.service.keys
        message = await keys.open(org, PURPOSE, stream, row.message)
        given = await keys.open(org, PURPOSE, stream, row.input)
        execution_opened(engine, row.execution, "approval", meta, "approvals:decide")
    return ApprovalShown(
        id=row.approval, execution=row.execution, workflow=row.workflow, version=row.version,
        step=row.step, status=row.status, by=row.by, quorum=row.quorum,
        decisions_count=sum(d["decision"] == "approved" for d in row.decisions),
        decisions=[DecisionShown.model_validate(d) for d in row.decisions], named=named,
        editable=row.editable, not_the_starter=row.not_the_starter, message=message, input=given,
        requested_at=row.requested_at, due_at=row.due_at, ended_at=row.ended_at,
    )  # fmt: skip


async def _decided(engine: Engine, row: Any, command: DecideApproval, meta: Meta) -> ApprovalShown:
    """As the log has it now; lists follow within a second."""
    events = await history(engine, meta, row.execution)
    mine = [
        {"by": e.person_id, "decision": e.decision, "at": one.time}
        for one in events
        if one.type == asked.ApprovalDecided.type
        and isinstance(e := one.event(), asked.ApprovalDecided) and e.approval_id == row.approval
    ]  # fmt: skip
    status, ended = "pending", None
    if command.decision == "rejected":
        status, ended = "rejected", mine[-1]["at"]
    elif len(mine) >= row.quorum:
        status, ended = "approved", mine[-1]["at"]
    now = await shown(engine, row, meta)
    return now.model_copy(update={
        "decisions": [DecisionShown.model_validate(one) for one in mine], "status": status,
        "decisions_count": sum(one["decision"] == "approved" for one in mine), "ended_at": ended,
    })  # fmt: skip


# -- may they, and does it fit ---------------------------------------------------------------------


async def _starter(engine: Engine, events: list[Recorded], meta: Meta) -> str:
    """The person who began it all: of a sub-workflow its caller's, of an API key its maker."""
    first = events[0]
    started = first.event()
    while isinstance(started, ExecutionStarted) and started.parent is not None:
        first = (await history(engine, meta, started.parent.execution_id))[0]
        started = first.event()
    if not first.actor.startswith("key_"):
        return first.actor
    asking = Meta.system(SERVICE, meta.organization)
    answer = await engine.bus.ask(FindKeyCreator(key=first.actor), asking)
    return answer.as_a(KeyCreatorFound).person


async def _edited(
    engine: Engine, command: DecideApproval, row: Any, events: list[Recorded], meta: Meta
) -> str | None:
    """The edited input, completed and sealed. Raises InvalidInput with pointers."""
    if command.input is None:
        return None
    schema = await _schema(engine, row, events, meta)
    if schema is None:
        problem = FieldProblem(
            pointer="/input", rule="not-editable", detail="the step has no input schema"
        )
        raise InvalidInput("what this approval is about can't be changed", errors=[problem])
    value, errors = validate_input(compile_schema(schema), command.input)
    if errors:
        raise InvalidInput(
            f"{len(errors)} problems in the input",
            errors=[
                FieldProblem(pointer=f"/input{e.pointer}", rule=e.rule, detail=e.detail)
                for e in errors[:ERRORS_MAX]
            ],
        )
    return await sealed(engine, meta, row.execution, value)


async def _schema(engine: Engine, row: Any, events: list[Recorded], meta: Meta) -> Any:
    """Of the step in the version that the execution runs."""
    started = events[0].event()
    assert isinstance(started, ExecutionStarted), "an execution begins with its start"
    document = await _document(engine, started, row, meta)
    name = row.step.partition("[")[0]
    blocks = [document.block]
    if document.on_error is not None:
        blocks.append(document.on_error)
    while blocks:
        for step in blocks.pop().steps:
            if step.id == name and isinstance(step, ApprovalStep):
                return step.input_schema
            blocks.extend(blocks_in(step))
    return None


async def _document(engine: Engine, started: ExecutionStarted, row: Any, meta: Meta) -> Document:
    if started.draft is not None:
        key = await engine.service.keys.key(meta.organization, PURPOSE)
        stream = stream_of("execution", meta.organization, row.execution)
        return parse(key.open(started.draft.document, stream))
    found = await engine.documents.find(
        meta.organization, workflow=started.workflow_id, version=started.workflow_version
    )
    if found is None:
        raise NotFound()
    return found.document
