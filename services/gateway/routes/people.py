"""People and sessions: sign up, sign in, sign out, who am I."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.bus import Answered
from libs.common.errors import NotFound
from libs.common.privacy import keyed_digest
from services.gateway import cookies
from services.gateway.access import Anybody, Oneself, SignedIn, address_of
from services.gateway.bodies import BodyOf
from services.gateway.call import Call, json_response
from services.gateway.contracts import SessionOpened, SignIn
from services.gateway.routing import Routes
from services.identity.contract import (
    CloseSession,
    FindMe,
    MakeSignInLink,
    MeShown,
    OpenSession,
    PersonShown,
    RegisterPerson,
    SessionShown,
    SignInLinkShown,
)

routes = Routes("people")


@routes.post("/v1/people", PersonShown, status=201,
             refuses=("email-taken", "password-refused", "sign-up-closed", "invitation-needed",
                      "invitation-invalid", "invitation-expired", "invitation-foreign",
                      "invitation-used"))  # fmt: skip
async def register_person(
    call: Anybody, body: Annotated[dict[str, Any], Depends(BodyOf(RegisterPerson))]
) -> Response:
    """Sign up: name, e-mail address, password, a declaration of age, the policies agreed to.

    With the token of an `invitation` you are a member of its organization at once.
    """
    call.door.rates.address.take(address_of(call.request)).or_refuse()
    return await call.carry_out(RegisterPerson, **body)


@routes.post("/v1/sessions", SessionOpened, status=201, refuses=("credential-invalid",))
async def open_session(
    call: Anybody, body: Annotated[dict[str, Any], Depends(BodyOf(SignIn))]
) -> Response:
    """Sign in. Sets the session cookie; with `"as": "token"` the answer has the token instead."""
    as_token = body.pop("as_", "cookie") == "token"
    answered = await sign_in(call, body["email"], body["password"])
    session = answered.as_a(SessionShown)
    shown = SessionOpened(
        id=session.id, person=session.person, expires_at=session.expires_at,
        token=session.token if as_token else None,
    )  # fmt: skip
    response = json_response(shown.model_dump_json().encode(), 201)
    if answered.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    if not as_token and session.token:
        response.headers["Set-Cookie"] = cookie_for(call, session)
    return response


async def sign_in(call: Call, email: str, password: str) -> Answered:
    """The new session. Five tries a minute for an account, twenty from an address."""
    key = call.door.settings.index_bytes
    account = keyed_digest(key, f"sign-in|{email.strip().lower()}")
    address = keyed_digest(key, f"address|{address_of(call.request)}")
    call.door.rates.address.take(address_of(call.request)).or_refuse()
    call.door.rates.account.take(account).or_refuse()
    return await call.change(OpenSession, email=email, password=password, address=address)


def cookie_for(call: Call, session: SessionShown) -> str:
    left = max(0, int((session.expires_at - call.arrived_at).total_seconds()))
    return cookies.set_cookie(session.token or "", secure=call.door.settings.secure, max_age_s=left)


@routes.delete("/v1/sessions/current")
async def close_session(call: SignedIn) -> Response:
    """Sign out: the session ends everywhere at once."""
    session = call.caller.session_id if call.caller else None
    if session is None:
        raise NotFound("an API key has no session")
    response = await call.carry_out(CloseSession, session_id=session)
    response.headers["Set-Cookie"] = cookies.clear_cookie(secure=call.door.settings.secure)
    return response


@routes.post("/v1/sign-in-links", SignInLinkShown, status=201, refuses=("person-needed",))
async def make_sign_in_link(call: Oneself) -> Response:
    """A link for your own browser: `/sign-in?token=…` signs you in once, within ten minutes."""
    return await call.carry_out(MakeSignInLink)


@routes.get("/v1/me", MeShown)
async def find_me(call: SignedIn) -> Response:
    """Me, my organizations, my role and permissions in the chosen one."""
    return await call.show(FindMe)
