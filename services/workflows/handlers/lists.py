"""What is read of workflows: one, many, versions, triggers."""

from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.pages import page_of
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    DraftShown,
    FindTriggers,
    FindVersion,
    FindVersions,
    FindWorkflow,
    FindWorkflows,
    VersionShown,
    workflow_stream,
)
from services.workflows.handlers import preparing
from services.workflows.views import queries, show


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(FindWorkflows.type, queue=SERVICE)
    async def find_workflows(query: FindWorkflows, meta: CausedBy) -> NatsResponse:
        async with service.database.read(meta.organization) as db:
            rows = await queries.workflows(db, query)
        found = [show.workflow_shown(meta.organization, row) for row in rows]
        return reply(page_of(rows, query, lambda row: (row.created_at, row.workflow_id), found))

    @r.subscriber(FindWorkflow.type, queue=SERVICE)
    async def find_workflow(query: FindWorkflow, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, query.workflow)
        async with service.database.read(meta.organization) as db:
            row = await queries.workflow(db, workflow_id)
            if row is None:
                raise NotFound()
            draft = await queries.draft(db, workflow_id)
            newest = await queries.version(db, workflow_id, row.published or 0)
        shown = show.workflow_shown(
            meta.organization, row,
            await opened_draft(service, meta, draft) if "draft" in query.expand else None,
            await opened_version(service, meta, newest) if "published" in query.expand else None,
        )  # fmt: skip
        return reply(shown, row.stream_version)

    @r.subscriber(FindVersions.type, queue=SERVICE)
    async def find_versions(query: FindVersions, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, query.workflow)
        async with service.database.read(meta.organization) as db:
            if await queries.workflow(db, workflow_id) is None:
                raise NotFound()
            rows = await queries.versions(db, workflow_id, query)
        stream = workflow_stream(meta.organization, workflow_id)
        found = [
            show.version_shown(
                row, await service.keys.open(meta.organization, "content", stream, row.note)
            )
            for row in rows
        ]
        return reply(page_of(rows, query, lambda row: (row.published_at, row.version), found))

    @r.subscriber(FindVersion.type, queue=SERVICE)
    async def find_version(query: FindVersion, meta: CausedBy) -> NatsResponse:
        workflow_id = preparing.resolve(meta, query.workflow)
        async with service.database.read(meta.organization) as db:
            row = await queries.version(db, workflow_id, query.version)
        shown = await opened_version(service, meta, row)
        if shown is None:
            raise NotFound()
        return reply(shown)

    @r.subscriber(FindTriggers.type, queue=SERVICE)
    async def find_triggers(query: FindTriggers, meta: CausedBy) -> NatsResponse:
        wanted = [preparing.resolve(meta, name) for name in query.workflow or []]
        async with service.database.read(meta.organization) as db:
            rows = await queries.triggers(db, query, wanted)
        found = [show.trigger_listed(meta.organization, row) for row in rows]
        return reply(page_of(rows, query, lambda row: (row.published_at, row.trigger), found))


async def opened_draft(service: Service, meta: CausedBy, row: Any) -> DraftShown:
    stream = workflow_stream(meta.organization, row.workflow_id)
    text = await service.keys.open(meta.organization, "content", stream, row.document)
    return show.draft_shown(row, text)


async def opened_version(service: Service, meta: CausedBy, row: Any) -> VersionShown | None:
    """A version with its document as it was saved; None for none."""
    if row is None:
        return None
    stream = workflow_stream(meta.organization, row.workflow_id)
    source = await service.keys.open(meta.organization, "content", stream, row.source)
    note = await service.keys.open(meta.organization, "content", stream, row.note)
    return show.version_shown(row, note, source)
