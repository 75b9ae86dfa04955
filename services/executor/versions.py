"""Which document an execution runs by: a published version, or the draft that it carries."""

from typing import TYPE_CHECKING

from libs.common.errors import FieldProblem, InvalidInput, NotFound
from libs.common.eventstore import stream_of
from libs.common.privacy import DataKey
from libs.language.check import parse
from libs.language.schema import compile_schema
from services.executor.documents import Published
from services.executor.state import Going
from services.workflows.contract import AlreadyArchived

if TYPE_CHECKING:
    from services.executor.engine import Engine


async def document_of(engine: "Engine", org: str, state: Going, key: DataKey) -> Published:
    started = state.started
    if (draft := started.draft) is not None:
        stream = stream_of("execution", org, started.execution_id)
        value = key.open(draft.document, stream)
        return drafted(org, started.workflow_id, started.workflow_version, value)
    found = await engine.documents.find(org, workflow=started.workflow_id, version=state.version)
    if found is None:
        raise NotFound()
    return found


async def version_of(engine: "Engine", org: str, workflow: str, version: int | None) -> Published:
    """A published version, None the newest. Raises AlreadyArchived, InvalidInput without one."""
    found = await engine.documents.find(org, workflow=workflow, version=version)
    if found is None:
        problem = FieldProblem(
            pointer="/version", rule="unknown-version", detail="no such version is published"
        )
        raise InvalidInput("there is no such version", errors=[problem])
    if found.archived:
        raise AlreadyArchived("the workflow is archived")
    return found


def drafted(org: str, workflow: str, version: int, value: object) -> Published:
    """A document that is no published version, ready to run."""
    document = parse(value)
    schema = document.input_schema
    return Published(
        org, workflow, version, document.name, True, False, document,
        compile_schema(schema) if schema is not None else None,
    )  # fmt: skip
