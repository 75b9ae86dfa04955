"""What may happen to a secret and to a variable, as sentences."""

from datetime import UTC, datetime

from libs.common.decider import given
from libs.common.errors import NotFound
from services.workflows.contract import SecretDeleted, SecretStored, VariableDeleted, VariableSet
from services.workflows.domain.values import Delete, Store, Value, secret, variable

AT = datetime(2026, 1, 2, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


def stored(version: int, at: datetime = AT) -> SecretStored:
    return SecretStored(name="api", secret_version=version, stored_at=at)


def test_a_stored_secret_has_no_value_in_its_event() -> None:
    made = given(secret).when(Store("api", AT, "sealed")).then_kinds(SecretStored)
    assert "sealed" not in made[0].model_dump_json()


def test_versions_of_a_secret_count_on_after_a_deletion() -> None:
    given(secret, stored(1)).when(Store("api", AT)).then(stored(2))
    given(secret, stored(1), SecretDeleted(name="api")).when(Store("api", AT)).then(stored(2))


def test_a_secret_remembers_when_it_was_first_stored() -> None:
    assert secret.fold([stored(1), stored(2, LATER)]) == Value(2, AT, LATER)
    gone = [stored(1), SecretDeleted(name="api"), stored(2, LATER)]
    assert secret.fold(gone) == Value(2, LATER, LATER)


def test_what_is_not_there_is_not_deleted() -> None:
    given(secret).when(Delete("api")).then_refused(NotFound)
    given(variable).when(Delete("mail")).then_refused(NotFound)
    given(secret, stored(1), SecretDeleted(name="api")).when(Delete("api")).then_refused(NotFound)


def test_a_variable_is_set_and_deleted() -> None:
    made = VariableSet(name="mail", variable_version=1, value="sealed", set_at=AT)
    given(variable).when(Store("mail", AT, "sealed")).then(made)
    given(variable, made).when(Delete("mail")).then(VariableDeleted(name="mail"))
