"""Labels of executions, a row each, so that a page of one label is found by an index."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Index, Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.fields import ExecutionId, LabelText, Moment, OrganizationId
from libs.common.tables import column
from services.executor.summary import Summary
from services.executor.tables import CLEANED_SOON, metadata

labels = Table(
    "execution_labels",
    metadata,
    column("execution", ExecutionId, primary_key=True),
    column("label", LabelText, primary_key=True),
    column("org", OrganizationId),
    column("started_at", Moment),
    Index("execution_labels_newest", "org", "label", "started_at", "execution"),
    postgresql_with=CLEANED_SOON,
)
INSERT = text("""
insert into execution_labels (execution, label, org, started_at)
select r.execution, l.key || ':' || l.value, r.org, r.started_at
from json_to_recordset(cast(:rows as json)) as r(execution text, org text, started_at timestamptz,
  labels json), json_each_text(r.labels) as l on conflict do nothing
""")


async def keep(connection: AsyncConnection, begun: Sequence[Summary]) -> None:
    """`begun` are executions whose start is new."""
    rows = [
        {"execution": one.execution, "org": one.org, "started_at": one.started_at,
         "labels": one.labels}
        for one in begun if one.labels
    ]  # fmt: skip
    if rows:
        await connection.execute(INSERT, {"rows": msgspec.json.encode(rows).decode()})


def has(execution: ColumnElement[str], label: str) -> ColumnElement[bool]:
    """Whether an execution has the label `name:value`."""
    name, _, value = label.partition(":")
    return execution.in_(select(labels.c.execution).where(labels.c.label == f"{name}:{value}"))
