"""Live streams of the trail over HTTP and by command, on a whole installation."""

from pathlib import Path
from typing import Any

from tests_support.commands import troth, value
from tests_support.stack import until
from tests_support.world import World

STREAMS = "/v1/audit/siem-streams"


def made(world: World, **fields: Any) -> dict[str, Any]:
    body = {"url": f"http://{world.receiver}/live", "format": "ocsf"} | fields
    return world.home.owner.post(STREAMS, body)


def test_what_happens_is_carried_and_the_state_says_so(world: World) -> None:
    owner, stream = world.home.owner, made(world)
    assert stream["signing_secret"].startswith("whsec_")
    path = f"{STREAMS}/{stream['id']}"
    first = until(lambda: _working(owner.get(f"{path}/state")))
    owner.put("/v1/variables/carried", {"value": 1})
    state = until(
        lambda: (s := _working(owner.get(f"{path}/state"))) and s["position"] > first["position"]
        and s
    )  # fmt: skip
    assert (state["last_health"], state["lost"], state["loss_window_days"]) == ("ok", 0, 7)
    assert owner.get(path)["signing_secret"] is None


def _working(state: dict[str, Any]) -> dict[str, Any] | None:
    """The state, once everything was delivered."""
    done = state["last_health_at"] and state["last_delivered_at"] and not state["lag_s"]
    return state if done and state["state"] == "working" else None


def test_who_only_reads_the_trail_sees_streams_and_changes_none(world: World) -> None:
    stream = made(world)
    admin = world.member("reads-the-trail", "admin")
    path = f"{STREAMS}/{stream['id']}"
    assert admin.get(path)["id"] == stream["id"]
    answer = admin.ask("POST", STREAMS, {"url": "https://siem.example", "format": "ocsf"})
    assert (answer.status_code, answer.json()["permission"]) == (403, "audit:export")
    viewer = world.member("sees-nothing", "viewer")
    assert viewer.ask("GET", path).status_code == 403
    assert world.other.owner.ask("GET", path).status_code == 404


def test_an_inside_address_and_a_wrong_window_are_refused(world: World) -> None:
    owner = world.home.owner
    body = {"url": "http://169.254.169.254/", "format": "ocsf"}
    answer = owner.ask("POST", STREAMS, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "url-not-allowed")
    for days in (0, 31):
        given = body | {"url": f"http://{world.receiver}/", "loss_window_days": days}
        answer = owner.ask("POST", STREAMS, given)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input"), days


def test_streams_are_managed_by_command(world: World, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("Splunk 1234\n")
    url = f"http://{world.receiver}/by-command"
    stream = value(world, "audit", "siem", "create", url, "--loss-window-days", "3",
                   "--authorization-file", str(file))  # fmt: skip
    assert (stream["loss_window_days"], stream["authorized"]) == (3, True)
    assert stream["id"] in troth(world, "audit", "siem")
    changed = value(world, "audit", "siem", "change", stream["id"], "--format", "jsonl")
    assert changed["format"] == "jsonl"
    rotated = troth(world, "audit", "siem", "rotate-secret", stream["id"]).strip()
    assert rotated.startswith("whsec_") and rotated != stream["signing_secret"]
    until(lambda: value(world, "audit", "siem", "show", stream["id"])["state"]["last_health_at"])
    shown = troth(world, "audit", "siem", "show", stream["id"])
    assert "loss window" in shown and "3 days" in shown and "Splunk" not in shown
    assert troth(world, "audit", "siem", "delete", stream["id"]).split()[1] == "deleted"
    assert stream["id"] not in troth(world, "audit", "siem")
