"""What an event is entered as."""

from typing import get_args

import pytest

from libs.common.fields import DataClass, bare_fields
from libs.common.messages import ASKS, EVENTS, Event
from libs.trail.canonical import CLASSES
from services.audit.contract import PRODUCERS, Category
from services.audit.domain import (
    category_of,
    class_of,
    kind_of,
    outcome_of,
    resource_of,
    target_of,
)
from services.audit.promised import SIX, promised_of
from services.audit.tables import metadata
from tools import inventory


@pytest.mark.parametrize(
    ("event_type", "category"),
    [
        ("identity.event.session-opened", "authentication"),
        ("identity.event.access-refused", "api-usage"),
        ("identity.event.member-added", "administration"),
        ("identity.event.keys-destroyed", "privacy"),
        ("workflows.event.workflow-published", "workflow"),
        ("executor.event.execution-started", "execution"),
        ("executor.event.effect-ended", "integration"),
        ("subscriptions.event.delivery-ended", "integration"),
        ("billing.event.plan-changed", "billing"),
        ("billing.event.reader-stopped", "error"),
        ("workflows.event.service-started", "platform"),
        ("later.event.something-new", "other"),
    ],
)
def test_every_event_has_a_category(event_type: str, category: str) -> None:
    assert category_of(event_type) == category


@pytest.mark.parametrize(
    ("stream", "kind", "resource"),
    [
        ("workflow-org_1-wf_2", "workflow", "wf_2"),
        ("account-org_1", "account", "org_1"),
        ("calls-org_1-2026-01-31", "calls", "2026-01-31"),
        ("opened-org_1-exe_2-per_3-496512", "opened", "exe_2"),
        ("read-org_1-trail-key_3-496512", "read", "trail"),
    ],
)
def test_the_resource_is_the_thing_that_a_stream_is_about(
    stream: str, kind: str, resource: str
) -> None:
    assert (kind_of(stream), resource_of(stream)) == (kind, resource)


@pytest.mark.parametrize(
    ("event_type", "data", "outcome"),
    [
        ("executor.event.execution-finished", b'{"outcome":"succeeded"}', "success"),
        ("executor.event.execution-finished", b'{"outcome":"failed"}', "failure"),
        ("executor.event.execution-started", b'{"outcome":null}', "success"),
        ("executor.event.started", b'{"outcome":{"of":"customer"}}', "success"),
        ("subscriptions.event.delivery-ended", b'{"outcome":"undelivered"}', "failure"),
        ("identity.event.sign-in-refused", b"{}", "refused"),
        ("identity.event.access-refused", b"{}", "refused"),
        ("executor.event.call-made", b'{"outcome":"unmatched"}', "refused"),
        ("billing.event.reader-stopped", b"{}", "failure"),
        ("workflows.event.workflow-published", b"{}", "success"),
    ],
)
def test_an_event_went_well_or_failed_or_was_refused(
    event_type: str, data: bytes, outcome: str
) -> None:
    assert outcome_of(event_type, data) == outcome


@pytest.mark.parametrize("name", ["access-refused", "api-usage-recorded"])
def test_the_target_of_a_use_of_the_api_is_the_operation(name: str) -> None:
    stream, data = "access-org_1-20260131", b'{"actor":"key_1","operation":"find-workflow"}'
    assert target_of(f"identity.event.{name}", stream, data) == "find-workflow"
    assert target_of("workflows.event.workflow-published", "workflow-org_1-wf_2", b"{}") == "wf_2"


@pytest.mark.parametrize("kind", inventory.events(), ids=lambda kind: kind.type)
def test_every_event_of_the_catalogue_is_of_one_of_the_six_categories(kind: type[Event]) -> None:
    assert category_of(kind.type) != "other", "name it in services/audit/domain.py"
    assert promised_of(kind.type) in SIX


def test_each_of_the_six_categories_has_events_and_what_failed_is_an_error() -> None:
    assert {promised_of(kind.type) for kind in inventory.events()} == set(SIX)
    finished = "executor.event.execution-finished"
    assert promised_of(finished) == "workflow execution"
    assert promised_of(finished, "failure") == "errors"


def test_the_class_of_a_leaf_is_one_of_the_format_for_every_category() -> None:
    types = [f"{service}.event.x" for service in (*PRODUCERS, "audit", "later")]
    types += [f"x.event.{name}" for name in ("session-opened", "access-refused", "effect-ended",
              "reader-stopped", "keys-destroyed", "service-started")]  # fmt: skip
    assert {class_of(t) for t in types} <= set(CLASSES)
    assert {category_of(t) for t in types} == set(get_args(Category))


def test_columns_of_the_trail_name_nobody_and_only_details_are_sealed() -> None:
    kept = [
        c for t in metadata.sorted_tables if t.name.startswith(("audit_", "trail_h")) for c in t.c
    ]
    classes = {c.name: c.info["meaning"].data_class for c in kept if not c.info["meaning"].sealed}
    assert set(classes.values()) == {DataClass.NONE, DataClass.INDIRECT}
    indirect = {name for name, kind in classes.items() if kind == DataClass.INDIRECT}
    assert indirect == {"id", "type", "actor", "resource", "address", "outcome", "slot"}
    assert {c.name for c in kept if c.info["meaning"].sealed} == {"sealed"}


def test_every_field_of_the_contract_says_its_data_class() -> None:
    ours = [m for t, m in (ASKS | EVENTS).items() if t.startswith("audit.")]
    assert len(ours) >= 5
    assert [bare for message in ours for bare in bare_fields(message)] == []
