"""Every rule of retention is applied by somebody, and every sweep applies a rule."""

from datetime import timedelta
from pathlib import Path

import pytest

from cli.services import build
from libs.common.pull import STREAM_AGE_S
from libs.common.retention import OF_EVERY_LOG
from libs.common.service import Service
from libs.common.testing import environment
from tools import inventory


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Service]:
    """All services that keep anything, put together and not started."""
    names = list(inventory.schemas())
    found = environment(names, "nats://127.0.0.1:1", "postgresql://127.0.0.1:1")
    for name, value in (found | {"TROTH_DATA_DIR": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    return {name: build(name)[0] for name in names}


async def test_every_rule_with_days_has_a_sweep_or_says_who_else_applies_it(
    services: dict[str, Service],
):
    rules = inventory.rules()
    idle = [
        f"{name}.{rule.name}"
        for name, service in services.items()
        for rule in (*rules[name], *OF_EVERY_LOG)
        if rule.keep_days is not None and not rule.by
        and rule.name not in {sweep.rule for sweep in service.sweeps}
    ]  # fmt: skip

    assert idle == []


async def test_every_sweep_names_a_rule_of_its_service(services: dict[str, Service]):
    rules = inventory.rules()
    unknown = [
        f"{name}.{sweep.rule}"
        for name, service in services.items()
        for sweep in service.sweeps
        if sweep.rule not in {rule.name for rule in (*rules[name], *OF_EVERY_LOG)}
    ]

    assert unknown == []


async def test_a_rule_without_days_that_is_swept_says_by_what(services: dict[str, Service]):
    rules = {
        (name, rule.name): rule for name, own in inventory.rules().items() for rule in own
    }  # fmt: skip
    silent = [
        f"{name}.{sweep.rule}"
        for name, service in services.items()
        for sweep in service.sweeps
        if (rule := rules.get((name, sweep.rule))) and rule.keep_days is None and not rule.by
    ]

    assert silent == []


def test_nats_holds_events_for_the_days_of_their_rule():
    (rule,) = (rule for rule in OF_EVERY_LOG if rule.name == "bus")

    assert rule.keep_days is not None
    assert timedelta(seconds=STREAM_AGE_S) == timedelta(days=rule.keep_days)
