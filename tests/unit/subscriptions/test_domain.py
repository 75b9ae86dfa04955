"""What may be done with an event subscription, as given, when, then."""

from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common.decider import given
from libs.common.errors import InvalidInput, NotFound
from services.executor import contract as executor
from services.subscriptions.contract import (
    SigningSecretRotated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionDisabled,
    SubscriptionEnabled,
    SubscriptionIsDisabled,
    SubscriptionPatch,
    TestSent,
)  # fmt: skip
from services.subscriptions.domain import (
    Change,
    Create,
    Delete,
    Disable,
    Enable,
    Rotate,
    SendTest,
    subscription,
)  # fmt: skip

AT = datetime(2026, 12, 1, tzinfo=UTC)
FINISHED = executor.ExecutionFinished.type
CREATED = SubscriptionCreated(
    subscription_id="sub_1", url="sealed", host="a.example", types=[FINISHED],
    where={"outcome": "failed"}, created_at=AT,
)  # fmt: skip
DISABLED = SubscriptionDisabled(
    subscription_id="sub_1", reason="no-success", failures=9, last_status=500, disabled_at=AT
)
DELETED = SubscriptionDeleted(subscription_id="sub_1", by="per_1")


def change(**patch: Any) -> Change:
    return Change(SubscriptionPatch.model_validate(patch), None, None)


def create(types: list[str], where: dict[str, Any]) -> Create:
    return Create("sub_1", "sealed", "a.example", types, where, AT)


def test_it_is_created_with_what_was_asked_for() -> None:
    given(subscription).when(create([FINISHED], {"outcome": "failed"})).then(CREATED)


def test_a_type_that_is_not_public_is_refused() -> None:
    progressed = executor.ExecutionProgressed.type
    given(subscription).when(create([progressed], {})).then_refused(InvalidInput)


def test_a_condition_on_a_sealed_or_indirect_field_is_refused() -> None:
    for name in ("output", "error.message"):
        given(subscription).when(create([FINISHED], {name: "x"})).then_refused(InvalidInput)
    started = executor.ExecutionStarted.type
    asked = create([started], {"execution_id": "exe_1"})
    given(subscription).when(asked).then_refused(InvalidInput)


def test_a_value_that_a_field_never_has_is_refused() -> None:
    for value in ("fialed", 1, True):
        asked = create([FINISHED], {"outcome": value})
        error = given(subscription).when(asked).then_refused(InvalidInput)
        assert error.errors[0].rule == "never-equal"


def test_a_patch_merges_conditions_and_null_takes_one_away() -> None:
    asked = change(where={"outcome": None, "steps_count": 3})
    given(subscription, CREATED).when(asked).then(
        SubscriptionChanged(subscription_id="sub_1", url="sealed", host="a.example",
                            types=[FINISHED], where={"steps_count": 3})
    )  # fmt: skip


def test_a_patch_of_types_must_still_fit_the_conditions() -> None:
    asked = change(types=[executor.WaitBegan.type])
    given(subscription, CREATED).when(asked).then_refused(InvalidInput)


def test_a_patch_that_changes_nothing_is_no_event() -> None:
    given(subscription, CREATED).when(change(types=[FINISHED])).then_nothing()
    given(subscription, CREATED).when(change()).then_nothing()


def test_url_and_types_can_not_be_taken_away() -> None:
    for name in ("url", "types"):
        given(subscription, CREATED).when(change(**{name: None})).then_refused(InvalidInput)


def test_it_is_disabled_once_and_enabled_once() -> None:
    ask = Disable("no-success", 9, 500, AT)
    given(subscription, CREATED).when(ask).then(DISABLED)
    given(subscription, CREATED, DISABLED).when(ask).then_nothing()
    enabled = SubscriptionEnabled(subscription_id="sub_1", by="per_1")
    given(subscription, CREATED, DISABLED).when(Enable("per_1")).then(enabled)
    given(subscription, CREATED).when(Enable("per_1")).then_nothing()


def test_a_disabled_one_gets_no_test() -> None:
    given(subscription, CREATED, DISABLED).when(SendTest("per_1")).then_refused(
        SubscriptionIsDisabled
    )
    sent = TestSent(subscription_id="sub_1", by="per_1")
    given(subscription, CREATED).when(SendTest("per_1")).then(sent)


def test_a_rotation_says_how_long_the_old_secret_is_valid() -> None:
    until = AT + timedelta(hours=24)
    given(subscription, CREATED).when(Rotate("per_1", AT, until)).then(
        SigningSecretRotated(subscription_id="sub_1", by="per_1", rotated_at=AT,
                             old_valid_until=until)
    )  # fmt: skip


def test_what_is_deleted_is_not_found_and_can_not_be_disabled() -> None:
    given(subscription, CREATED).when(Delete("per_1")).then(DELETED)
    for ask in (Enable("p"), Delete("p"), SendTest("p"), Rotate("p", AT, AT), change()):
        given(subscription, CREATED, DELETED).when(ask).then_refused(NotFound)
        given(subscription).when(ask).then_refused(NotFound)
    given(subscription, CREATED, DELETED).when(Disable("gone", 1, 410, AT)).then_nothing()
