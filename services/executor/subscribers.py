"""What the executor keeps of others' events: published versions, variables, entitlements."""

from typing import Any

from sqlalchemy import Table, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.fields import (
    Count,
    Flag,
    Moment,
    Name,
    OrganizationId,
    PlainJson,
    SealedJson,
    Version,
    WorkflowId,
)  # fmt: skip
from libs.common.messages import Recorded
from libs.common.readers import Projection
from libs.common.tables import column
from services.billing.contract import EntitlementsSet
from services.executor.tables import metadata
from services.workflows.contract import (
    VariableDeleted,
    VariableSet,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowEnabled,
    WorkflowPublished,
)  # fmt: skip

published = Table(
    "published",
    metadata,
    column("workflow", WorkflowId, primary_key=True),
    column("version", Version, primary_key=True),
    column("org", OrganizationId),
    column("name", Name),
    column("document", SealedJson),
    column("triggers", PlainJson),
    column("callees", PlainJson),
)
states = Table(
    "workflow_states",
    metadata,
    column("workflow", WorkflowId, primary_key=True),
    column("org", OrganizationId),
    column("latest", Version),
    column("enabled", Flag),
    column("archived", Flag),
)
variables = Table(
    "variables",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("name", Name, primary_key=True),
    column("value", SealedJson),
)
entitlements = Table(
    "entitlements",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("executions_per_month", Count),
    column("running_max", Count),
    column("history_days", Count),
    column("period_ends_at", Moment),
    info={"append": True},
)

workflows_view = Projection(
    "workflows", version=2, tables=[published, states, variables], producer="workflows"
)
billing_view = Projection("billing", version=1, tables=[entitlements], producer="billing")


@workflows_view.on(WorkflowPublished)
async def publish(db: AsyncConnection, event: WorkflowPublished, recorded: Recorded) -> None:
    row: dict[str, Any] = {
        "workflow": event.workflow_id, "version": event.workflow_version,
        "org": recorded.organization, "name": event.name, "document": event.document,
        "triggers": [t.model_dump(mode="json") for t in event.triggers],
        "callees": [c.model_dump(mode="json") for c in event.callees],
    }  # fmt: skip
    await db.execute(insert(published).values(row))
    state = {"workflow": event.workflow_id, "org": recorded.organization,
             "latest": event.workflow_version, "enabled": True, "archived": False}  # fmt: skip
    made = insert(states).values(state)
    await db.execute(
        made.on_conflict_do_update(
            index_elements=["workflow"], set_={"latest": event.workflow_version}
        )
    )


@workflows_view.on(WorkflowEnabled, WorkflowDisabled)
async def switch(db: AsyncConnection, event: Any, recorded: Recorded) -> None:
    mine = states.c.workflow == event.workflow_id
    await db.execute(update(states).where(mine).values(enabled=isinstance(event, WorkflowEnabled)))


@workflows_view.on(WorkflowArchived)
async def archive(db: AsyncConnection, event: WorkflowArchived, recorded: Recorded) -> None:
    mine = states.c.workflow == event.workflow_id
    await db.execute(update(states).where(mine).values(archived=True))


@workflows_view.on(VariableSet)
async def set_variable(db: AsyncConnection, event: VariableSet, recorded: Recorded) -> None:
    made = insert(variables).values(org=recorded.organization, name=event.name, value=event.value)
    await db.execute(
        made.on_conflict_do_update(index_elements=["org", "name"], set_={"value": event.value})
    )


@workflows_view.on(VariableDeleted)
async def drop_variable(db: AsyncConnection, event: VariableDeleted, recorded: Recorded) -> None:
    mine = (variables.c.org == recorded.organization) & (variables.c.name == event.name)
    await db.execute(delete(variables).where(mine))


@billing_view.on(EntitlementsSet)
async def entitle(db: AsyncConnection, event: EntitlementsSet, recorded: Recorded) -> None:
    values = {
        "executions_per_month": event.executions_per_month, "running_max": event.running_max,
        "history_days": event.history_days, "period_ends_at": event.period_ends_at,
    }  # fmt: skip
    made = insert(entitlements).values(org=recorded.organization, **values)
    await db.execute(made.on_conflict_do_update(index_elements=["org"], set_=values))


async def find_published(
    db: AsyncConnection, org: str, *, path: str | None = None, workflow: str | None = None,
    version: int | None = None,
) -> Any:  # fmt: skip
    """The row of a version with its workflow's state; None when the view has it not (yet)."""
    p, s = published.c, states.c
    statement = (
        select(published, s.latest, s.enabled, s.archived)
        .join(states, s.workflow == p.workflow).where(p.org == org)
    )  # fmt: skip
    if workflow is not None:
        statement = statement.where((p.workflow == workflow) | (p.name == workflow))
    statement = statement.where(p.version == (s.latest if version is None else version))
    for row in (await db.execute(statement)).all():
        if path is None or any(t["path"] == path for t in row.triggers):
            return row
    return None


async def find_variables(db: AsyncConnection, org: str, names: list[str]) -> dict[str, str]:
    mine = (variables.c.org == org) & variables.c.name.in_(names)
    found = await db.execute(select(variables.c.name, variables.c.value).where(mine))
    return {row.name: row.value for row in found}


async def find_entitlements(db: AsyncConnection, org: str) -> Any:
    return (await db.execute(select(entitlements).where(entitlements.c.org == org))).first()
