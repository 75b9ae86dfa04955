"""Variables: values that are no secrets."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import WorkflowEditor, WorkflowReader
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.workflows.contract import DeleteVariable, FindVariables, SetVariable, VariableShown

routes = Routes("variables")


@routes.get("/v1/variables", Page[VariableShown])
async def find_variables(
    call: WorkflowReader, given: Annotated[dict[str, Any], Depends(Parameters(FindVariables))]
) -> Response:
    """The variables with their values."""
    return await call.listed(FindVariables, given)


@routes.put("/v1/variables/{name}", VariableShown, refuses=("limit-reached",))
async def set_variable(
    call: WorkflowEditor, name: str,
    body: Annotated[dict[str, Any], Depends(BodyOf(SetVariable, without=["name"]))],
) -> Response:  # fmt: skip
    """Set a variable."""
    return await call.carry_out(SetVariable, {"name": name}, **body)


@routes.delete("/v1/variables/{name}")
async def delete_variable(call: WorkflowEditor, name: str) -> Response:
    """Delete a variable."""
    return await call.carry_out(DeleteVariable, {"name": name})
