"""Operations and their pieces: asked for once, with what became of each."""

from sqlalchemy import Index, Table, literal_column

from libs.common.fields import (
    Actor,
    Count,
    ExecutionId,
    Flag,
    Moment,
    OperationId,
    OrganizationId,
    PlainJson,
    RequestId,
    SealedJson,
    SealedOrigin,
    Word,
)
from libs.common.tables import column, moment_now
from services.executor.contract import ItemId
from services.executor.tables import metadata

operations = Table(
    "operations",
    metadata,
    column("id", OperationId, primary_key=True),
    column("org", OrganizationId),
    column("kind", Word),
    column("status", Word, server_default="queued"),
    column("actor", Actor),
    column("request_id", RequestId),
    column("origin", SealedOrigin | None),
    column("ask", SealedJson),
    column("total", Count),
    column("done", Count, server_default="0"),
    column("refused", Count, server_default="0"),
    column("refusals", PlainJson, server_default="{}"),
    column("problem", Word | None),
    column("stopping", Flag, server_default="false"),
    moment_now("created_at", Moment),
    column("ended_at", Moment | None),
    Index("operations_of_caller", "org", "actor", "created_at", "id"),
    Index(
        "operations_open", "org", "created_at", postgresql_where=literal_column("ended_at is null")
    ),
)

pieces = Table(
    "operation_pieces",
    metadata,
    column("operation", OperationId, primary_key=True),
    column("n", Count, primary_key=True),
    column("org", OrganizationId),
    column("item", ItemId),
    column("outcome", Word | None),
    column("code", Word | None),
    column("made", ExecutionId | None),
    column("value", SealedJson | None),
    Index(
        "operation_pieces_open", "operation", "n",
        postgresql_where=literal_column("outcome is null"),
    ),
)  # fmt: skip
