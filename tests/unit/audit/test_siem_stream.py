"""Live streams to a SIEM: what may be done with one, and what the trail says about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from libs.common.decider import given
from libs.common.errors import InvalidInput, NotFound
from services.audit.contract.siem import (
    CreateSiemStream,
    SiemDelivered,
    SiemEntriesLost,
    SiemSecretRotated,
    SiemStreamChanged,
    SiemStreamCreated,
    SiemStreamDeleted,
    SiemStreamPatch,
)
from services.audit.domain import category_of, class_of, outcome_of
from services.audit.siem_stream import Change, Create, Delete, Live, Rotate, siem_stream

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LIVE = Live(
    "siem_1", "v1.k.n.url", "siem.example", "ocsf", authorized=True,
    authorization_header="authorization", loss_window_days=7, created_at=NOW,
)  # fmt: skip
CREATED = SiemStreamCreated(
    siem_stream_id="siem_1", url="v1.k.n.url", host="siem.example", format="ocsf", authorized=True,
    authorization_header="authorization", loss_window_days=7, created_at=NOW, by="per_1",
)  # fmt: skip
SAME = {
    "siem_stream_id": "siem_1", "url": "v1.k.n.url", "host": "siem.example", "format": "ocsf",
    "authorized": True, "authorization_header": "authorization", "loss_window_days": 7,
    "by": "per_2",
}  # fmt: skip


def patched(**fields: object) -> Change:
    return Change(SiemStreamPatch.model_validate(fields), None, None, "per_2")


def changed(**fields: object) -> SiemStreamChanged:
    return SiemStreamChanged.model_validate(SAME | fields)


def test_a_stream_is_made_once() -> None:
    given(siem_stream).when(Create(LIVE, "per_1")).then(CREATED)
    given(siem_stream, CREATED).when(Create(LIVE, "per_1")).then_nothing()


def test_a_patch_changes_what_it_names() -> None:
    given(siem_stream, CREATED).when(patched(format="jsonl", loss_window_days=3)).then(
        changed(format="jsonl", loss_window_days=3)
    )
    given(siem_stream, CREATED).when(patched(format="ocsf")).then_nothing()
    moved = replace(patched(url="https://b.example"), url="v1.k.n.other", host="b.example")
    given(siem_stream, CREATED).when(moved).then(changed(url="v1.k.n.other", host="b.example"))


def test_an_authorization_is_renewed_and_taken_away() -> None:
    given(siem_stream, CREATED).when(patched(authorization="Splunk x")).then(changed())
    given(siem_stream, CREATED).when(patched(authorization=None)).then(changed(authorized=False))
    none = changed(authorized=False)
    given(siem_stream, CREATED, none).when(patched(authorization=None)).then_nothing()


@pytest.mark.parametrize("name", ["url", "format", "authorization_header", "loss_window_days"])
def test_what_a_stream_can_not_be_without_is_not_taken_away(name: str) -> None:
    given(siem_stream, CREATED).when(patched(**{name: None})).then_refused(InvalidInput)


def test_nothing_is_done_with_one_that_is_deleted() -> None:
    gone = SiemStreamDeleted(siem_stream_id="siem_1", by="per_2")
    given(siem_stream, CREATED).when(Delete("per_2")).then(gone)
    for ask in (patched(format="jsonl"), Rotate(NOW, "per_2"), Delete("per_2")):
        given(siem_stream, CREATED, gone).when(ask).then_refused(NotFound)


def test_a_rotation_says_until_when_the_old_secret_is_valid() -> None:
    until = NOW + timedelta(days=1)
    said = SiemSecretRotated(siem_stream_id="siem_1", old_valid_until=until, by="per_2")
    given(siem_stream, CREATED).when(Rotate(until, "per_2")).then(said)


@pytest.mark.parametrize("value", ["a\r\nx-other: b", "", " a", "a ", "a\x00", "é", "a" * 4001])
def test_an_authorization_is_what_can_stand_in_a_header(value: str) -> None:
    with pytest.raises(ValidationError):
        CreateSiemStream(url="https://siem.example", format="ocsf", authorization=value)
    assert CreateSiemStream(url="https://s.example", format="ocsf", authorization="Splunk a-b")


def test_what_carries_the_trail_is_of_the_class_that_streams_leave_out() -> None:
    for name in ("siem-delivered", "siem-checked"):
        assert class_of(f"audit.event.{name}") == "transport"
    for kind in (SiemDelivered,):
        assert not kind.public
    for name in ("siem-stream-created", "siem-stream-deleted", "siem-secret-rotated"):
        assert class_of(f"audit.event.{name}") == category_of(f"audit.event.{name}")
        assert category_of(f"audit.event.{name}") == "administration"
    lost = SiemEntriesLost.type
    assert (class_of(lost), outcome_of(lost, b"{}")) == ("error", "failure")
