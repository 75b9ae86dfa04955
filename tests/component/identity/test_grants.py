"""A service gets the keys of the purposes that are declared for it, and of no other."""

from typing import Any, get_args

import pytest
from tests_support.identities import Identity

from libs.common.errors import Forbidden, NotFound, Unavailable
from libs.common.grants import GRANTS, Purpose
from libs.common.keys import FindKey, FindKeyById
from libs.common.messages import Meta

OF_PERSON = ("profile", "audit")


async def test_each_service_gets_the_keys_that_it_was_granted_and_is_refused_all_others(
    identity: Identity,
) -> None:
    person = await identity.sign_up("ann")
    organization = await identity.found(person)
    got: dict[str, set[Any]] = {service: set() for service in GRANTS}
    for service in GRANTS:
        for purpose in get_args(Purpose):
            owner = person if purpose in OF_PERSON else organization
            query = FindKey.model_validate({"owner": owner, "purpose": purpose})
            try:
                assert (await identity.ask(query, f"system:{service}")).value["wrapped"]
            except Forbidden:
                continue
            got[service].add(purpose)
    assert got == {service: set(purposes) for service, purposes in GRANTS.items()}


@pytest.mark.parametrize("purpose", get_args(Purpose))
async def test_a_service_that_nobody_declared_opens_nothing(
    identity: Identity, purpose: Purpose
) -> None:
    organization = await identity.found(await identity.sign_up("ann"))
    with pytest.raises(Forbidden):
        await identity.ask(FindKey(owner=organization, purpose=purpose), "system:somebody")


@pytest.mark.parametrize(
    "subject",
    [
        "identity.query.find-key.content.executor",  # another purpose than in the question
        "identity.query.find-key.executions.gateway",  # another service than who asks
    ],
)
async def test_who_asks_otherwise_than_the_subject_says_is_refused(
    identity: Identity, subject: str
) -> None:
    organization = await identity.found(await identity.sign_up("ann"))
    query, meta = FindKey(owner=organization, purpose="executions"), Meta.system("executor")
    with pytest.raises(Forbidden, match="as somebody else"):
        await identity.parts.service.bus.ask(query, meta, subject=subject)


async def test_nobody_answers_where_no_purpose_is_said(identity: Identity) -> None:
    organization = await identity.found(await identity.sign_up("ann"))
    query, meta = FindKey(owner=organization, purpose="executions"), Meta.system("executor")
    with pytest.raises(Unavailable):
        await identity.parts.service.bus.ask(query, meta)


async def test_a_key_is_found_by_its_id_by_those_who_may_have_it(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    key = (await identity.ask(FindKey(owner=person, purpose="audit"), "system:audit")).value
    query = FindKeyById(kid=key["kid"], purpose="audit")
    assert (await identity.ask(query, "system:audit")).value == {"owner": person} | key
    with pytest.raises(Forbidden):
        await identity.ask(query, "system:executor")


async def test_an_organization_has_a_key_for_what_audit_keeps_of_it_once_it_is_asked_for(
    identity: Identity,
) -> None:
    organization = await identity.found(await identity.sign_up("ann"))
    query = FindKey(owner=organization, purpose="audit")
    first, again = [(await identity.ask(query, "system:audit")).value for _ in range(2)]
    assert first["kid"] == again["kid"]
    with pytest.raises(NotFound):
        await identity.ask(FindKey(owner="org_nobody", purpose="audit"), "system:audit")
