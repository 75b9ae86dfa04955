"""The page at `/`: is it up, sign in, what ran last. Works without scripts."""

import asyncio
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends
from pydantic import ValidationError
from starlette.responses import Response

from libs.common.errors import DomainError, InvalidInput, Malformed
from libs.common.lists import Page
from libs.common.log_page import LogPage
from libs.common.messages import Ask, Meta
from services.executor.contract import ExecutionShown, FindExecutions
from services.gateway import cookies
from services.gateway.access import Anybody, SignedIn, address_of, refuse_cross_site
from services.gateway.bodies import media_type, read, refuse_media_type
from services.gateway.call import Call
from services.gateway.contracts import HomeParameters, OneTimeParameters
from services.gateway.hook_bodies import FORM
from services.gateway.pages import HTML, page
from services.gateway.parameters import Parameters
from services.gateway.problems import status_of
from services.gateway.routes.people import cookie_for, sign_in
from services.gateway.routing import Routes
from services.identity.contract import (
    CloseSession,
    OpenSessionByLink,
    RegisterPerson,
    SessionShown,
    SetUpInstance,
    SetUpShown,
)

routes = Routes("home")
PARTS = ("identity", "workflows", "executor", "billing", "audit", "subscriptions")
LAST = 10


async def parts_of(call: Call) -> dict[str, bool]:
    """Which services answer, each within a second."""

    async def answers(service: str) -> bool:
        try:
            query = LogPage(after=1 << 62, limit=1)
            await call.door.bus.ask(query, Meta.system("gateway"), 1.0, f"{service}.query.log-page")
        except DomainError:
            return False
        return True

    if not call.door.bus.connected:
        return dict.fromkeys(PARTS, False)
    return dict(zip(PARTS, await asyncio.gather(*map(answers, PARTS)), strict=True))


@routes.get("/", HTML, produces=(HTML,), public_page=True)
async def home(
    call: Anybody, given: Annotated[dict[str, Any], Depends(Parameters(HomeParameters))]
) -> Response:
    """Is it up; signed in or not; the last executions."""
    return await _home(call, chosen=given.get("organization"))


async def _home(
    call: Call, status: int = 200, said: str | None = None, chosen: str | None = None
) -> Response:
    caller, executions = call.caller, None
    if caller is not None and caller.organizations and call.credential is not None:
        wanted = chosen or (caller.organization or caller.organizations[0]).id
        call.caller = caller = await call.door.caller(call.credential, wanted)
        executions = await _executions(call)
    return page(
        call, "home.html", status, title="Troth", parts=await parts_of(call), said=said,
        caller=caller, executions=executions,
    )  # fmt: skip


async def _executions(call: Call) -> list[ExecutionShown] | None:
    """The last ones, or None when they can't be seen now."""
    try:
        answered = await call.ask(FindExecutions, limit=LAST)
    except DomainError:
        return None
    return answered.as_a(Page[ExecutionShown]).data


@routes.post("/sign-in", HTML, produces=(HTML,), public_page=True, documents=(FORM,))
async def sign_in_by_form(call: Anybody) -> Response:
    """What the form on the page sends."""
    refuse_cross_site(call.request)
    form = await _form(call)
    try:
        answered = await sign_in(call, form.get("email", ""), form.get("password", ""))
    except DomainError as error:
        if error.kind == "unavailable":
            raise
        said = "Too many tries; wait a minute." if error.kind == "too-many" else (
            "E-mail address and password do not fit.")  # fmt: skip
        return await _home(call, 429 if error.kind == "too-many" else 401, said)
    return _to_home({"Set-Cookie": cookie_for(call, answered.as_a(SessionShown))})


@routes.get("/sign-in", HTML, produces=(HTML,), public_page=True)
async def sign_in_by_link(
    call: Anybody, given: Annotated[dict[str, Any], Depends(Parameters(OneTimeParameters))]
) -> Response:
    """Where a sign-in link leads: signs in, once. HEAD uses nothing up."""
    if "token" not in given or call.request.scope["troth"].head:
        return _to_home({})
    if call.request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        said = "Paste the link into the address bar: from another site's page it does not work."
        return await _home(call, 403, said)
    call.door.rates.address.take(address_of(call.request)).or_refuse()
    try:
        answered = await call.change(OpenSessionByLink, token=given["token"])
    except DomainError as error:
        if error.kind == "unavailable":
            raise
        return await _home(call, status_of(error), "This link was used before, or is too old.")
    return _to_home({"Set-Cookie": cookie_for(call, answered.as_a(SessionShown))})


