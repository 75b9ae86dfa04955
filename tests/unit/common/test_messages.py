"""Events keep their names, old data is upcast, and a batch on the bus is plain CloudEvents."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from libs.common import messages
from libs.common.fields import Count, Word
from libs.common.messages import (
    Command,
    Event,
    Meta,
    Recorded,
    decode_batch,
    encode_batch,
    upcast,
)  # fmt: skip


class Weighed(Event, type="scales.event.weighed", version=3, public=True):
    grams: Count
    unit: Word


class Weigh(Command, type="scales.command.weigh", permission="scales:use"):
    grams: Count


@upcast("scales.event.weighed", 1)
def _named_grams(data: dict[str, Any]) -> dict[str, Any]:
    return {"grams": data["g"]}


@upcast("scales.event.weighed", 2)
def _with_unit(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"unit": "g"}


def _recorded(data: dict[str, Any], version: int) -> Recorded:
    return Recorded(
        id="i", source="/services/scales", type=Weighed.type, subject="scales-org_1", sequence=7,
        time=datetime(2026, 1, 1, tzinfo=UTC), organization="org_1", streamversion=1, actor="per_1",
        data=msgspec.Raw(msgspec.json.encode(data)), dataversion=version,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "version"), [({"g": 5}, 1), ({"grams": 5}, 2), ({"grams": 5, "unit": "g"}, 3)]
)
def test_data_of_every_version_becomes_the_newest_event(data: dict[str, Any], version: int) -> None:
    assert _recorded(data, version).event() == Weighed(grams=5, unit="g")


def test_data_that_needs_an_upcast_and_gets_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        _recorded({"g": 5}, 3).event()


def test_an_event_of_a_type_that_this_code_does_not_know_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        msgspec.structs.replace(_recorded({}, 1), type="scales.event.melted").event()


def test_a_message_refuses_unknown_fields_and_changes() -> None:
    with pytest.raises(ValidationError):
        Weighed.model_validate({"grams": 1, "unit": "g", "colour": "red"})
    with pytest.raises(ValidationError):
        setattr(Weighed(grams=1, unit="g"), "grams", 2)  # noqa: B010 - a frozen field


def test_classes_are_found_under_their_names() -> None:
    assert messages.EVENTS["scales.event.weighed"] is Weighed
    assert messages.ASKS["scales.command.weigh"] is Weigh
    assert (Weighed.version, Weighed.public, Weigh.permission) == (3, True, "scales:use")


def test_a_batch_comes_back_as_it_went_and_has_the_fields_of_cloudevents() -> None:
    sent = [_recorded({"grams": 5, "unit": "g"}, 3), _recorded({"g": 1}, 1)]
    wire = encode_batch(sent)
    assert decode_batch(wire) == sent
    event = msgspec.json.decode(wire)[0]
    assert event["type"] == "scales.event.weighed"
    assert event["data"] == {"grams": 5, "unit": "g"}
    assert {"id", "source", "time", "subject"} <= set(event)


def test_the_producer_is_the_last_part_of_the_source() -> None:
    assert _recorded({}, 1).producer == "scales"


def test_meta_in_a_header_holds_only_what_is_set_and_comes_back() -> None:
    meta = Meta.system("relay", "org_1", command_id="c", expected_version=0)
    header = meta.model_dump_json(exclude_defaults=True)
    assert "permissions" not in header
    assert Meta.model_validate_json(header) == meta
