"""What `troth audit probe` says when a category is missing, and which entry it takes."""

from typing import Any

import pytest
from click.testing import CliRunner

from cli import audit_probe
from cli.audit_probe import OF_THE_INSTANCE, PROBES, newest
from cli.main import main


class Trail:
    """An installation whose trail has these entries, by path; `newest` is asked of it."""

    def __init__(self, *entries: dict[str, Any], operator: bool = True) -> None:
        self.entries, self.operator = entries, operator
        self.http, self.headers = self, {}

    def get(self, path: str, limit: int = 1, **filters: str) -> Any:
        if path == "/v1/me":
            return {"organization": {"id": "org_1"}, "instance_operator": self.operator}
        fitting = [
            one for one in self.entries
            if one["path"] == path and all(one.get(n) == v for n, v in filters.items())
        ]  # fmt: skip
        mine = {"user_agent": self.headers["user-agent"]} if path == OF_THE_INSTANCE else {}
        return {"data": [entry | mine for entry in fitting][:limit]}

    def post(self, path: str, body: Any) -> Any:
        return {}


def entry(**more: Any) -> dict[str, Any]:
    return {
        "path": audit_probe.TRAIL, "id": "evt_1", "occurred_at": "2026-11-22T00:00:00.000Z",
        "resource": "exe_1", "user_agent": "curl/8",
        "address": "203.0.113.7",
    } | more  # fmt: skip


def probe(monkeypatch: pytest.MonkeyPatch, trail: Trail, *more: str) -> Any:
    monkeypatch.setattr(audit_probe.Api, "of_caller", lambda: trail)
    return CliRunner().invoke(main, ["audit", "probe", "--within", "0", *more])


def test_a_category_without_an_entry_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = probe(monkeypatch, Trail(entry(category="execution")), "--category", "errors",
                  "--category", "workflow execution")  # fmt: skip

    assert found.exit_code == 1
    assert "troth: no entry of errors in the trail: nothing has failed" in found.stderr
    assert "workflow execution" not in found.stderr and "exe_1" in found.stdout


def test_an_error_is_what_failed_or_what_is_an_error_in_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for one in (entry(outcome="failure"), entry(category="error", outcome="success")):
        assert probe(monkeypatch, Trail(one), "--category", "errors").exit_code == 0


def test_who_is_no_operator_is_told_of_sign_ins_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_in = entry(path=OF_THE_INSTANCE, type="identity.event.sign-in-refused")
    only = ("--category", "authentication")
    refused = probe(monkeypatch, Trail(sign_in, operator=False), *only)

    assert refused.exit_code == 1 and "be its operator" in refused.stderr
    assert probe(monkeypatch, Trail(sign_in), *only).exit_code == 0


def test_what_somebody_caused_is_shown_rather_than_what_a_schedule_did() -> None:
    scheduled = entry(id="evt_2", address=None)
    for entries, taken in (([scheduled, entry()], "evt_1"), ([scheduled], "evt_2")):
        found = newest(lambda path, e=entries, **_: {"data": e}, PROBES["workflow execution"], "x")

        assert found is not None and found["id"] == taken


def test_the_use_that_another_made_is_not_taken_for_ones_own() -> None:
    def get(path: str, **asked: Any) -> Any:
        return {"data": [entry(id="evt_2"), entry(id="evt_1", user_agent="mine")]}

    found = newest(get, PROBES["API usage"], "mine")

    assert found is not None and found["id"] == "evt_1"
    assert newest(get, PROBES["API usage"], "of another run") is None
