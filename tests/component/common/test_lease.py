"""One process leads a service; one that was killed or stopped is replaced within seconds."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests_support.ledger import META, Note, Place, build_ledger, note_many

from libs.common.service import Service
from libs.common.testing import environment, eventually

ROOT = Path(__file__).parents[3]


@contextmanager
def _process(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    settings = place.settings
    env = os.environ | environment(
        ["ledger"], settings.nats_url, settings.database_url, settings.database_prefix
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests_support.ledger_process"], cwd=ROOT / "tests",
        env=env | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _owner(place: Place, wanted: int | None = None) -> str:
    async def look() -> str:
        rows = place.sql("ledger", "select owner from leases where name = 'lead'")
        return rows[0][0] if rows else ""

    return await eventually(
        look, lambda owner: bool(owner) and (not wanted or owner.endswith(f":{wanted}")), 30
    )


async def _leads(service: Service, yes: bool) -> None:
    async def look() -> bool:
        return service.lease.held

    await eventually(look, lambda held: held is yes, 30)


async def _all_copied(place: Place) -> int:
    async def look() -> list[int]:
        return place.copied()

    return len(await eventually(look, lambda copied: copied == place.numbers(), 30))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_leader_that_is_killed_or_stopped_is_replaced_and_nothing_is_lost_or_doubled(
    place: Place, books: Service, ledger: Service, end: signal.Signals
) -> None:
    await ledger.stop()
    with _process(place) as leader:
        await _owner(place, leader.pid)
        standby = build_ledger(place.settings)
        await standby.start()
        await note_many(standby.store, list(range(10)))
        assert await _all_copied(place) == 10
        assert not standby.lease.held
        leader.send_signal(end)
        await note_many(standby.store, list(range(10)))
        await _leads(standby, yes=True)
        assert await _all_copied(place) == 20
        if end is signal.SIGSTOP:
            leader.send_signal(signal.SIGCONT)
            await note_many(standby.store, list(range(10)))
            assert await _all_copied(place) == 30
            assert (await _owner(place)).endswith(f":{os.getpid()}")
        await standby.stop()


async def test_who_does_not_lead_answers_too_and_wakes_the_leader(
    place: Place, ledger: Service, streams: None
) -> None:
    await ledger.stop()
    with _process(place) as leader:
        await _owner(place, leader.pid)
        standby = build_ledger(place.settings)
        await standby.start()
        for amount in range(1, 9):
            answer = await standby.bus.ask(Note(amount=amount), META)
            assert answer.version == amount
            assert len(place.sql("ledger", "select 1 from notes")) == amount
        await standby.stop()


async def test_a_leader_that_ends_gives_the_lease_back_at_once(place: Place, streams: None) -> None:
    first, second = build_ledger(place.settings), build_ledger(place.settings)
    second.lease._owner = "another"
    await first.start()
    await _leads(first, yes=True)
    await second.start()
    place.sql("ledger", "update leases set until = now() + interval '1 hour'")
    await first.stop()
    await _leads(second, yes=True)
    assert not first.lease.held
    await second.stop()


async def test_who_lost_the_lease_ends_what_leaders_do(place: Place, streams: None) -> None:
    ledger, ends = build_ledger(place.settings), []

    async def led() -> None:
        ends.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("ended")

    ledger.lead.append(led)
    await ledger.start()
    await _leads(ledger, yes=True)
    place.sql("ledger", "update leases set owner = 'other', until = now() + interval '1 hour'")
    await _leads(ledger, yes=False)

    async def look() -> list[str]:
        return ends

    await eventually(look, lambda seen: seen == ["began", "ended"])
    place.sql("ledger", "delete from leases")
    await eventually(look, lambda seen: seen == ["began", "ended", "began"])
    await ledger.stop()
    assert ends == ["began", "ended"] * 2
