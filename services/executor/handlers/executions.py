"""Executions as callers see them: lists, one, its timeline, its data, what it changed outside."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.messages import Meta, Recorded
from libs.common.pages import Page, PageQuery, page_of
from services.executor import following, searching, views
from services.executor.connectors.catalog import CATALOG
from services.executor.connectors.connector import Connector
from services.executor.contract import (
    SERVICE,
    ConnectorCard,
    ExecutionShown,
    FindEffects,
    FindExecution,
    FindExecutions,
    FindTimeline,
    FollowTimeline,
    ListConnectors,
    OpenData,
)  # fmt: skip
from services.executor.data import open_data
from services.executor.engine import Engine
from services.executor.ledger import effects_of
from services.executor.looking import execution_opened
from services.executor.signals import history
from services.executor.summary import shown, summary_of
from services.executor.timeline import entries


def register(r: NatsRouter, engine: Engine) -> None:
    @r.subscriber(FindExecutions.type, queue=SERVICE)
    async def find_executions(query: FindExecutions, meta: CausedBy) -> NatsResponse:
        found = await searching.find(engine, query, meta)
        as_shown = [shown(one.summary, one.held, one.queued_for) for one in found]
        place = lambda one: (one.summary.started_at, one.summary.execution)  # noqa: E731 - local
        return reply(page_of(found, query, place, as_shown))

    @r.subscriber(FindExecution.type, queue=SERVICE)
    async def find_execution(query: FindExecution, meta: CausedBy) -> NatsResponse:
        events = await history(engine, meta, query.execution_id)
        return reply(await show(engine, meta, events), len(events))

    @r.subscriber(FindTimeline.type, queue=SERVICE)
    async def find_timeline(query: FindTimeline, meta: CausedBy) -> NatsResponse:
        events = await history(engine, meta, query.execution_id)
        late = await engine.store.load(stream_of("late", meta.organization, query.execution_id))
        return reply(_page(entries(events, late), query))

    @r.subscriber(FollowTimeline.type, queue=SERVICE)
    async def follow_timeline(query: FollowTimeline, meta: CausedBy) -> NatsResponse:
        return reply(await following.follow(engine, query, meta))

    @r.subscriber(FindEffects.type, queue=SERVICE)
    async def find_effects(query: FindEffects, meta: CausedBy) -> NatsResponse:
        return reply(_page(effects_of(await history(engine, meta, query.execution_id)), query))

    @r.subscriber(OpenData.type, queue=SERVICE)
    async def open_execution_data(query: OpenData, meta: CausedBy) -> NatsResponse:
        events = await history(engine, meta, query.execution_id)
        key = await engine.service.keys.key(meta.organization, "executions")
        data = open_data(query, events, key)
        what = "data" if query.step is None else "step"
        execution_opened(engine, query.execution_id, what, meta)
        return reply(data)

    @r.subscriber(ListConnectors.type, queue=SERVICE)
    async def list_connectors(query: ListConnectors) -> NatsResponse:
        cards = [card(c) for c in CATALOG.values() if query.connector in (None, c.type)]
        return reply(Page(data=cards))


def _page(found: list[Any], query: PageQuery) -> Page[Any]:
    """A page of what one execution's log says; the place is a number."""
    if query.order == "desc":
        found.reverse()
    at = int(query.after or 0)
    more = str(at + query.limit) if at + query.limit < len(found) else None
    return Page(data=found[at : at + query.limit], next=more)


async def show(engine: Engine, meta: Meta, events: list[Recorded]) -> ExecutionShown:
    """The execution that these events make, as REST shows it."""
    summary = summary_of(events)
    if summary is None:
        raise NotFound()
    if summary.outcome is not None:
        return shown(summary, False)
    async with engine.service.database.read(meta.organization) as db:
        standing = await views.standing(db, [summary.execution])
    return shown(summary, *standing.get(summary.execution, (False, None)))


def card(connector: Connector) -> ConnectorCard:
    return ConnectorCard(
        type=connector.type, version=connector.version, title=connector.title,
        effect=connector.effect, inputs=connector.inputs.model_json_schema(),
        outputs=connector.outputs.model_json_schema(),
    )  # fmt: skip
