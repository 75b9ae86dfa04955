"""Invitations and sign-in links over the bus: what works once, and for whom."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests_support.identities import ONE_TIME, PASSWORD, Identity, running
from tests_support.servers import Servers

from libs.common.errors import DomainError, Forbidden, NotSignedIn
from libs.common.testing import swept
from services.identity import handlers
from services.identity.contract import (
    ROLES,
    FindInvitations,
    FindMembers,
    InvitePerson,
    MakeSignInLink,
    OpenSessionByLink,
    RegisterPerson,
    Role,
    SetUpInstance,
    WithdrawInvitation,
)
from services.identity.parts import now

ALL = sorted(ROLES[Role.OWNER])


def register(email: str, invitation: str | None = None) -> RegisterPerson:
    return RegisterPerson(
        name="Bob", email=email, password=PASSWORD, old_enough=True, policies={},
        invitation=invitation,
    )  # fmt: skip


async def invite(identity: Identity, owner: str, org: str, email: str = "bob@example.org") -> str:
    command = InvitePerson(email=email, role=Role.BUILDER)
    made = (await identity.ask(command, owner, organization=org, permissions=ALL)).value
    assert made["token"].startswith("troth_inv_")
    return made["token"]


async def code(identity: Identity, command: RegisterPerson) -> str:
    with pytest.raises(DomainError) as refused:
        await identity.ask(command)
    return refused.value.code


async def invitations(identity: Identity, owner: str, org: str) -> list[dict[str, object]]:
    query = FindInvitations()
    return (await identity.ask(query, owner, organization=org, permissions=ALL)).value["data"]


async def test_who_signs_up_with_an_invitation_is_a_member_at_once(identity: Identity) -> None:
    ann = await identity.sign_up("ann")
    org = await identity.found(ann)
    token = await invite(identity, ann, org)
    (open_one,) = await invitations(identity, ann, org)
    assert (open_one["email"], open_one["role"], open_one["token"]) == (
        "bob@example.org", "builder", None,
    )  # fmt: skip
    bob = (await identity.ask(register("Bob@Example.org", token))).value
    identity.addresses[bob["id"]] = bob["email"]
    caller = await identity.caller(await identity.sign_in(bob["id"]))
    assert caller.organization is not None
    assert (caller.organization.id, caller.role) == (org, Role.BUILDER)
    members = (
        await identity.ask(FindMembers(), ann, organization=org, permissions=["members:read"])
    ).value["data"]
    assert {m["email"] for m in members} == {"ann@example.org", "Bob@Example.org"}
    assert await invitations(identity, ann, org) == []


async def test_an_invitation_that_is_no_good_says_why_and_nobody_is_signed_up(
    identity: Identity,
) -> None:
    ann = await identity.sign_up("ann")
    org = await identity.found(ann)
    token = await invite(identity, ann, org)
    before = identity.types()
    assert await code(identity, register("bob@example.org", "troth_inv_x")) == "invitation-invalid"
    assert await code(identity, register("zoe@example.org", token)) == "invitation-foreign"
    assert identity.types() == before
    await identity.ask(register("bob@example.org", token))
    assert await code(identity, register("zoe@example.org", token)) == "invitation-used"
    late = await invite(identity, ann, org, "zoe@example.org")
    (row,) = await invitations(identity, ann, org)
    withdraw = WithdrawInvitation.model_validate({"invitation": row["id"]})
    await identity.ask(withdraw, ann, organization=org, permissions=ALL)
    assert await code(identity, register("zoe@example.org", late)) == "invitation-invalid"


async def test_an_invitation_and_a_link_that_are_too_old_say_so(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await identity.sign_up("ann")
    org = await identity.found(ann)
    for module in (handlers.invitations, handlers.sign_in_links):
        monkeypatch.setattr(module, "VALID", timedelta(0))
    token = await invite(identity, ann, org)
    assert await code(identity, register("bob@example.org", token)) == "invitation-expired"
    link = (await identity.ask(MakeSignInLink(), ann)).value
    with pytest.raises(NotSignedIn):
        await identity.ask(OpenSessionByLink(token=link["token"]))


async def test_what_one_time_tokens_were_for_is_forgotten_a_month_after_their_end(
    identity: Identity,
) -> None:
    ann = await identity.sign_up("ann")
    token = await invite(identity, ann, await identity.found(ann))
    service = identity.parts.service
    await swept(service.database, service.sweeps, now() + timedelta(days=36))
    assert identity.sql("select count(*) from one_time_tokens") == [(1,)]
    await swept(service.database, service.sweeps, now() + timedelta(days=38))
    assert identity.sql("select count(*) from one_time_tokens") == [(0,)]
    assert await code(identity, register("bob@example.org", token)) == "invitation-invalid"


async def test_a_repeated_sign_up_with_an_invitation_gets_the_recorded_answer(
    identity: Identity,
) -> None:
    ann = await identity.sign_up("ann")
    command = register("bob@example.org", await invite(identity, ann, await identity.found(ann)))
    first = await identity.once(command, "join")
    again = await identity.once(command, "join")
    assert (again.value, again.replayed) == (first.value, True)
    assert identity.types().count("invitation-accepted") == 1


async def test_a_repeated_invitation_is_one_also_after_it_was_used(identity: Identity) -> None:
    ann = await identity.sign_up("ann")
    org = await identity.found(ann)
    command = InvitePerson(email="bob@example.org", role=Role.VIEWER)
    more = {"organization": org, "permissions": ALL}
    first = await identity.once(command, "invite", ann, **more)
    await identity.ask(register("bob@example.org", first.value["token"]))
    again = await identity.once(command, "invite", ann, **more)
    assert (again.value, again.replayed) == (first.value | {"token": None}, True)
    with pytest.raises(DomainError) as refused:
        await identity.ask(command, ann, **more)
    assert refused.value.code == "signed-up-already"


async def test_neither_token_nor_address_of_an_invitation_is_kept_in_the_clear(
    identity: Identity,
) -> None:
    ann = await identity.sign_up("ann")
    token = await invite(identity, ann, await identity.found(ann), "secret-guest@example.org")
    tables = ("log", "commands", "one_time_tokens", "invitations")
    for table in tables:
        kept = str(identity.sql(f"select * from {table}"))
        assert token not in kept and "secret-guest" not in kept, table
    assert "v1." in str(identity.sql("select email from invitations"))


async def test_where_only_invited_people_sign_up_an_invitation_is_needed(
    servers: Servers, tmp_path: Path
) -> None:
    async with running(servers, tmp_path, sign_up="invited") as identity:
        assert await code(identity, register("bob@example.org")) == "invitation-needed"
        made = (await identity.ask(SET_UP)).value
        owner, org = made["person"]["id"], made["organization"]["id"]
        token = await invite(identity, owner, org)
        assert (await identity.ask(register("bob@example.org", token))).value["name"] == "Bob"


async def test_where_sign_up_is_closed_an_invitation_is_neither_made_nor_taken(
    servers: Servers, tmp_path: Path
) -> None:
    async with running(servers, tmp_path, sign_up="closed") as identity:
        made = (await identity.ask(SET_UP)).value
        owner, org = made["person"]["id"], made["organization"]["id"]
        command = InvitePerson(email="bob@example.org", role=Role.VIEWER)
        with pytest.raises(Forbidden) as refused:
            await identity.ask(command, owner, organization=org, permissions=ALL)
        assert refused.value.code == "sign-up-closed"
        assert await code(identity, register("bob@example.org", "troth_inv_x")) == "sign-up-closed"


# -- links that sign in --------------------------------------------------------------------------


async def test_a_link_signs_its_person_in_once(identity: Identity) -> None:
    ann = await identity.sign_up("ann")
    link = (await identity.ask(MakeSignInLink(), ann)).value
    command = OpenSessionByLink(token=link["token"])
    session = (await identity.ask(command)).value
    assert (await identity.caller(session["token"])).person_id == session["person"] == ann
    with pytest.raises(NotSignedIn) as again:
        await identity.ask(command)
    assert again.value.code == "credential-invalid"
    assert identity.types().count("session-opened") == 1


async def test_a_link_is_no_credential_and_a_session_is_no_link(identity: Identity) -> None:
    ann = await identity.sign_up("ann")
    session = await identity.sign_in(ann)
    link = (await identity.ask(MakeSignInLink(), ann)).value["token"]
    with pytest.raises(NotSignedIn):
        await identity.caller(link)
    for token in (session, "troth_lnk_nobody-made-it"):
        with pytest.raises(NotSignedIn):
            await identity.ask(OpenSessionByLink(token=token))
    assert (await identity.ask(OpenSessionByLink(token=link))).value["person"] == ann


async def test_an_api_key_makes_no_link(identity: Identity) -> None:
    with pytest.raises(Forbidden) as refused:
        await identity.ask(MakeSignInLink(), "key_1")
    assert refused.value.code == "person-needed"


SET_UP = SetUpInstance(
    token=ONE_TIME,
    name="Op", email="op@example.org", password=PASSWORD,
)  # fmt: skip
