"""The queries behind the answers, one row (or None) or many, of the caller's organization only."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.pages import PageQuery, seek
from services.workflows.contract import FindReviews, FindTriggers, FindVersions, FindWorkflows
from services.workflows.views import tables as t

Rows = Sequence[Any]


async def workflow(db: AsyncConnection, workflow_id: str) -> Any:
    found = await db.execute(select(t.workflows).where(t.workflows.c.workflow_id == workflow_id))
    return found.one_or_none()


async def draft(db: AsyncConnection, workflow_id: str) -> Any:
    found = await db.execute(select(t.drafts).where(t.drafts.c.workflow_id == workflow_id))
    return found.one_or_none()


async def version(db: AsyncConnection, workflow_id: str, number: int) -> Any:
    found = await db.execute(
        select(t.versions)
        .where(t.versions.c.workflow_id == workflow_id)
        .where(t.versions.c.version == number)
    )
    return found.one_or_none()


async def versions(db: AsyncConnection, workflow_id: str, query: FindVersions) -> Rows:
    statement = select(t.versions).where(t.versions.c.workflow_id == workflow_id)
    page = seek(statement, query, t.versions.c.published_at, t.versions.c.version)
    return (await db.execute(page)).all()


async def workflows(db: AsyncConnection, query: FindWorkflows) -> Rows:
    statement = select(t.workflows)
    if query.name:
        statement = statement.where(t.workflows.c.name.in_(query.name))
    if query.enabled is not None:
        statement = statement.where(t.workflows.c.enabled == query.enabled)
    if query.archived is not None:
        statement = statement.where(t.workflows.c.archived == query.archived)
    if query.label:
        statement = statement.where(or_(*[_labelled(label) for label in query.label]))
    if query.q:
        statement = statement.where(t.workflows.c.name.contains(query.q.lower(), autoescape=True))
    page = seek(statement, query, t.workflows.c.created_at, t.workflows.c.workflow_id)
    return (await db.execute(page)).all()


def _labelled(label: str) -> ColumnElement[bool]:
    """`team` is there, or `team:finance` is what it says."""
    name, given, wanted = label.partition(":")
    found = func.json_extract_path_text(t.workflows.c.labels, cast(name, String))
    return found == wanted if given else found.is_not(None)


async def triggers(db: AsyncConnection, query: FindTriggers, of: Sequence[str]) -> Rows:
    """Triggers with their workflow's state, and of schedules the next instant and the last."""
    due, last = t.schedules, t.ticks
    statement = (
        select(
            t.triggers, t.workflows.c.name, t.workflows.c.enabled, t.workflows.c.archived,
            due.c.next_at, last.c.due_at, last.c.decision, last.c.missed_count, last.c.decided_at,
        )
        .join(t.workflows, _same(t.triggers))
        .outerjoin(due, and_(_of_trigger(due), due.c.version == t.triggers.c.version))
        .outerjoin(last, _of_trigger(last))
    )  # fmt: skip
    if query.workflow is not None:
        statement = statement.where(t.triggers.c.workflow_id.in_(of))
    if query.kind is not None:
        statement = statement.where(t.triggers.c.kind.in_(query.kind))
    page = seek(statement, query, t.triggers.c.published_at, t.triggers.c.trigger)
    return (await db.execute(page)).all()


def _of_trigger(table: Any) -> ColumnElement[bool]:
    """The row of a schedule; other kinds have none."""
    own = t.triggers.c
    return and_(
        own.kind == "schedule", table.c.org == own.org, table.c.workflow_id == own.workflow_id,
        table.c.schedule == own.key,
    )  # fmt: skip


async def named(db: AsyncConnection, names: Sequence[str]) -> Rows:
    """The workflows of these names, as far as they exist."""
    return (await db.execute(select(t.workflows).where(t.workflows.c.name.in_(names)))).all()


async def hook(db: AsyncConnection, path: str) -> Any:
    """A path with its workflow's state and the sealed secret that its calls are signed with."""
    secret = t.secret_values
    its_own = and_(
        secret.c.org == t.triggers.c.org,
        secret.c.name == func.json_extract_path_text(t.triggers.c.fact, "secret"),
    )
    statement = (
        select(
            t.triggers, t.workflows.c.enabled, t.workflows.c.archived,
            secret.c.version.label("secret_version"), secret.c.value.label("secret"),
        )
        .join(t.workflows, _same(t.triggers))
        .outerjoin(secret, its_own)
        .where(t.triggers.c.path == path)
    )  # fmt: skip
    return (await db.execute(statement)).one_or_none()


def _same(table: Any) -> ColumnElement[bool]:
    return and_(t.workflows.c.org == table.c.org, t.workflows.c.workflow_id == table.c.workflow_id)


async def secrets(db: AsyncConnection, query: PageQuery) -> Rows:
    page = seek(select(t.secrets), query, t.secrets.c.created_at, t.secrets.c.name)
    return (await db.execute(page)).all()


async def variables(db: AsyncConnection, query: PageQuery) -> Rows:
    page = seek(select(t.variables), query, t.variables.c.created_at, t.variables.c.name)
    return (await db.execute(page)).all()


async def names(db: AsyncConnection) -> tuple[frozenset[str], frozenset[str]]:
    """Which secrets and which variables there are."""
    found = await db.execute(select(t.secrets.c.name))
    others = await db.execute(select(t.variables.c.name))
    return frozenset(found.scalars()), frozenset(others.scalars())


async def secret_values(db: AsyncConnection, wanted: Sequence[str]) -> Rows:
    """The sealed values of the secrets that exist."""
    statement = (
        select(t.secret_values)
        .where(t.secret_values.c.name.in_(wanted))
        .where(t.secret_values.c.value.is_not(None))
        .order_by(t.secret_values.c.name)
    )
    return (await db.execute(statement)).all()


async def review(db: AsyncConnection, review_id: str) -> Any:
    found = await db.execute(select(t.reviews).where(t.reviews.c.review_id == review_id))
    return found.one_or_none()


async def reviews(db: AsyncConnection, query: FindReviews, of: Sequence[str]) -> Rows:
    statement = select(t.reviews)
    if query.workflow is not None:
        statement = statement.where(t.reviews.c.workflow_id.in_(of))
    if query.status is not None:
        statement = statement.where(t.reviews.c.status.in_(query.status))
    page = seek(statement, query, t.reviews.c.requested_at, t.reviews.c.review_id)
    return (await db.execute(page)).all()
