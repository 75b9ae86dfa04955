"""Long work on many executions or calls: asked for once, carried out piece by piece."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    AnyJson,
    Count,
    ExecutionId,
    Moment,
    OperationId,
    Word,
    indirect,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Event, Message, Query

OperationStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ItemId = Annotated[str, Field(max_length=48), indirect("execution id or trigger call id")]


class OperationResult(Message):
    """`refusals` counts the codes of those that were refused."""

    done: Count
    refused: Count
    refusals: dict[Word, Count]


class OperationProblem(Message):
    code: Word


class OperationShown(Message):
    """`done` of `total` pieces were looked at; `result` is there when it ended."""

    id: OperationId
    kind: Word
    status: OperationStatus
    done: Count
    total: Count
    result: OperationResult | None
    problem: OperationProblem | None
    created_at: Moment
    ended_at: Moment | None


class PieceShown(Message):
    """`outcome` is null until its turn; `made` is a new execution, `value` what was asked for."""

    item: ItemId
    outcome: Literal["done", "refused"] | None
    code: Word | None
    made: ExecutionId | None
    value: AnyJson = None


class FindOperations(
    PageQuery, type="executor.query.find-operations", answers=Page[OperationShown]
):
    """The caller's own; answers Page[OperationShown]."""

    kind: list[Word] | None = None
    status: list[OperationStatus] | None = None


class FindOperation(Query, type="executor.query.find-operation", answers=OperationShown):
    """The caller's own, while they have the permission it needed; answers OperationShown."""

    operation_id: OperationId


class FindOperationResult(
    PageQuery, type="executor.query.find-operation-result", answers=Page[PieceShown]
):
    """What became of each piece, in order; answers Page[PieceShown]."""

    operation_id: OperationId
    order: Literal["desc", "asc"] = "asc"


class CancelOperation(Command, type="executor.command.cancel-operation", answers=OperationShown):
    """No further piece is begun; answers OperationShown."""

    operation_id: OperationId


class OperationRequested(Event, type="executor.event.operation-requested", public=True):
    """Somebody wants something done to so many executions or calls."""

    operation_id: OperationId
    kind: Word
    total: Count


class OperationStopped(Event, type="executor.event.operation-stopped", public=True):
    """Somebody wants no further piece of it begun."""

    operation_id: OperationId
    kind: Word


class OperationEnded(Event, type="executor.event.operation-ended", public=True):
    operation_id: OperationId
    kind: Word
    status: OperationStatus
    done: Count
    refused: Count
