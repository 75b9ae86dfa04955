"""A start that was refused because a part is away says under which key it can be sent again."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.common.errors import Malformed, Unavailable
from libs.common.privacy import KeyRing
from services.gateway.arrived import Arrived
from services.gateway.door import Door
from services.gateway.front import Front
from services.gateway.keys import key_of, key_to_repeat
from services.gateway.starts import Order, Starts


async def no_key(owner: str, purpose: str) -> None:
    return None


def order(key: str) -> Order:
    return Order("webhook", "org_1", "orders", key, {}, b"", "system:webhook", "req_1")


def gateway_without_a_bus() -> Front:
    bus = cast(Any, SimpleNamespace(connected=False))
    starts = Starts(bus, KeyRing(b"k" * 32, no_key))
    nobody = SimpleNamespace(headers=list)
    door = SimpleNamespace(
        starts=starts, opened=True, draining=False, settings=SimpleNamespace(secure=False),
        rates=SimpleNamespace(nobody=nobody),
    )  # fmt: skip
    return Front(cast(Door, door), None)


async def answered(given: str | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The headers of what the front answers to a hook when the bus is known to be gone."""
    front = gateway_without_a_bus()

    async def answer(scope: Any, receive: Any, arrived: Arrived) -> Any:
        arrived.key = key_to_repeat(given)
        return await front.door.starts.start(order(arrived.key))

    monkeypatch.setattr(front.hooks, "answer", answer)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/hooks/acme/orders", "headers": []}
    await front(scope, None, send)
    assert sent[0]["status"] == 503
    found: dict[str, list[str]] = {}
    for name, value in sent[0]["headers"]:
        found.setdefault(name.decode(), []).append(value.decode())
    return found


async def test_a_start_without_a_bus_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(Unavailable) as refused:
        await gateway_without_a_bus().door.starts.start(order("k"))
    assert refused.value.extra["part"] == "bus"


async def test_the_503_says_a_key_also_when_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = [(await answered(None, monkeypatch)) for _ in range(2)]
    assert len(first["idempotency-key"]) == 1 and len(first["idempotency-key"][0]) >= 20
    assert first["idempotency-key"] != second["idempotency-key"]
    assert first["retry-after"] == ["2"]


async def test_the_503_says_the_callers_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await answered("mine", monkeypatch))["idempotency-key"] == ["mine"]


@pytest.mark.parametrize("given", ["", "two words", "x" * 256, "é", "a\r\nb"])
def test_what_can_be_no_key_is_refused_and_never_said_back(given: str) -> None:
    with pytest.raises(Malformed):
        key_of(given)
    made = key_to_repeat(given)
    assert made != given and key_of(made) == made
