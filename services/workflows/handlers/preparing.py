"""What handlers prepare before a decision: ids, times, sealed texts, and what is known."""

from datetime import datetime

from libs.common import clock, ids
from libs.common.messages import Meta
from libs.common.service import Service
from libs.language.check import Known
from services.workflows.contract import Media, workflow_stream
from services.workflows.domain import documents
from services.workflows.domain.workflow import Saved
from services.workflows.views import queries


def now() -> datetime:
    """This moment in milliseconds, as it will be shown for ever."""
    moment = clock.now()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def id_of(organization: str, name: str) -> str:
    """A workflow's id follows from its name, so that a name is given once."""
    return ids.derived("wf", organization, name)


def resolve(meta: Meta, workflow: str) -> str:
    """The id for an id or a name (no name has a `_`)."""
    return workflow if workflow.startswith("wf_") else id_of(meta.organization, workflow)


async def known(service: Service, meta: Meta, *, publishing: bool) -> Known:
    async with service.database.read(meta.organization) as db:
        secrets, variables = await queries.names(db)
    return documents.known(secrets, variables, publishing=publishing)


async def saved(
    service: Service, meta: Meta, workflow_id: str, media: Media, read: documents.Examined
) -> Saved:
    """A document as it goes into the log: sealed, with its keyed digest."""
    key = await service.keys.key(meta.organization, "content")
    text = read.text
    return Saved(
        document=key.seal(text, workflow_stream(meta.organization, workflow_id)),
        media=media, digest=key.digest(text, "document"), bytes=len(text.encode()),
        steps_count=read.steps_count, at=now(),
    )  # fmt: skip
