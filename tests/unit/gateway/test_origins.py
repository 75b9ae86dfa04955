"""Where a request came from: what is taken from it, sealed under the key of the day."""

import os
from typing import Any

import pytest

from libs.common import clock, telemetry
from libs.common.bus import Answered
from libs.common.errors import Unavailable
from libs.common.origins import Origin, OriginKey, day_of_origin, open_origin
from libs.common.privacy import wrap
from services.audit.contract import OriginKeyFound, OriginKeysFound, origin_kid
from services.gateway.arrived import Arrived
from services.gateway.origins import AGENT_MAX, Origins, origin_of

KEK = os.urandom(32)
TODAY = int(clock.seconds()) // 86_400
HERE = Origin("192.0.2.7", "curl/8")


class Audit:
    """Stands in for the bus: answers with the keys that it has, or with nothing at all."""

    def __init__(self, **keys: bytes) -> None:
        self.keys = {int(day.strip("d")): key for day, key in keys.items()}
        self.down = False

    async def ask(self, query: Any, meta: Any) -> Answered:
        if self.down:
            raise Unavailable("audit does not answer", part="audit")
        assert meta.actor == "system:gateway"
        found = [
            OriginKeyFound(day=day, wrapped=wrap(KEK, origin_kid(day), key))
            for day, key in self.keys.items()
        ]
        return Answered(OriginKeysFound(keys=found).model_dump_json().encode())


@pytest.fixture
async def asked() -> tuple[Origins, bytes]:
    key = os.urandom(32)
    origins = Origins(Audit(**{f"d{TODAY}": key}), KEK)  # pyright: ignore[reportArgumentType] - it only asks
    await origins._ask(TODAY)
    return origins, key


def without_origin() -> float:
    return telemetry.WITHOUT_ORIGIN._value.get()


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5), "192.0.2.7"),
        (("2001:DB8:0::1", 0), "2001:db8::1"),
        (("not an address", 0), None),
        (None, None),
    ],
)
def test_an_address_has_one_form_and_what_is_none_is_left_out(
    client: tuple[str, int] | None, address: str | None
) -> None:
    assert origin_of(client, None) == Origin(address, None)


def test_a_user_agent_is_cut_and_is_always_a_text() -> None:
    said = origin_of(None, b"x\xff" * AGENT_MAX).agent
    assert said is not None and len(said.encode()) > len(said) == AGENT_MAX


async def test_an_origin_is_sealed_once_for_a_request_and_opens_under_the_days_key(
    asked: tuple[Origins, bytes],
) -> None:
    origins, key = asked
    arrived = Arrived(None, HERE)
    sealed = arrived.sealed_origin(origins)
    assert sealed is not None and sealed == arrived.sealed_origin(origins)
    assert day_of_origin(sealed) == TODAY
    assert open_origin(key, sealed) == HERE
    assert open_origin(os.urandom(32), sealed) is None


async def test_equal_origins_are_sealed_differently_and_have_the_same_digest(
    asked: tuple[Origins, bytes],
) -> None:
    origins, key = asked
    one, other = origins.told(HERE), origins.told(HERE)
    assert one.origin != other.origin and one.digest == other.digest
    assert origins.told(Origin("192.0.2.8", HERE.agent)).digest != one.digest
    assert OriginKey(TODAY, key).digest(HERE) == one.digest


async def test_while_audit_is_away_requests_go_on_without_an_origin_and_are_counted() -> None:
    audit = Audit(**{f"d{TODAY}": os.urandom(32)})
    origins = Origins(audit, KEK)  # pyright: ignore[reportArgumentType] - it only asks
    audit.down, before = True, without_origin()
    await origins._ask(TODAY)
    assert Arrived(None, HERE).sealed_origin(origins) is None
    assert origins.told(HERE) == (None, None)
    assert without_origin() == before + 1
    audit.down = False
    await origins._ask(TODAY)
    assert Arrived(None, HERE).sealed_origin(origins) is not None


async def test_the_door_keeps_no_key_of_a_day_that_is_over() -> None:
    audit = Audit(**{f"d{TODAY}": os.urandom(32), f"d{TODAY + 1}": os.urandom(32)})
    origins = Origins(audit, KEK)  # pyright: ignore[reportArgumentType] - it only asks
    await origins._ask(TODAY)
    assert sorted(origins._keys) == [TODAY, TODAY + 1]
    audit.keys = {TODAY + 1: os.urandom(32)}
    await origins._ask(TODAY + 1)
    assert sorted(origins._keys) == [TODAY + 1]
