"""Who calls, for which organization, and may they: said in the signature of each route."""

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from libs.common.errors import FieldProblem, Forbidden, Malformed, NotSignedIn
from services.gateway.call import Call
from services.gateway.cookies import session_cookie
from services.gateway.keys import key_to_repeat
from services.gateway.parameters import only_known
from services.gateway.rates import Taken
from services.gateway.refusals import CredentialInvalid, CrossSiteRefused, OrganizationRequired
from services.identity.contract import CallerShown

if TYPE_CHECKING:
    from services.gateway.door import Door

PUBLIC, SIGNED_IN, SELF, INSTANCE = "public", "signed-in", "self", "instance"
WITHOUT_ORGANIZATION = (PUBLIC, SIGNED_IN, SELF, INSTANCE)
SAFE = ("GET", "HEAD", "OPTIONS")
TOKEN_MAX = 512
_REFERENCE = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Credential:
    """A token's digest, and whether a browser sent it by itself."""

    digest: str
    by_cookie: bool


class Needs:
    """A dependency: the call of somebody who has `permission`, or the refusal.

    `or_operator`: the operator of the installation may too, in whichever organization or none.
    """

    def __init__(self, permission: str, *, or_operator: bool = False) -> None:
        self.permission, self.or_operator = permission, or_operator

    async def __call__(self, request: Request) -> Call:
        door: Door = request.app.state.door
        known = door.known[request.scope["route"].endpoint]
        call = Call(door, request, known)
        arrived = request.scope["troth"]
        arrived.call = call
        if known.facts.waits:
            arrived.key = key_to_repeat(request.headers.get("idempotency-key"))
        credential = credential_of(request, secure=door.settings.secure)
        call.taken = _rate(door, credential, request)
        arrived.rate = call.taken
        call.taken.or_refuse()
        if credential is not None and credential.by_cookie:
            refuse_cross_site(request)
        if self.permission != PUBLIC or (credential is not None and request.method in SAFE):
            await self._admit(call, credential)
        only_known(request, known.parameter_names)
        call.acceptable()
        return call

    async def _admit(self, call: Call, credential: Credential | None) -> None:
        if credential is None:
            raise NotSignedIn("say who you are: Authorization: Bearer …")
        chosen = chosen_organization(call.request)
        call.credential = credential.digest
        try:
            caller = await call.door.caller(credential.digest, chosen)
            if self.refusal(caller, chosen) is not None:
                caller = await call.door.caller(credential.digest, chosen, fresh=True)
        except CredentialInvalid:
            if self.permission == PUBLIC:
                return
            raise
        call.caller = caller
        refusal = None if self.permission == PUBLIC else self.refusal(caller, chosen)
        if refusal is not None:
            raise refusal

    def refusal(self, caller: CallerShown, chosen: str | None) -> Exception | None:
        if chosen is not None and caller.organization is None:
            return Forbidden("you are no member of this organization", permission=self.permission)
        if self.or_operator and caller.instance_operator:
            return None
        if self.permission == INSTANCE:
            return None if caller.instance_operator else self._missing()
        if self.permission in WITHOUT_ORGANIZATION:
            return None
        if caller.organization is None:
            problem = FieldProblem(
                pointer="Troth-Organization", rule="missing", detail="one of /v1/organizations"
            )
            return OrganizationRequired("say which organization", errors=[problem])
        return None if self.permission in caller.permissions else self._missing()

    def _missing(self) -> Forbidden:
        return Forbidden(f"this needs {self.permission}", permission=self.permission)


async def still_admitted(call: Call) -> bool:
    """Whether whoever was let in would be let in now; identity is asked in any case."""
    chosen, organization = chosen_organization(call.request), call.organization
    assert call.credential is not None, "a stream has a caller"
    try:
        caller = await call.door.caller(call.credential, chosen, fresh=True)
    except CredentialInvalid:
        return False
    if Needs(call.known.permission).refusal(caller, chosen) is not None:
        return False
    call.caller = caller
    return call.organization == organization


def _rate(door: "Door", credential: Credential | None, request: Request) -> Taken:
    if credential is not None:
        return door.rates.api.take(credential.digest)
    return door.rates.public.take(address_of(request))


def credential_of(request: Request, *, secure: bool) -> Credential | None:
    """The bearer's token, else the cookie's; a browser's cookie is strict about its bytes."""
    given = request.headers.getlist("authorization")
    if given:
        scheme, _, token = given[0].partition(" ")
        token = token.strip(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not token or len(token) > TOKEN_MAX:
            raise CredentialInvalid("Authorization: Bearer <token>")
        return Credential(digest_of(token), by_cookie=False)
    token = session_cookie(request.scope["headers"], secure=secure)
    return Credential(digest_of(token), by_cookie=True) if token else None


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def refuse_cross_site(request: Request) -> None:
    """A cookie comes along whoever made the browser send it: changes must be of our own pages."""
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise CrossSiteRefused("a session cookie changes things only from our own pages")
        return
    origin = request.headers.get("origin")
    if origin is None or origin.partition("://")[2] != request.headers.get("host"):
        raise CrossSiteRefused("a session cookie changes things only from our own pages")


def chosen_organization(request: Request) -> str | None:
    given = request.headers.get("troth-organization")
    if given is None:
        return None
    if not _REFERENCE.fullmatch(given):
        problem = FieldProblem(
            pointer="Troth-Organization", rule="id-or-name", detail="org_… or a name"
        )
        raise Malformed("Troth-Organization is no id and no name", errors=[problem])
    return given


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def may(permission: str) -> Any:
    return Depends(Needs(permission))


Anybody = Annotated[Call, may(PUBLIC)]
SignedIn = Annotated[Call, may(SIGNED_IN)]
Oneself = Annotated[Call, may(SELF)]
Operator = Annotated[Call, may(INSTANCE)]
OrganizationReader = Annotated[Call, may("organizations:read")]
OrganizationManager = Annotated[Call, may("organizations:manage")]
MemberReader = Annotated[Call, may("members:read")]
MemberManager = Annotated[Call, may("members:manage")]
KeyManager = Annotated[Call, may("api-keys:manage")]
WorkflowReader = Annotated[Call, may("workflows:read")]
WorkflowEditor = Annotated[Call, may("workflows:edit")]
WorkflowPublisher = Annotated[Call, may("workflows:publish")]
WorkflowReviewer = Annotated[Call, may("workflows:review")]
SecretManager = Annotated[Call, may("secrets:manage")]
TriggerReader = Annotated[Call, may("triggers:read")]
TriggerResender = Annotated[Call, may("triggers:resend")]
ExecutionReader = Annotated[Call, may("executions:read")]
ExecutionStarter = Annotated[Call, may("executions:start")]
ExecutionController = Annotated[Call, may("executions:control")]
ApprovalDecider = Annotated[Call, may("approvals:decide")]
PayloadReader = Annotated[Call, may("payloads:read")]
UsageReader = Annotated[Call, may("usage:read")]
EventReader = Annotated[Call, may("events:read")]
SubscriptionReader = Annotated[Call, may("subscriptions:read")]
SubscriptionManager = Annotated[Call, may("subscriptions:manage")]
AuditReader = Annotated[Call, may("audit:read")]
AuditReaderOrOperator = Annotated[Call, Depends(Needs("audit:read", or_operator=True))]
AuditExporter = Annotated[Call, may("audit:export")]
