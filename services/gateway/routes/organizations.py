"""Organizations of the caller."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import OrganizationReader, SignedIn
from services.gateway.bodies import BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.identity.contract import (
    FindOrganization,
    FindOrganizations,
    FoundOrganization,
    MyOrganizationShown,
    OrganizationShown,
)

routes = Routes("organizations")


@routes.get("/v1/organizations", Page[MyOrganizationShown])
async def find_organizations(
    call: SignedIn, given: Annotated[dict[str, Any], Depends(Parameters(FindOrganizations))]
) -> Response:
    """The organizations that I am a member of, with my role in each."""
    return await call.listed(FindOrganizations, given)


@routes.post("/v1/organizations", OrganizationShown, status=201,
             refuses=("organization-exists", "person-needed", "limit-reached"))  # fmt: skip
async def found_organization(
    call: SignedIn, body: Annotated[dict[str, Any], Depends(BodyOf(FoundOrganization))]
) -> Response:
    """Found an organization; I become its owner."""
    return await call.carry_out(
        FoundOrganization, location=lambda made: f"/v1/organizations/{made['id']}", **body
    )


@routes.get("/v1/organizations/{organization}", OrganizationShown, versioned=True)
async def find_organization(call: OrganizationReader, organization: str) -> Response:
    """One organization: name, settings."""
    return await call.show(FindOrganization, {"organization": organization})
