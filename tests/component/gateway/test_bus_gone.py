"""A start that is not taken says under which key it can be sent again, whatever part is away."""

from typing import Any

import pytest

from libs.common.bus import Bus
from libs.common.errors import Unavailable
from services.workflows.contract import (
    EnableWorkflow,
    FindHook,
    FindTrigger,
    HookFound,
    TriggerFound,
)

JSON = {"Content-Type": "application/json"}
HOOK = HookFound.model_validate(
    {"path": "orders", "reason": None, "workflow_id": "wf_1", "workflow_version": 1,
     "enabled": True, "scheme": "none", "respond": "accepted", "timeout_s": 10.0}
)  # fmt: skip
TRIGGER = TriggerFound.model_validate(
    {"workflow_id": "wf_1", "name": "a", "workflow_version": 1, "latest": 1, "enabled": True,
     "archived": False, "document": "v1.k.n.c", "document_digest": "d", "language": 1,
     "triggers": [], "connectors": [], "hosts": [], "secrets": [], "variables": [], "labels": {}}
)  # fmt: skip


@pytest.fixture
def the_bus_is_gone(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls what it gives: from then on the gateway knows that it has no connection."""
    return lambda: monkeypatch.setattr(Bus, "connected", property(lambda self: False))


async def test_the_503_of_a_hook_carries_a_key_though_nothing_was_sent(
    world: Any, the_bus_is_gone: Any
) -> None:
    world.on(FindHook, lambda m, meta: HOOK)
    the_bus_is_gone()
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["part"]) == (503, "bus")
    assert len(answer.headers["idempotency-key"]) >= 20
    own = JSON | {"Idempotency-Key": "mine"}
    again = await world.http.post("/hooks/acme/orders", content=b"{}", headers=own)
    assert again.headers.get_list("idempotency-key") == ["mine"]
    assert world.started == []


async def test_the_503_of_a_start_by_hand_carries_a_key_whatever_part_is_away(
    world: Any, the_bus_is_gone: Any
) -> None:
    def away(message: Any, meta: Any) -> Any:
        raise Unavailable("away", part="workflows")

    world.may("executions:start", "workflows:publish")
    world.on(FindTrigger, away)
    path = "/v1/workflows/a/executions"
    answer = await world.ask("POST", path, json={})
    assert (answer.status_code, answer.json()["part"]) == (503, "workflows")
    assert len(answer.headers["idempotency-key"]) >= 20
    world.on(FindTrigger, lambda m, meta: TRIGGER)
    the_bus_is_gone()
    mine = await world.ask("POST", path, json={}, headers={"Idempotency-Key": "mine"})
    assert (mine.status_code, mine.json()["part"]) == (503, "bus")
    assert mine.headers.get_list("idempotency-key") == ["mine"]
    assert world.started == []


async def test_the_503_of_another_change_carries_none_because_it_was_sent_without_one(
    world: Any,
) -> None:
    def away(message: Any, meta: Any) -> Any:
        raise Unavailable("away", part="workflows")

    world.may("workflows:publish")
    world.on(EnableWorkflow, away)
    answer = await world.ask("POST", "/v1/workflows/a/enable")
    assert answer.status_code == 503 and "idempotency-key" not in answer.headers