@routes.post("/sign-out", HTML, produces=(HTML,), public_page=True, documents=(FORM,))
async def sign_out_by_form(call: SignedIn) -> Response:
    """What the button on the page sends."""
    refuse_cross_site(call.request)
    if call.caller and call.caller.session_id:
        await call.change(CloseSession, session_id=call.caller.session_id)
    return _to_home({"Set-Cookie": cookies.clear_cookie(secure=call.door.settings.secure)})


@routes.get("/setup", HTML, produces=(HTML,), public_page=True)
async def setup_form(
    call: Anybody, given: Annotated[dict[str, Any], Depends(Parameters(OneTimeParameters))]
) -> Response:
    """Where the link of `troth up` leads: who operates this installation?"""
    return page(call, "setup.html", title="Set up Troth", token=given.get("token", ""), said=None)


@routes.post("/setup", HTML, produces=(HTML,), public_page=True, documents=(FORM,))
async def setup_by_form(call: Anybody) -> Response:
    """What the form there sends."""
    refuse_cross_site(call.request)
    form = await _form(call)
    try:
        answered = await call.change(SetUpInstance, **_fields(SetUpInstance, form))
    except DomainError as error:
        if error.kind == "unavailable":
            raise
        said = error.errors[0].detail if error.errors else error.detail
        return page(
            call, "setup.html", status_of(error), title="Set up Troth",
            token=form.get("token", ""), said=said,
        )  # fmt: skip
    made = answered.as_a(SetUpShown)
    return _to_home({"Set-Cookie": cookie_for(call, made.session)} if made.session else {})


@routes.get("/join", HTML, produces=(HTML,), public_page=True)
async def join_form(
    call: Anybody, given: Annotated[dict[str, Any], Depends(Parameters(OneTimeParameters))]
) -> Response:
    """Where an invitation leads."""
    return page(call, "join.html", title="Join", token=given.get("token", ""), said=None)


@routes.post("/join", HTML, produces=(HTML,), public_page=True, documents=(FORM,))
async def join_by_form(call: Anybody) -> Response:
    """What the form there sends: signs up, and in."""
    refuse_cross_site(call.request)
    call.door.rates.address.take(address_of(call.request)).or_refuse()
    form = await _form(call)
    person = form | {
        "invitation": form.get("token"), "old_enough": form.get("old_enough") == "yes",
        "policies": {},
    }  # fmt: skip
    try:
        await call.change(RegisterPerson, **_fields(RegisterPerson, person))
        answered = await sign_in(call, form["email"], form["password"])
    except DomainError as error:
        if error.kind == "unavailable":
            raise
        said = error.errors[0].detail if error.errors else error.detail
        return page(
            call, "join.html", status_of(error), title="Join", token=form.get("token", ""),
            said=said,
        )  # fmt: skip
    return _to_home({"Set-Cookie": cookie_for(call, answered.as_a(SessionShown))})


def _fields(kind: type[Ask], form: dict[str, Any]) -> dict[str, Any]:
    """The form's fields that the command has; an empty one is one that was left out."""
    given = {name: form[name] for name in kind.model_fields
             if form.get(name) not in (None, "")}  # fmt: skip
    try:
        kind.model_validate(given)
    except ValidationError:
        raise InvalidInput("Please fill in every field.") from None
    return given


async def _form(call: Call) -> dict[str, str]:
    if media_type(call.request) != FORM:
        raise refuse_media_type([FORM])
    try:
        text = (await read(call.request)).decode()
        return dict(parse_qsl(text, max_num_fields=20, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise Malformed("the form can't be read") from None


def _to_home(headers: dict[str, str]) -> Response:
    return Response(status_code=303, headers={**headers, "Location": "/"})
