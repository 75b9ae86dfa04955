"""What publishing, rolling back and reviewing share: a document is checked, its names claimed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import FieldProblem
from libs.common.messages import Meta
from libs.common.service import Service
from libs.language.document import Document
from services.workflows.contract import CalleeFact, Media, workflow_stream
from services.workflows.domain import callees as sub_workflows
from services.workflows.domain import documents
from services.workflows.domain.callees import Candidate
from services.workflows.domain.workflow import Facts
from services.workflows.handlers import preparing
from services.workflows.views import beside, queries

Checked = Facts | list[FieldProblem]


async def checked(
    service: Service, meta: Meta, workflow_id: str, sealed: str, media: Media,
    pinned: Sequence[CalleeFact] | None = None,
) -> Checked:  # fmt: skip
    """The facts of a document as it was saved, or its problems.

    Sub-workflows are resolved to what is published now, or stay as they are `pinned`.
    """
    org, stream = meta.organization, workflow_stream(meta.organization, workflow_id)
    key = await service.keys.key(org, "content")
    text = key.open(sealed, stream)
    known = await preparing.known(service, meta, publishing=True)
    read = await asyncio.to_thread(documents.examine, text, media, known)
    plain = documents.canonical(read)
    document, problems = read.checked.document, documents.unpublishable(read, len(plain))
    if document is None or problems:
        return problems
    others = await candidates(service, meta, document)
    called, problems = sub_workflows.resolve(document, read.source, workflow_id, others)
    if problems:
        return problems
    return documents.facts(
        document, key.seal_bytes(plain, stream), called if pinned is None else list(pinned)
    )


async def candidates(service: Service, meta: Meta, document: Document) -> dict[str, Candidate]:
    """The workflows of the organization that the document names, by name."""
    names = {step.workflow for step in sub_workflows.steps_that_call(document)}
    async with service.database.read(meta.organization) as db:
        rows = await queries.named(db, sorted(names)) if names else []
    return {row.name: Candidate(row.workflow_id, row.published, row.archived) for row in rows}


def claims(
    org: str, workflow_id: str, name: str, facts: Checked
) -> Callable[[AsyncConnection], Awaitable[None]]:
    """What is written beside the log when a version is published."""

    async def claim(db: AsyncConnection) -> None:
        if isinstance(facts, Facts):
            paths = [trigger.path for trigger in facts.triggers if trigger.path is not None]
            await beside.lock_secrets(db, org)
            await beside.must_exist(db, org, facts.secrets)
            await beside.claim_paths(db, org, workflow_id, paths)
            await beside.note_uses(db, org, workflow_id, name, "published", facts.secrets)

    return claim
