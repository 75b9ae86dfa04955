"""Two versions of a workflow, or one and the draft, side by side."""

import asyncio
from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.messages import Meta
from libs.common.privacy import FORGOTTEN
from libs.common.service import Service
from libs.language.source import read_document
from services.workflows.contract import SERVICE, CompareVersions, DiffShown, workflow_stream
from services.workflows.domain.comparing import compare
from services.workflows.handlers import preparing
from services.workflows.views import queries


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(CompareVersions.type, queue=SERVICE)
    async def compare_versions(query: CompareVersions, meta: CausedBy) -> NatsResponse:
        return reply(await compared(service, meta, query))


async def compared(service: Service, meta: Meta, query: CompareVersions) -> DiffShown:
    """From `against` to the version; the draft is what comes after any version."""
    workflow_id = preparing.resolve(meta, query.workflow)
    against = query.against or str(query.version - 1)
    async with service.database.read(meta.organization) as db:
        version = await queries.version(db, workflow_id, query.version)
        if against == "draft":
            other: Any = await queries.draft(db, workflow_id)
        else:
            other = await queries.version(db, workflow_id, int(against))
    first = query.against is None and query.version == 1
    if version is None or (other is None and not first):
        raise NotFound()
    here = await value_of(service, meta, workflow_id, version.source, version.media)
    there: Any = {}
    if other is not None:
        sealed = other.document if against == "draft" else other.source
        there = await value_of(service, meta, workflow_id, sealed, other.media)
    old, new = (here, there) if against == "draft" else (there, here)
    found = await asyncio.to_thread(compare, old, new)
    return DiffShown(
        workflow=workflow_id,
        old=query.version if against == "draft" else (None if first else int(against)),
        new="draft" if against == "draft" else query.version,
        steps_added=found.steps_added, steps_removed=found.steps_removed,
        steps_changed=found.steps_changed, steps_moved=found.steps_moved,
        triggers=found.triggers, settings=found.settings,
    )  # fmt: skip


async def value_of(
    service: Service, meta: Meta, workflow_id: str, sealed: str, media: Any
) -> Any:  # fmt: skip
    """What a document that was saved says; nothing when its key was destroyed."""
    stream = workflow_stream(meta.organization, workflow_id)
    text = await service.keys.open(meta.organization, "content", stream, sealed)
    if text == FORGOTTEN:
        return {}
    source = await asyncio.to_thread(read_document, text, media)
    return source.value
