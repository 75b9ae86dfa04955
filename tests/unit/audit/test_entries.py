"""What an event is entered as."""

import pytest

from libs.common.fields import bare_fields
from libs.common.messages import ASKS, EVENTS
from services.audit.domain import category_of, kind_of, resource_of
from services.audit.tables import Entry, entries


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
    ],
)
def test_the_resource_is_the_thing_that_a_stream_is_about(
    stream: str, kind: str, resource: str
) -> None:
    assert (kind_of(stream), resource_of(stream)) == (kind, resource)


def test_the_trail_has_no_place_for_what_was_processed_or_for_an_origin() -> None:
    columns = {column.name for column in entries.columns}
    assert columns == set(Entry.__struct_fields__) | {"producer", "incarnation"}
    assert columns.isdisjoint({"data", "origin", "payload", "traceparent"})


def test_every_field_of_the_contract_says_its_data_class() -> None:
    ours = [m for t, m in (ASKS | EVENTS).items() if t.startswith("audit.")]
    assert len(ours) >= 5
    assert [bare for message in ours for bare in bare_fields(message)] == []
