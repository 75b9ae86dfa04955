"""The rows of reviews; one is void when what it covers has changed."""

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from services.workflows.contract import (
    DraftSaved,
    ReviewDecided,
    ReviewRequested,
    WorkflowPublished,
)
from services.workflows.views import tables as t

OPEN = ("requested", "approved")
COVERED = ("review_id", "workflow_id", "draft_version", "document_digest", "callees", "secrets",
           "variables", "note", "requested_by")  # fmt: skip


async def requested(db: AsyncConnection, event: ReviewRequested, recorded: Recorded) -> None:
    """It takes the place of the one before."""
    await _void(db, recorded, event.workflow_id)
    facts, w = event.model_dump(mode="json"), t.workflows.c
    name = select(w.name).where(w.org == recorded.organization, w.workflow_id == event.workflow_id)
    await db.execute(
        insert(t.reviews).values(
            {each: facts[each] for each in COVERED}
            | {
                "org": recorded.organization, "workflow_name": name.scalar_subquery(),
                "status": "requested", "requested_at": event.requested_at,
            }
        )
    )  # fmt: skip


async def decided(db: AsyncConnection, event: ReviewDecided, recorded: Recorded) -> None:
    r = t.reviews.c
    await db.execute(
        update(t.reviews)
        .where(r.org == recorded.organization, r.review_id == event.review_id)
        .values(
            status=event.decision, comment=event.comment, decided_by=event.decided_by,
            decided_at=event.decided_at,
        )
    )  # fmt: skip


async def saved(db: AsyncConnection, event: DraftSaved, recorded: Recorded) -> None:
    await _void(db, recorded, event.workflow_id, event.document_digest)


async def published(db: AsyncConnection, event: WorkflowPublished, recorded: Recorded) -> None:
    """What was published without it is void, and what leans on this workflow's version before."""
    r, org = t.reviews.c, recorded.organization
    await db.execute(
        update(t.reviews)
        .where(r.org == org, r.workflow_id == event.workflow_id, r.status == "requested")
        .where(r.document_digest == event.document_digest)
        .values(status="void")
    )
    found = await db.execute(
        select(r.review_id, r.callees, r.workflow_id).where(r.org == org, r.status.in_(OPEN))
    )
    leaning = [
        row.review_id
        for row in found
        if row.workflow_id != event.workflow_id
        and any(callee["workflow_id"] == event.workflow_id for callee in row.callees)
    ]
    if leaning:
        await db.execute(
            update(t.reviews).where(r.org == org, r.review_id.in_(leaning)).values(status="void")
        )


async def _void(
    db: AsyncConnection, recorded: Recorded, workflow_id: str, digest: str | None = None
) -> None:
    """The reviews of a workflow's other drafts; of all without a digest."""
    r = t.reviews.c
    mine = update(t.reviews).where(
        r.org == recorded.organization, r.workflow_id == workflow_id, r.status.in_(OPEN)
    )
    if digest is not None:
        mine = mine.where(r.document_digest != digest)
    await db.execute(mine.values(status="void"))
