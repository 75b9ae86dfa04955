"""Sign-up, sign-in, sign-out and the set-up of the installation, over the bus."""

from pathlib import Path

import pytest
from tests_support.identities import ONE_TIME, PASSWORD, Identity, running
from tests_support.servers import Servers

from libs.common.errors import (
    Conflict,
    DomainError,
    Forbidden,
    NotFound,
    NotSignedIn,
    Rejected,
    TooMany,
)
from services.identity.contract import (
    CloseSession,
    FindInstance,
    FindMe,
    FindOrganizations,
    OpenSession,
    RegisterPerson,
    Role,
    SetUpInstance,
)


def ann(email: str = "ann@example.org", password: str = PASSWORD) -> RegisterPerson:
    return RegisterPerson(
        name="Ann", email=email, password=password, old_enough=True,
        policies={"privacy": "2026-12"},
    )  # fmt: skip


def set_up(token: str = ONE_TIME) -> SetUpInstance:
    return SetUpInstance(token=token, name="Op", email="op@example.org", password=PASSWORD)


async def refusal(identity: Identity, command: OpenSession) -> DomainError:
    with pytest.raises(DomainError) as refused:
        await identity.ask(command)
    return refused.value


async def test_who_signs_up_can_sign_in_and_is_known_by_the_token(identity: Identity) -> None:
    shown = (await identity.ask(ann(" Ann@Example.org "))).value
    assert (shown["name"], shown["email"]) == ("Ann", "Ann@Example.org")
    session = await identity.ask(OpenSession(email="ann@example.ORG", password=PASSWORD))
    token = session.value["token"]
    caller = await identity.caller(token)
    assert (caller.actor, caller.person_id) == (shown["id"], shown["id"])
    assert caller.session_id == session.value["id"]
    assert (caller.key_id, caller.organizations, caller.permissions) == (None, [], [])
    me = (await identity.as_(FindMe(), token)).value
    assert me["person"] == shown


async def test_a_second_person_with_the_same_address_is_refused(identity: Identity) -> None:
    await identity.ask(ann())
    with pytest.raises(Conflict) as refused:
        await identity.ask(ann("ANN@example.org"))
    assert refused.value.code == "email-taken"
    assert identity.types().count("person-registered") == 1


@pytest.mark.parametrize(
    ("password", "rule"), [("short", "too-short"), ("x" * 257, "too-long"),
                           ("Password1", "too-common")],
)  # fmt: skip
async def test_a_password_that_breaks_a_rule_is_refused_with_the_rule(
    identity: Identity, password: str, rule: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await identity.ask(ann(password=password))
    assert (refused.value.code, refused.value.errors[0].rule) == ("password-refused", rule)


async def test_wrong_password_and_unknown_address_get_the_same_answer(identity: Identity) -> None:
    await identity.ask(ann())
    wrong = await refusal(identity, OpenSession(email="ann@example.org", password="not this one"))
    unknown = await refusal(identity, OpenSession(email="bob@example.org", password=PASSWORD))
    assert isinstance(wrong, NotSignedIn)
    assert wrong.to_wire() == unknown.to_wire()


async def test_the_sixth_sign_in_of_an_account_within_a_minute_waits(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    for _ in range(5):
        await refusal(identity, OpenSession(email="ann@example.org", password="wrong one"))
    sixth = await refusal(identity, OpenSession(email="ann@example.org", password=PASSWORD))
    assert isinstance(sixth, TooMany)
    assert 0 < sixth.extra["retry_after_s"] <= 61
    other = await identity.sign_up("bob")
    assert await identity.sign_in(other)
    assert person != other


async def test_an_address_tries_twenty_accounts_a_minute(identity: Identity) -> None:
    for i in range(20):
        command = OpenSession(email=f"p{i}@example.org", password="wrong one", address="digest-1")
        assert (await refusal(identity, command)).code == "credential-invalid"
    command = OpenSession(email="p21@example.org", password="wrong one", address="digest-1")
    assert isinstance(await refusal(identity, command), TooMany)
    elsewhere = command.model_copy(update={"address": "digest-2"})
    assert (await refusal(identity, elsewhere)).code == "credential-invalid"


async def test_after_sign_out_the_token_opens_nothing(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    token, other = await identity.sign_in(person), await identity.sign_in(person)
    session = (await identity.caller(token)).session_id
    assert session is not None
    await identity.as_(CloseSession(session_id=session), token)
    with pytest.raises(NotSignedIn) as gone:
        await identity.caller(token)
    with pytest.raises(NotSignedIn) as unknown:
        await identity.caller("troth_ses_never-made")
    assert gone.value.to_wire() == unknown.value.to_wire()
    assert (await identity.caller(other)).person_id == person


async def test_nobody_closes_the_session_of_another_person(identity: Identity) -> None:
    person, other = await identity.sign_up("ann"), await identity.sign_up("bob")
    token = await identity.sign_in(person)
    session = (await identity.caller(token)).session_id
    assert session is not None
    with pytest.raises(NotFound):
        await identity.ask(CloseSession(session_id=session), other)
    assert (await identity.caller(token)).session_id == session


async def test_a_repeated_sign_in_is_the_same_session_without_its_token(
    identity: Identity,
) -> None:
    await identity.sign_up("ann")
    command = OpenSession(email="ann@example.org", password=PASSWORD)
    first = await identity.once(command, "sign-in")
    again = await identity.once(command, "sign-in")
    assert again.replayed
    assert again.value == first.value | {"token": None}
    assert identity.types().count("session-opened") == 1


async def test_a_repeated_sign_up_is_one_person(identity: Identity) -> None:
    first = await identity.once(ann(), "sign-up")
    again = await identity.once(ann(), "sign-up")
    assert (again.value, again.replayed) == (first.value, True)
    answers = identity.sql("select answer from commands where answer is not null")
    assert answers
    assert all(answer.startswith("v1.") for (answer,) in answers)


async def test_strangers_do_not_sign_up_where_it_is_closed(
    servers: Servers, tmp_path: Path
) -> None:
    async with running(servers, tmp_path, sign_up="closed") as identity:
        with pytest.raises(Forbidden) as refused:
            await identity.ask(ann())
        assert refused.value.code == "sign-up-closed"
        assert identity.types() == []
        assert (await identity.ask(set_up())).value["person"]["name"] == "Op"


async def test_the_one_time_token_makes_the_operator_once(identity: Identity) -> None:
    assert (await identity.ask(FindInstance())).value == {"set_up": False, "sign_up": "open"}
    with pytest.raises(NotSignedIn):
        await identity.ask(set_up("another token"))
    made = (await identity.ask(set_up())).value
    assert (await identity.ask(FindInstance())).value["set_up"] is True
    caller = await identity.caller(made["session"]["token"])
    assert caller.instance_operator
    assert caller.organization is not None
    assert (caller.organization.name, caller.role) == ("Home", Role.OWNER)
    assert made["organization"]["id"] == caller.organization.id
    with pytest.raises(Conflict) as again:
        await identity.ask(set_up())
    assert again.value.code == "set-up-already"
    with pytest.raises(Conflict):
        await identity.once(set_up(), "another key")
    assert identity.types().count("operator-appointed") == 1


async def test_a_repeated_set_up_shows_no_token(identity: Identity) -> None:
    first = await identity.once(set_up(), "set-up")
    again = await identity.once(set_up(), "set-up")
    assert again.value == first.value | {"session": None}


async def test_a_person_without_organization_has_an_empty_list(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    page = (await identity.ask(FindOrganizations(), person)).value
    assert page == {"data": [], "next": None}
