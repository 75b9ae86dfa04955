"""Entries as events of OCSF: every one has what its class requires, and its place in the trail."""

import pytest
from tests_support.ocsf_checks import complete

from libs.trail.canonical import FIELDS
from libs.trail.notes import b64
from services.audit import ocsf
from services.audit.detail import Detail, Opened
from services.audit.stored import Entry

TRAIL = f"trail_{7:026}"
ENTRY = Entry(41, 20_000, "execution", b"l" * 32, b"b" * 32)


def opened(type_: str, **other: str | None) -> Opened:
    values: dict[str, str | None] = dict.fromkeys(FIELDS) | {
        "id": "evt_1", "type": type_, "time": "2026-11-22T05:00:00.250Z", "producer": "identity",
        "number": "1:7", "actor": "per_1", "resource": "ses_1", "version": "1",
        "outcome": "success",
    } | other  # fmt: skip
    return Opened(Detail(b"s" * 32, [values[name] for name in FIELDS], "session"), None)


def test_a_sign_in_is_an_authentication() -> None:
    event = complete(ocsf.event(TRAIL, ENTRY, opened("identity.event.session-opened")))
    assert (event["class_uid"], event["activity_name"], event["status"]) == (
        3002, "Logon", "Success",
    )  # fmt: skip
    assert event["user"]["uid"] == "per_1"
    assert event["time"] == 1_795_323_600_250


def test_a_refused_sign_in_has_failed_and_says_refused() -> None:
    given = opened("identity.event.sign-in-refused", actor="system:public", outcome="refused",
                   address="192.0.2.1", agent="curl")  # fmt: skip
    event = complete(ocsf.event(TRAIL, ENTRY, given))
    assert (event["status_id"], event["status_detail"], event["severity_id"]) == (2, "refused", 2)
    assert event["src_endpoint"] == {"ip": "192.0.2.1"}
    assert event["http_request"] == {"user_agent": "curl"}


@pytest.mark.parametrize(
    ("name", "activity"),
    [
        ("workflows.event.workflow-drafted", 1),
        ("identity.event.api-usage-recorded", 2),
        ("workflows.event.secret-stored", 1),
        ("identity.event.member-role-changed", 3),
        ("identity.event.api-key-revoked", 4),
        ("executor.event.late-result-refused", 99),
    ],
)
def test_what_happened_is_create_read_update_delete_or_other(name: str, activity: int) -> None:
    event = complete(ocsf.event(TRAIL, ENTRY, opened(name)))
    assert (event["class_uid"], event["activity_id"]) == (6003, activity)
    assert event["api"]["operation"] == name
    assert event["metadata"]["event_code"] == name


def test_its_place_in_the_trail_stands_in_unmapped() -> None:
    event = ocsf.event(TRAIL, ENTRY, opened("executor.event.step-tried", data='{"n":1}'))
    assert event["unmapped"]["troth"] == {
        "trail": TRAIL, "seq": 41, "day": 20_000, "class": "execution", "leaf": b64(b"l" * 32),
        "data": '{"n":1}',
    }  # fmt: skip
    assert (event["metadata"]["log_name"], event["metadata"]["sequence"]) == (TRAIL, 41)
    assert "1:7" not in str(event), "numbers would tell how busy the installation is"


def test_a_forgotten_entry_is_told_with_what_is_left() -> None:
    event = complete(ocsf.event(TRAIL, ENTRY, None))
    assert event["time"] == 20_000 * 86_400_000
    assert event["unmapped"]["troth"]["leaf"] == b64(b"l" * 32)
    assert "uid" not in event["metadata"]
