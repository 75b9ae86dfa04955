"""Approvals: what waits for a person, and what they decide."""

from datetime import datetime
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
    ApprovalDecided,
    ApprovalRequested,
    ApprovalShown,
    DecideApproval,
    DecisionShown,
    ExecutionStarted,
    FindApproval,
    FindApprovals,
    PersonNeeded,
)
from services.executor.deciding import Decide, agreeing
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
        about, changed = await _changed(engine, command, row, events, meta)
        said = Decide(
            approval=row.approval, person=meta.actor, named=_named(row, meta),
            starter=await _starter(engine, events, meta), decision=command.decision,
            comment=await sealed(engine, meta, row.execution, command.comment),
            input=changed, at=clock.now(), input_version=about,
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


async def opened(engine: Engine, row: Any, meta: Meta, sealed_value: str | None) -> Any:
    stream = stream_of("execution", meta.organization, row.execution)
    return await engine.service.keys.open(meta.organization, PURPOSE, stream, sealed_value)


async def shown(engine: Engine, row: Any, meta: Meta) -> ApprovalShown:
    """As the caller may see it: what it is about is opened for those who are asked."""
    named = _named(row, meta)
    message = given = None
    if named:
        message = await opened(engine, row, meta, row.message)
        given = await opened(engine, row, meta, row.input)
        execution_opened(engine, row.execution, "approval", meta, "approvals:decide")
    return ApprovalShown(
        id=row.approval, execution=row.execution, workflow=row.workflow, version=row.version,
        step=row.step, status=row.status, by=row.by, quorum=row.quorum,
        decisions_count=row.agreeing,
        decisions=[DecisionShown.model_validate(d) for d in row.decisions], named=named,
        editable=row.editable, not_the_starter=row.not_the_starter, message=message, input=given,
        input_version=row.input_version,
        requested_at=row.requested_at, due_at=row.due_at, ended_at=row.ended_at,
    )  # fmt: skip


async def _decided(engine: Engine, row: Any, command: DecideApproval, meta: Meta) -> ApprovalShown:
    """As the log has it now; lists follow within a second."""
    said = _said(await history(engine, meta, row.execution), row.approval)
    decisions = [one for _, one in said]
    counting = agreeing(decisions)
    status, ended = "pending", None
    if command.decision == "rejected":
        status, ended = "rejected", said[-1][0]
    elif len(counting) >= row.quorum:
        status, ended = "approved", said[-1][0]
    now = await shown(engine, row, meta)
    changes = [one.input for one in decisions if one.input is not None]
    return now.model_copy(update={
        "decisions": [
            DecisionShown(by=one.person_id, decision=one.decision, changed=one.input is not None,
                          at=at) for at, one in said
        ],
        "status": status, "ended_at": ended, "input_version": len(changes),
        "decisions_count": sum(one.decision == "approved" for one in counting),
        "input": await opened(engine, row, meta, changes[-1]) if changes else now.input,
    })  # fmt: skip


def _said(events: list[Recorded], approval: str) -> list[tuple[datetime, ApprovalDecided]]:
    """Who said what to it, in order, each with its moment."""
    found = [(one.time, one.event()) for one in events if one.type == ApprovalDecided.type]
    return [
        (at, e) for at, e in found
        if isinstance(e, ApprovalDecided) and e.approval_id == approval
    ]  # fmt: skip


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


async def _changed(
    engine: Engine, command: DecideApproval, row: Any, events: list[Recorded], meta: Meta
) -> tuple[int | None, str | None]:
    """The version of the input that the decision is about, and another input, completed and sealed.

    Whoever sends what stands there changes nothing. Raises InvalidInput with pointers.
    """
    if command.input is None:
        return command.input_version, None
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
    changes = [one.input for _, one in _said(events, row.approval) if one.input is not None]
    about = len(changes) if command.input_version is None else command.input_version
    if value == await opened(engine, row, meta, changes[-1] if changes else _first(events, row)):
        return about, None
    return about, await sealed(engine, meta, row.execution, value)


def _first(events: list[Recorded], row: Any) -> str | None:
    """The input as people were asked."""
    found = [one.event() for one in events if one.type == ApprovalRequested.type]
    return next(
        e.input for e in found
        if isinstance(e, ApprovalRequested) and e.approval_id == row.approval
    )  # fmt: skip


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
