"""The projection: what the log says about workflows, secrets and variables, as rows."""

from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from libs.common.readers import Projection
from services.workflows.contract import (
    DifferencesAccepted,
    DraftSaved,
    PublishingGateSet,
    ReviewDecided,
    ReviewRequested,
    ScheduleTicked,
    SecretDeleted,
    SecretStored,
    VariableDeleted,
    VariableSet,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowPublished,
    WorkflowRolledBack,
)  # fmt: skip
from services.workflows.views import reviewing, starting, values
from services.workflows.views import tables as t

catalogue = Projection("catalogue", version=2, tables=t.VIEWS)
catalogue.on(ScheduleTicked)(starting.ticked)
catalogue.on(SecretStored)(values.secret_stored)
catalogue.on(SecretDeleted)(values.secret_deleted)
catalogue.on(VariableSet)(values.variable_set)
catalogue.on(VariableDeleted)(values.variable_deleted)


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
    await reviewing.saved(db, event, recorded)


@catalogue.on(ReviewRequested)
async def requested(db: AsyncConnection, event: ReviewRequested, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded)
    await reviewing.requested(db, event, recorded)


@catalogue.on(ReviewDecided)
async def decided(db: AsyncConnection, event: ReviewDecided, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded)
    await reviewing.decided(db, event, recorded)


@catalogue.on(WorkflowPublished)
async def published(db: AsyncConnection, event: WorkflowPublished, recorded: Recorded) -> None:
    facts = event.model_dump(mode="json")
    await _change(
        db, event.workflow_id, recorded, published=event.workflow_version,
        published_at=event.published_at, labels=facts["labels"], triggers=facts["triggers"],
    )  # fmt: skip
    kept = (
        "workflow_id", "draft_version", "language", "media", "document", "document_digest",
        "bytes", "steps_count", "triggers", "connectors", "hosts", "secrets", "variables",
        "labels", "callees", "note",
    )  # fmt: skip
    await db.execute(
        insert(t.versions).values(
            {name: facts[name] for name in kept}
            | {
                "org": recorded.organization, "version": event.workflow_version,
                "source": _source(event, recorded), "published_at": event.published_at,
                "published_by": recorded.actor,
            }
        )
    )  # fmt: skip
    await starting.published(db, event, recorded)
    await reviewing.published(db, event, recorded)


def _source(event: WorkflowPublished, recorded: Recorded) -> Any:
    """The text as it was saved: in the draft, or (rolled back) in the version it made before."""
    where = [
        select(each.c[name])
        .where(each.c.org == recorded.organization)
        .where(each.c.workflow_id == event.workflow_id)
        .where(each.c[of] == event.draft_version)
        .limit(1)
        .scalar_subquery()
        for each, name, of in (
            (t.drafts, "document", "version"), (t.versions, "source", "draft_version"),
        )
    ]  # fmt: skip
    return func.coalesce(*where)


@catalogue.on(WorkflowRolledBack)
async def rolled_back(db: AsyncConnection, event: WorkflowRolledBack, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded)


@catalogue.on(PublishingGateSet)
async def gate_set(db: AsyncConnection, event: PublishingGateSet, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded)


@catalogue.on(DifferencesAccepted)
async def accepted(db: AsyncConnection, event: DifferencesAccepted, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded)


@catalogue.on(WorkflowEnabled)
async def enabled(db: AsyncConnection, event: WorkflowEnabled, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded, enabled=True)
    await starting.begin(db, event.workflow_id, recorded)


@catalogue.on(WorkflowDisabled)
async def disabled(db: AsyncConnection, event: WorkflowDisabled, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded, enabled=False)
    await starting.end(db, event.workflow_id, recorded)


@catalogue.on(WorkflowArchived)
async def archived(db: AsyncConnection, event: WorkflowArchived, recorded: Recorded) -> None:
    await _change(db, event.workflow_id, recorded, archived=True)
    await starting.end(db, event.workflow_id, recorded)


async def _change(
    db: AsyncConnection, workflow_id: str, recorded: Recorded, **values: Any
) -> None:  # fmt: skip
    await db.execute(
        update(t.workflows)
        .where(t.workflows.c.org == recorded.organization)
        .where(t.workflows.c.workflow_id == workflow_id)
        .values(stream_version=recorded.streamversion, **values)
    )
