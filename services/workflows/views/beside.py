"""What is written beside the log, in the transaction of a decision: paths, secrets' values, uses.

Run as `system`; every statement names the organization.
"""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import FieldProblem
from services.workflows.contract import (
    SECRETS_MAX,
    LimitReached,
    PathTaken,
    SecretInUse,
    WorkflowInvalid,
)
from services.workflows.views import tables as t


async def lock_secrets(db: AsyncConnection, org: str) -> None:
    """One at a time in an organization: who stores, deletes, or begins to use secrets."""
    await db.execute(
        text("select pg_advisory_xact_lock(hashtextextended('secrets:' || :org, 0))"), {"org": org}
    )


async def claim_paths(db: AsyncConnection, org: str, workflow_id: str, paths: list[str]) -> None:
    """These hook paths and no others are the workflow's; PathTaken when one is another's."""
    owned = t.hook_paths
    mine = delete(owned).where(owned.c.org == org, owned.c.workflow_id == workflow_id)
    await db.execute(mine.where(owned.c.path.not_in(paths)))
    for path in sorted(paths):
        claim = insert(owned).values(org=org, path=path, workflow_id=workflow_id)
        # A change that changes nothing: it locks the row and tells whose it is.
        kept = claim.on_conflict_do_update(
            index_elements=["org", "path"], set_={"workflow_id": owned.c.workflow_id}
        )
        owner = (await db.execute(kept.returning(owned.c.workflow_id))).scalar_one()
        if owner != workflow_id:
            raise PathTaken(
                f"the hook path {path!r} is another workflow's", path=path, workflow=owner
            )


async def note_uses(
    db: AsyncConnection, org: str, workflow_id: str, workflow_name: str, place: str,
    names: Sequence[str],
) -> None:  # fmt: skip
    """The secrets that the draft, or the published version, of a workflow names."""
    uses = t.secret_uses
    its_own = delete(uses).where(uses.c.org == org, uses.c.workflow_id == workflow_id)
    await db.execute(its_own.where(uses.c.place == place))
    rows = [
        {
            "org": org, "name": name, "workflow_id": workflow_id, "place": place,
            "workflow_name": workflow_name,
        }
        for name in sorted(set(names))
    ]  # fmt: skip
    if rows:
        # Two saves at once note the same; only the one that is appended is committed.
        await db.execute(insert(uses).on_conflict_do_nothing(), rows)


async def must_exist(db: AsyncConnection, org: str, names: Sequence[str]) -> None:
    """Looks again, under the lock, for secrets that a check found a moment ago."""
    kept = t.secret_values
    found = await db.execute(
        select(kept.c.name).where(kept.c.org == org, kept.c.value.is_not(None))
    )
    if missing := sorted(set(names) - set(found.scalars())):
        problems = [
            FieldProblem(
                pointer="", rule="unknown-secret", detail=f"there is no secret {name!r}", found=name
            )
            for name in missing
        ]
        raise WorkflowInvalid(f"{len(missing)} problems in the document", errors=problems)


async def put_away(db: AsyncConnection, org: str, workflow_id: str) -> None:
    """An archived workflow gives its paths and secrets free."""
    for table in (t.hook_paths, t.secret_uses):
        await db.execute(
            delete(table).where(table.c.org == org, table.c.workflow_id == workflow_id)
        )


async def keep_secret(db: AsyncConnection, org: str, name: str, sealed: str) -> None:
    """The next version of a secret's value; counts as the stream does."""
    await lock_secrets(db, org)
    kept = t.secret_values
    others = select(func.count()).select_from(kept)
    others = others.where(kept.c.org == org, kept.c.name != name, kept.c.value.is_not(None))
    if (await db.execute(others)).scalar_one() >= SECRETS_MAX:
        raise LimitReached(f"there are {SECRETS_MAX} secrets already", limit=SECRETS_MAX)
    statement = insert(kept).values(org=org, name=name, version=1, value=sealed)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=["org", "name"], set_={"version": kept.c.version + 1, "value": sealed}
        )
    )


async def drop_secret(db: AsyncConnection, org: str, name: str) -> None:
    """Removes the value for good; SecretInUse lists the workflows that need it."""
    await lock_secrets(db, org)
    uses = t.secret_uses
    found = await db.execute(
        select(uses)
        .where(uses.c.org == org, uses.c.name == name)
        .order_by(uses.c.workflow_name, uses.c.place)
    )
    if users := [{"id": r.workflow_id, "name": r.workflow_name, "in": r.place} for r in found]:
        raise SecretInUse(f"{len(users)} documents use it", workflows=users)
    kept = t.secret_values
    await db.execute(update(kept).where(kept.c.org == org, kept.c.name == name).values(value=None))
