"""The rows of secrets (without their values) and of variables."""

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from services.workflows.contract import SecretDeleted, SecretStored, VariableDeleted, VariableSet
from services.workflows.views import tables as t


async def secret_stored(db: AsyncConnection, event: SecretStored, recorded: Recorded) -> None:
    row = {"version": event.secret_version, "stored_at": event.stored_at}
    statement = upsert(t.secrets).values(
        org=recorded.organization, name=event.name, created_at=event.stored_at, **row
    )
    await db.execute(statement.on_conflict_do_update(index_elements=["org", "name"], set_=row))


async def secret_deleted(db: AsyncConnection, event: SecretDeleted, recorded: Recorded) -> None:
    await db.execute(
        delete(t.secrets)
        .where(t.secrets.c.org == recorded.organization)
        .where(t.secrets.c.name == event.name)
    )


async def variable_set(db: AsyncConnection, event: VariableSet, recorded: Recorded) -> None:
    row = {"version": event.variable_version, "value": event.value, "set_at": event.set_at}
    statement = upsert(t.variables).values(
        org=recorded.organization, name=event.name, created_at=event.set_at, **row
    )
    await db.execute(statement.on_conflict_do_update(index_elements=["org", "name"], set_=row))


async def variable_deleted(
    db: AsyncConnection, event: VariableDeleted, recorded: Recorded
) -> None:  # fmt: skip
    await db.execute(
        delete(t.variables)
        .where(t.variables.c.org == recorded.organization)
        .where(t.variables.c.name == event.name)
    )
