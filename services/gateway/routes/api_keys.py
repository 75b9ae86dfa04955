"""API keys of an organization."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import KeyManager
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.identity.contract import ApiKeyShown, CreateApiKey, FindApiKeys, RevokeApiKey

routes = Routes("api-keys")


@routes.get("/v1/api-keys", Page[ApiKeyShown])
async def find_api_keys(
    call: KeyManager, given: Annotated[dict[str, Any], Depends(Parameters(FindApiKeys))]
) -> Response:
    """API keys: owners and admins see all, others their own. Never the keys themselves."""
    return await call.listed(FindApiKeys, given)


@routes.post("/v1/api-keys", ApiKeyShown, status=201,
             refuses=("scope-above-own", "limit-reached", "person-needed"))  # fmt: skip
async def create_api_key(
    call: KeyManager, body: Annotated[dict[str, Any], Depends(BodyOf(CreateApiKey))]
) -> Response:
    """Create a key. `token` is shown now and never again; scopes are within the creator's."""
    return await call.carry_out(
        CreateApiKey, location=lambda made: f"/v1/api-keys/{made['id']}", **body
    )


@routes.delete("/v1/api-keys/{key}")
async def revoke_api_key(call: KeyManager, key: str) -> Response:
    """Revoke a key; within seconds every door refuses it."""
    return await call.carry_out(RevokeApiKey, {"key": key})
