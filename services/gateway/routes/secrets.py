"""Secrets: names and use; the values go in and never come out."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import SecretManager
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.workflows.contract import DeleteSecret, FindSecrets, SecretShown, StoreSecret

routes = Routes("secrets")


@routes.get("/v1/secrets", Page[SecretShown])
async def find_secrets(
    call: SecretManager, given: Annotated[dict[str, Any], Depends(Parameters(FindSecrets))]
) -> Response:
    """Names and versions of the secrets."""
    return await call.listed(FindSecrets, given)


@routes.put("/v1/secrets/{name}", SecretShown, refuses=("limit-reached",))
async def store_secret(
    call: SecretManager, name: str,
    body: Annotated[dict[str, Any], Depends(BodyOf(StoreSecret, without=["name"]))],
) -> Response:  # fmt: skip
    """Store a secret, or a new version of it."""
    return await call.carry_out(StoreSecret, {"name": name}, **body)


@routes.delete("/v1/secrets/{name}", refuses=("secret-in-use",))
async def delete_secret(call: SecretManager, name: str) -> Response:
    """Delete a secret that no workflow names."""
    return await call.carry_out(DeleteSecret, {"name": name})
