"""What customers see of events: by class alone, never what is sealed."""

from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from libs.common import ids
from libs.common.envelope import public_event, subject_of
from libs.common.fields import DataClass, bare_fields, meaning_of
from libs.common.grants import GRANTS
from libs.common.messages import Message, Recorded
from libs.common.shapes import plain_fields, public_data, public_types, shape_of
from services.executor.contract import ExecutionFinished, ExecutionProgressed
from services.identity.contract import OrganizationFounded
from services.subscriptions import contract
from services.subscriptions.catalogue import find_event_types, show
from services.subscriptions.contract import FindEventTypes, TestSent
from services.subscriptions.matching import type_matches, where_matches
from services.subscriptions.subscribers import INBOXES

TYPES = list(public_types().values())


def recorded(kind: Any, data: Any, stream: str, organization: str = "org_1") -> Recorded:
    return Recorded(
        id=str(ids.uuid7()), source="/services/executor", type=kind.type, subject=stream,
        time=datetime(2026, 12, 1, 9, 0, 0, 123999, UTC), organization=organization,
        streamversion=2, sequence=7, actor="per_1", data=msgspec.Raw(msgspec.json.encode(data)),
        requestid="req_1", causationid="c", origin="v1.sealed", traceparent="00-1",
    )  # fmt: skip


def finished(**change: Any) -> dict[str, Any]:
    return {
        "workflow_id": "wf_1", "outcome": "failed", "rollback": "none", "output": "v1.x",
        "error": {"type": "boom", "path": "a", "attempts": 1, "message": "v1.x"},
        "results": [], "values": "v1.x", "output_bytes": 1, "duration_ms": 1, "steps_count": 1,
        "effects_count": 0, "a_field_that_nobody_declared": "x", **change,
    }  # fmt: skip


def test_no_sealed_direct_or_free_field_of_any_event_is_public() -> None:
    def walk(model: Any) -> None:
        for name, below in shape_of(model).items():
            meaning = meaning_of(model.model_fields[name].annotation,
                                 model.model_fields[name].metadata)  # fmt: skip
            if below is None:
                assert meaning is not None and not meaning.sealed, (model, name)
                assert meaning.data_class in (DataClass.NONE, DataClass.INDIRECT), (model, name)

    for kind in TYPES:
        walk(kind)
    assert "name" not in shape_of(OrganizationFounded)


def test_data_keeps_only_what_is_declared_open_also_inside() -> None:
    data = public_data(ExecutionFinished, finished())
    assert "v1.x" not in str(data) and "a_field_that_nobody_declared" not in data
    assert data["error"] == {"type": "boom", "path": "a", "attempts": 1}


def test_the_envelope_has_public_ids_and_neither_origin_nor_the_producers_number() -> None:
    event = public_event(recorded(ExecutionFinished, finished(), "execution-org_1-exe_2"))
    assert event is not None
    assert event["id"].startswith("evt_") and event["subject"] == "exe_2"
    assert event["time"] == "2026-12-01T09:00:00.123Z"
    assert {"origin", "sequence", "causationid", "traceparent", "dataversion"}.isdisjoint(event)


def test_what_is_not_public_or_belongs_to_no_organization_is_nothing() -> None:
    assert public_event(recorded(ExecutionProgressed, {}, "execution-org_1-exe_2")) is None
    late = recorded(ExecutionFinished, finished(), "execution-instance-exe_2", "instance")
    assert public_event(late) is None
    unknown = type("Unknown", (), {"type": "executor.event.from-tomorrow"})
    assert public_event(recorded(unknown, {}, "execution-org_1-exe_2")) is None


def test_a_subject_is_the_key_of_its_stream_or_the_organization() -> None:
    assert subject_of("organization-org_1") == "org_1"
    assert subject_of("calls-org_1-2026-12-01") == "2026-12-01"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.type)
def test_an_example_fits_its_schema_and_shows_exactly_the_public_fields(kind: Any) -> None:
    shown: Any = show(kind)
    jsonschema_rs.validator_for(shown.json_schema).validate(shown.example["data"])
    assert set(shown.example["data"]) == set(shape_of(kind)) == set(shown.json_schema["properties"])
    assert contract.EventShown.model_validate(shown.example)
    assert shown.description


def test_types_are_paged_by_name() -> None:
    first = find_event_types(FindEventTypes(limit=2))
    second = find_event_types(FindEventTypes(limit=200, after=first.next))
    assert [t.type for t in first.data + second.data] == list(public_types())
    assert second.next is None


def test_patterns_match_whole_names_or_beginnings() -> None:
    assert type_matches(["a.event.b"], "a.event.b") and type_matches(["a.*", "x"], "a.event.b")
    assert type_matches(["*"], "a.event.b")
    assert not type_matches(["a.event"], "a.event.b") and not type_matches([], "a.event.b")


def test_conditions_hold_for_equal_values_of_the_same_kind() -> None:
    data = {"n": 1, "flag": True, "trigger": {"kind": "webhook"}}
    assert where_matches({"n": 1, "trigger.kind": "webhook"}, data) and where_matches({}, data)
    for where in ({"n": True}, {"flag": 1}, {"n": 1, "none": 1}, {"trigger.kind.x": "webhook"}):
        assert not where_matches(where, data)


def test_only_single_values_of_class_none_can_be_compared() -> None:
    names = set(plain_fields(ExecutionFinished))
    assert {"outcome", "error.type", "steps_count"} <= names
    assert names.isdisjoint({"results", "results.kind", "output", "error.message", "error"})


def test_every_message_of_the_contract_says_what_its_fields_are() -> None:
    for thing in vars(contract).values():
        if isinstance(thing, type) and issubclass(thing, Message):
            assert bare_fields(thing) == []


def test_deliveries_own_events_are_not_public() -> None:
    assert not contract.DeliveryEnded.public and not contract.DeliveryResent.public
    assert TestSent.public


def test_every_service_with_public_events_is_read() -> None:
    producers = {inbox.producer for inbox in INBOXES} | {"subscriptions"}
    ours = set(GRANTS)  # other tests in this process define services of their own
    assert {name.partition(".")[0] for name in public_types()} & ours <= producers
