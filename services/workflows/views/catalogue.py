"""The projection: what the log says about workflows, secrets and variables, as rows."""

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from libs.common.readers import Projection
from services.workflows.contract import (
    DraftSaved,
    SecretDeleted,
    SecretStored,
    TriggerFact,
    VariableDeleted,
    VariableSet,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowPublished,
)  # fmt: skip
from services.workflows.views import tables as t

catalogue = Projection("catalogue", version=1, tables=t.VIEWS)


@catalogue.on(WorkflowDrafted)
async def drafted(db: AsyncConnection, event: WorkflowDrafted, recorded: Recorded) -> None:
    await db.execute(
        insert(t.workflows).values(
            org=recorded.organization, workflow_id=event.workflow_id, name=event.name,
            stream_version=recorded.streamversion, enabled=True, archived=False, labels={},
            triggers=[], draft_version=recorded.streamversion, created_at=event.drafted_at,
            saved_at=event.drafted_at,
        )
    )  # fmt: skip
    await db.execute(
        insert(t.drafts).values(
            org=recorded.organization, workflow_id=event.workflow_id,
            version=recorded.streamversion, media=event.media, document=event.document,
            bytes=event.bytes, saved_at=event.drafted_at, saved_by=recorded.actor,
        )
    )  # fmt: skip


@catalogue.on(DraftSaved)
async def saved(db: AsyncConnection, event: DraftSaved, recorded: Recorded) -> None:
    await _change(
        db, event.workflow_id, recorded, draft_version=recorded.streamversion,
        saved_at=event.saved_at,
    )  # fmt: skip
    await db.execute(
        update(t.drafts)
        .where(t.drafts.c.org == recorded.organization)
        .where(t.drafts.c.workflow_id == event.workflow_id)
        .values(
            version=recorded.streamversion, media=event.media, document=event.document,
            bytes=event.bytes, saved_at=event.saved_at, saved_by=recorded.actor,
        )
    )  # fmt: skip


@catalogue.on(WorkflowPublished)
async def published(db: AsyncConnection, event: WorkflowPublished, recorded: Recorded) -> None:
    facts = event.model_dump(mode="json")
    await _change(
        db, event.workflow_id, recorded, published=event.workflow_version,
        published_at=event.published_at, labels=facts["labels"], triggers=facts["triggers"],
    )  # fmt: skip
    # The text as it was saved stands in the draft, which nothing has changed since.
    source = (
        select(t.drafts.c.document)
        .where(t.drafts.c.org == recorded.organization)
        .where(t.drafts.c.workflow_id == event.workflow_id)
        .where(t.drafts.c.version == event.draft_version)
    )
    kept = (
        "workflow_id", "draft_version", "language", "media", "document", "document_digest",
        "bytes", "steps_count", "triggers", "connectors", "hosts", "secrets", "variables",
        "labels", "note",
    )  # fmt: skip
    await db.execute(
        insert(t.versions).values(
            {name: facts[name] for name in kept}
            | {
                "org": recorded.organization, "version": event.workflow_version,
                "source": source.scalar_subquery(), "published_at": event.published_at,
                "published_by": recorded.actor,
            }
        )
    )  # fmt: skip
    await _hang_hooks(db, event, recorded)


async def _hang_hooks(
    db: AsyncConnection, event: WorkflowPublished, recorded: Recorded
) -> None:  # fmt: skip
    """The paths of the newest version, and no other, lead to this workflow."""
    await db.execute(
        delete(t.hooks)
        .where(t.hooks.c.org == recorded.organization)
        .where(t.hooks.c.workflow_id == event.workflow_id)
    )
    for trigger in event.triggers:
        row = _hook(event, trigger)
        statement = upsert(t.hooks).values(org=recorded.organization, path=trigger.path, **row)
        await db.execute(statement.on_conflict_do_update(index_elements=["org", "path"], set_=row))


def _hook(event: WorkflowPublished, trigger: TriggerFact) -> dict[str, Any]:
    return {
        "workflow_id": event.workflow_id, "version": event.workflow_version,
        "fact": trigger.model_dump(mode="json"), "published_at": event.published_at,
    }  # fmt: skip


@catalogue.on(WorkflowEnabled)
async def enabled(db: AsyncConnection, event: WorkflowEnabled, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded, enabled=True)


@catalogue.on(WorkflowDisabled)
async def disabled(db: AsyncConnection, event: WorkflowDisabled, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded, enabled=False)


@catalogue.on(WorkflowArchived)
async def archived(db: AsyncConnection, event: WorkflowArchived, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded, archived=True)


async def _change(
    db: AsyncConnection, workflow_id: str, recorded: Recorded, **values: Any
) -> None:  # fmt: skip
    await db.execute(
        update(t.workflows)
        .where(t.workflows.c.org == recorded.organization)
        .where(t.workflows.c.workflow_id == workflow_id)
        .values(stream_version=recorded.streamversion, **values)
    )


@catalogue.on(SecretStored)
async def secret_stored(db: AsyncConnection, event: SecretStored, recorded: Recorded) -> None:
    row = {"version": event.secret_version, "stored_at": event.stored_at}
    statement = upsert(t.secrets).values(
        org=recorded.organization, name=event.name, created_at=event.stored_at, **row
    )
    await db.execute(statement.on_conflict_do_update(index_elements=["org", "name"], set_=row))


@catalogue.on(SecretDeleted)
async def secret_deleted(db: AsyncConnection, event: SecretDeleted, recorded: Recorded) -> None:
    await db.execute(
        delete(t.secrets)
        .where(t.secrets.c.org == recorded.organization)
        .where(t.secrets.c.name == event.name)
    )


@catalogue.on(VariableSet)
async def variable_set(db: AsyncConnection, event: VariableSet, recorded: Recorded) -> None:
    row = {"version": event.variable_version, "value": event.value, "set_at": event.set_at}
    statement = upsert(t.variables).values(
        org=recorded.organization, name=event.name, created_at=event.set_at, **row
    )
    await db.execute(statement.on_conflict_do_update(index_elements=["org", "name"], set_=row))


@catalogue.on(VariableDeleted)
async def variable_deleted(
    db: AsyncConnection, event: VariableDeleted, recorded: Recorded
) -> None:  # fmt: skip
    await db.execute(
        delete(t.variables)
        .where(t.variables.c.org == recorded.organization)
        .where(t.variables.c.name == event.name)
    )
