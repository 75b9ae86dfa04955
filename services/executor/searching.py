"""Which executions a caller means: filters as SQL, keys by their digests, words in error texts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, bindparam, false, not_, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Forbidden
from libs.common.eventstore import stream_of
from libs.common.messages import Meta
from libs.common.pages import seek
from libs.common.privacy import DataKey, Forgotten
from services.executor import labelled
from services.executor.contract import ExecutionFilter, FindExecutions, QueuedFor
from services.executor.looking import PAYLOADS, errors_searched
from services.executor.subscribers import states
from services.executor.summary import Summary
from services.executor.views import executions, held, standing
from services.executor.work import PURPOSE, encode

if TYPE_CHECKING:
    from services.executor.engine import Engine

TEXTS_MAX = 10_000
TEXTS_AT_ONCE = 500
ENDED = ("succeeded", "failed", "cancelled")
Filter = ExecutionFilter | FindExecutions
t = executions.c
COLUMNS = [t[name] for name in Summary.__dataclass_fields__]
LIVE = t.outcome.is_(None)
NOT_HELD = (False, None)


async def find(engine: "Engine", query: FindExecutions, meta: Meta) -> "list[Found]":
    """One more than the limit, in the list's order.

    With `q` at most the newest 10,000 hits of the other filters are opened; that needs to be
    allowed to read payloads, for error texts may hold what was processed.
    """
    key, where = await _where(engine, query, meta)
    statement = select(*COLUMNS).where(*where)
    async with engine.service.database.read(meta.organization) as db:
        ordered = seek(statement, query, t.started_at, t.execution)
        if query.q is not None:
            hits = await _with_text(db, ordered, query, key, query.limit + 1)
            ordered = ordered.where(t.execution.in_(hits))
        found = (await db.execute(ordered)).all()
        live = [row.execution for row in found if row.outcome is None]
        known = await standing(db, live) if live else {}
    return [Found(Summary(**row._mapping), *known.get(row.execution, NOT_HELD)) for row in found]


@dataclass(frozen=True, slots=True)
class Found:
    """What the view has of an execution, and how it stands at this moment."""

    summary: Summary
    held: bool
    queued_for: QueuedFor | None


async def names(
    engine: "Engine", wanted: Filter, meta: Meta, only: ColumnElement[bool], most: int
) -> list[str]:
    """The ids of all executions of a filter that are `only` so, newest first; at most `most`."""
    key, where = await _where(engine, wanted, meta)
    chosen = select(t.execution).where(*where, only)
    chosen = chosen.order_by(t.started_at.desc(), t.execution.desc())
    async with engine.service.database.read(meta.organization) as db:
        if wanted.q is not None:
            return await _with_text(db, chosen, wanted, key, most)
        return list((await db.execute(chosen.limit(most))).scalars())


async def _where(
    engine: "Engine", wanted: Filter, meta: Meta
) -> tuple[DataKey | None, list[ColumnElement[bool]]]:
    key: DataKey | None = None
    if wanted.q is not None and PAYLOADS not in meta.permissions:
        raise Forbidden(f"searching error texts needs {PAYLOADS}", permission=PAYLOADS)
    where = conditions(wanted)
    if wanted.key or wanted.q is not None:
        try:
            key = await engine.service.keys.key(meta.organization, PURPOSE)
        except Forgotten:
            return None, [false()]
    if wanted.q is not None:
        errors_searched(engine, meta)
    if wanted.key and key is not None:
        async with engine.service.database.read(meta.organization) as db:
            where.append(t.concurrency_key.in_(await _digests(db, key, wanted)))
    return key, where


async def _digests(db: AsyncConnection, key: DataKey, wanted: Filter) -> list[str]:
    """What the start kept of a concurrency key: a digest per workflow. A key may be text or not."""
    workflows = wanted.workflow or list((await db.execute(select(states.c.workflow))).scalars())
    values: list[Any] = list(wanted.key or [])
    for given in wanted.key or []:
        try:
            values.append(msgspec.json.decode(given))
        except msgspec.DecodeError:
            continue
    return [
        key.digest(encode(value), f"concurrency:{workflow}")
        for workflow in workflows for value in values
    ]  # fmt: skip


def conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """Equalities on columns; words of a fixed list stand in the text, so that indexes of a part
    of the rows can be used."""
    where: list[ColumnElement[bool]] = []
    if wanted.status:
        where.append(_status(wanted.status))
    for chosen, column in (
        (wanted.outcome, t.outcome), (wanted.workflow, t.workflow), (wanted.version, t.version),
        (wanted.mode, t.mode), (wanted.error_type, t.error_type), (wanted.parent, t.parent),
        (wanted.trigger, t.trigger["kind"].as_string()),
    ):  # fmt: skip
        if chosen:
            where.append(_among(column, chosen))
    where += [labelled.has(t.execution, label) for label in wanted.label or []]
    if wanted.from_at is not None:
        where.append(t.started_at >= wanted.from_at)
    if wanted.to_at is not None:
        where.append(t.started_at < wanted.to_at)
    return where


def _among(column: Any, chosen: Sequence[Any]) -> ColumnElement[bool]:
    fixed = column is t.outcome
    values = [bindparam(None, value, literal_execute=fixed) for value in chosen]
    return column == values[0] if len(values) == 1 else or_(*(column == one for one in values))


def _status(chosen: Sequence[str]) -> ColumnElement[bool]:
    """A status of a live one follows from several columns and from who holds it now."""
    options: list[ColumnElement[bool]] = []
    if ended := [one for one in chosen if one in ENDED]:
        options.append(_among(t.outcome, ended))
    going = and_(LIVE, not_(t.paused), not_(t.rolling_back))
    waits = t.waits.cast(JSONB) != text("'{}'::jsonb")
    live = {
        "paused": and_(LIVE, t.paused),
        "rolling-back": and_(LIVE, not_(t.paused), t.rolling_back),
        "running": and_(going, held),
        "waiting": and_(going, not_(held), waits),
        "queued": and_(going, not_(held), not_(waits)),
    }
    wanted = [live[one] for one in chosen if one in live]
    if wanted:
        options.append(and_(LIVE, or_(*wanted)) if len(wanted) > 1 else wanted[0])
    return or_(*options)


async def _with_text(
    db: AsyncConnection, ordered: Select[Any], wanted: Filter, key: DataKey | None, most: int
) -> list[str]:  # fmt: skip
    """Ids of those whose error text has the words, in any case; the event loop gets its turns."""
    assert wanted.q is not None, "called for a search"
    if key is None:
        return []
    words, found = wanted.q.casefold(), []
    texts = ordered.with_only_columns(t.execution, t.error_message)
    texts = texts.where(t.error_message.is_not(None)).limit(TEXTS_MAX)
    for number, (execution, sealed) in enumerate((await db.execute(texts)).all()):
        if number % TEXTS_AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            said = str(key.open(sealed, stream_of("execution", key.owner, execution)))
        except Forgotten:
            continue
        if words in said.casefold():
            found.append(execution)
            if len(found) == most:
                break
    return found
