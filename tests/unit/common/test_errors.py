"""Refusals travel as JSON and come out of their own kind, code and content."""

import msgspec
import pytest

from libs.common import errors
from libs.common.errors import DomainError, FieldProblem, from_wire


class Shut(errors.Conflict):
    code = "shut"


@pytest.mark.parametrize("kind", sorted(errors.KINDS))
def test_every_kind_of_refusal_survives_the_wire(kind: str) -> None:
    sent = errors.KINDS[kind]("why", part="bus", limit=3)
    got = from_wire(msgspec.json.decode(msgspec.json.encode(sent.to_wire())))
    assert type(got) is errors.KINDS[kind]
    assert got.to_wire() == sent.to_wire()


def test_an_own_code_of_a_service_survives_the_wire_with_its_field_problems() -> None:
    problem = FieldProblem(pointer="/a/0", rule="missing", detail="is missing", line=3, found="x")
    got = from_wire(Shut("closed", errors=[problem], by="per_1").to_wire())
    assert isinstance(got, errors.Conflict)
    assert (got.code, got.detail, got.errors) == ("shut", "closed", [problem])
    assert got.extra == {"by": "per_1"}


def test_a_code_on_the_wire_does_not_change_the_class() -> None:
    from_wire(Shut().to_wire())
    assert errors.Conflict().code == "conflict"


def test_a_refusal_without_words_says_its_code() -> None:
    assert errors.KeyReused().detail == "idempotency key reused"


def test_a_kind_that_this_code_does_not_know_is_unavailable_and_keeps_its_code() -> None:
    got = from_wire({"kind": "from-the-future", "code": "new", "detail": "d"})
    assert isinstance(got, errors.Unavailable)
    assert (got.code, got.detail) == ("new", "d")


def test_each_kind_is_registered_under_its_own_name() -> None:
    direct = {k for k in DomainError.__subclasses__() if k.__module__ == errors.__name__}
    assert direct <= set(errors.KINDS.values())
