"""Variables: values that are no secrets, for everybody who may read workflows."""

import msgspec
from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import FieldProblem, InvalidInput
from libs.common.messages import Meta
from libs.common.pages import page_of
from libs.common.service import Service
from services.workflows.contract import (
    SERVICE,
    VARIABLE_BYTES_MAX,
    VARIABLES_MAX,
    DeleteVariable,
    Done,
    FindVariables,
    LimitReached,
    SetVariable,
    VariableShown,
    variable_stream,
)
from services.workflows.domain.values import Delete, Store, Value, variable
from services.workflows.handlers.preparing import now
from services.workflows.views import queries, show


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(SetVariable.type, queue=SERVICE)
    async def set_variable(command: SetVariable, meta: CausedBy) -> NatsResponse:
        await check_limits(service, meta, command)
        org, stream = meta.organization, variable_stream(meta.organization, command.name)
        sealed = await service.keys.seal(org, "content", stream, command.value)

        def answer(state: Value, _: int) -> VariableShown:
            assert state.created_at
            assert state.changed_at
            return VariableShown(
                name=command.name, value=command.value, version=state.version,
                created_at=state.created_at, set_at=state.changed_at,
            )  # fmt: skip

        store = Store(command.name, now(), sealed)
        return await service.decide(variable, stream, store, meta, answer=answer)

    @r.subscriber(DeleteVariable.type, queue=SERVICE)
    async def delete_variable(command: DeleteVariable, meta: CausedBy) -> NatsResponse:
        return await service.decide(
            variable, variable_stream(meta.organization, command.name), Delete(command.name),
            meta, answer=lambda _, __: Done(),
        )  # fmt: skip

    @r.subscriber(FindVariables.type, queue=SERVICE)
    async def find_variables(query: FindVariables, meta: CausedBy) -> NatsResponse:
        org = meta.organization
        async with service.database.read(org) as db:
            rows = await queries.variables(db, query)
        found = [
            show.variable_shown(
                row,
                await service.keys.open(org, "content", variable_stream(org, row.name), row.value),
            )
            for row in rows
        ]
        return reply(page_of(rows, query, lambda row: (row.created_at, row.name), found))


async def check_limits(service: Service, meta: Meta, command: SetVariable) -> None:
    """The size exactly; the number as the view has it, so that two at once may pass."""
    size = len(msgspec.json.encode(command.value))
    if size > VARIABLE_BYTES_MAX:
        detail = f"a variable has at most {VARIABLE_BYTES_MAX} bytes, not {size}"
        problem = FieldProblem(pointer="/value", rule="too-large", detail=detail)
        raise InvalidInput(detail, errors=[problem])
    async with service.database.read(meta.organization) as db:
        _, names = await queries.names(db)
    if command.name not in names and len(names) >= VARIABLES_MAX:
        raise LimitReached(f"there are {VARIABLES_MAX} variables already", limit=VARIABLES_MAX)
