"""Passwords, e-mail addresses, tokens, roles and the contract's fields."""

import inspect
import re

import pytest
from pydantic import BaseModel

from libs.common.errors import InvalidInput
from libs.common.fields import bare_fields
from services.identity import contract, emails, passwords, tokens
from services.identity.contract import PERMISSIONS, ROLES, PasswordRefused, Role, rank

PEPPER = b"p" * 32


def rule_of(password: str) -> str | None:
    try:
        passwords.check(password)
    except PasswordRefused as error:
        return error.errors[0].rule
    return None


def test_passwords_have_8_to_256_bytes() -> None:
    assert rule_of("qX7#aaa") == "too-short"
    assert rule_of("qX7#aaaa") is None
    assert rule_of("é" * 128) is None
    assert rule_of("é" * 128 + "x") == "too-long"


def test_the_ten_thousand_most_common_passwords_are_refused() -> None:
    assert len(passwords.common_passwords()) == 10_000
    for common in ("password", "PassWord", "baseball", "trustno1"):
        assert rule_of(common) == "too-common"


async def test_all_bytes_of_a_password_count() -> None:
    hasher = passwords.Hasher(PEPPER, 4)
    first, second = "a" * 72 + "left", "a" * 72 + "right"
    hashed = await hasher.hash(first)
    assert re.match(r"^\$2b\$04\$", hashed)
    assert await hasher.fits(first, hashed)
    assert not await hasher.fits(second, hashed)


async def test_a_hash_is_worth_nothing_under_another_pepper() -> None:
    hashed = await passwords.Hasher(PEPPER, 4).hash("correct horse")
    assert not await passwords.Hasher(b"q" * 32, 4).fits("correct horse", hashed)


async def test_nobodys_password_never_fits() -> None:
    hasher = passwords.Hasher(PEPPER, 4)
    assert not await hasher.fits("nobody has this password", None)


def test_one_mailbox_has_one_index_however_it_is_typed() -> None:
    key = b"i" * 32
    assert emails.index_of(key, " Ann@Example.ORG ") == emails.index_of(key, "ann@example.org")
    assert emails.index_of(key, "ann@example.org") != emails.index_of(b"j" * 32, "ann@example.org")


@pytest.mark.parametrize("text", ["ann", "@example.org", "ann@", "a b@c", "a@b@c", "a@b\n c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        emails.checked(text)
    assert refused.value.errors[0].pointer == "/email"


def test_tokens_say_what_they_are_and_are_never_the_same() -> None:
    session, key = tokens.new_token("session"), tokens.new_token("api-key")
    assert re.fullmatch(r"troth_ses_[A-Za-z0-9_-]{43}", session)
    assert re.fullmatch(r"troth_key_[A-Za-z0-9_-]{43}", key)
    assert session != tokens.new_token("session")
    assert re.fullmatch(r"[0-9a-f]{64}", tokens.digest_of(session))


def test_an_owner_may_all_that_anybody_may() -> None:
    assert ROLES[Role.OWNER] == PERMISSIONS
    assert all(rank(role) <= rank(Role.OWNER) for role in Role)


def test_a_role_of_a_lower_rank_never_manages_members() -> None:
    managing = {role for role in Role if "members:manage" in ROLES[role]}
    assert managing == {Role.OWNER, Role.ADMIN}


def test_every_field_of_the_contract_says_what_it_holds() -> None:
    models = [m for _, m in inspect.getmembers(contract, inspect.isclass)
              if issubclass(m, BaseModel)]  # fmt: skip
    assert [problem for model in models for problem in bare_fields(model)] == []
    assert len(models) > 40
