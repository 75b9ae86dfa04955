"""A SIEM that does not answer, an audit that is killed: nothing is lost within the window."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests_support.inside import BEHIND_A_NAME, WRITTEN_AS_ADDRESS, lead_to
from tests_support.servers import Servers
from tests_support.siem import Siem, siem, told

from libs.common.errors import DomainError
from libs.common.testing import eventually
from libs.egress import backend
from services.audit.contract import ChangeSiemStream, FindEntries, SiemStreamPatch
from tests.fakes.receiver import Answer, Receiver, Said, Seen, says

from .conftest import ONE, World


@pytest.fixture
async def carried(servers: Servers, tmp_path: Path) -> AsyncIterator[Siem]:
    async with Receiver() as receiver, siem(World(servers, tmp_path), receiver) as made:
        yield made


async def test_a_receiver_that_refuses_for_five_minutes_gets_everything_after_it(
    carried: Siem,
) -> None:
    made = await carried.create()
    await carried.all_arrived(made.id)
    carried.receiver.reply = says(503)
    for minute in range(5):
        await carried.world.note(100)
        carried.world.now += timedelta(minutes=1)
        await carried.until(made.id, lambda s, n=minute: s.failures > n)
    state = await carried.until(made.id, lambda s: s.waiting >= 500)
    assert (state.state, state.last_status) == ("failing", 503)
    assert state.failing_since and state.next_attempt_at
    carried.receiver.reply = says(200)
    carried.world.now += timedelta(minutes=5)
    state = await carried.all_arrived(made.id)
    assert (state.state, state.failures, state.lost) == ("working", 0, 0)
    assert carried.numbers() == carried.substance()


async def test_waits_grow_and_what_the_receiver_asks_for_is_kept(carried: Siem) -> None:
    made = await carried.create()
    await carried.all_arrived(made.id)
    carried.receiver.reply = says(500, 500, Answer(429, headers={"retry-after": "600"}))
    await carried.world.note(1)
    waits = []
    for failures in (1, 2, 3):
        state = await carried.until(made.id, lambda s, n=failures: s.failures == n)
        assert state.next_attempt_at is not None
        waits.append((state.next_attempt_at - carried.world.now).total_seconds())
        carried.world.now = state.next_attempt_at + timedelta(milliseconds=1)
    assert 0.9 <= waits[0] <= 1.1 and 1.8 <= waits[1] <= 2.2
    assert 599 <= waits[2] <= 601


async def test_a_change_of_the_stream_is_tried_at_once(carried: Siem) -> None:
    carried.receiver.replies["/wrong"] = says(Answer(404, headers={"retry-after": "3000"}))
    made = await carried.create("/wrong")
    await carried.until(made.id, lambda s: s.failures == 1)
    patch = SiemStreamPatch.model_validate({"url": carried.receiver.url + "/right"})
    await carried.ask(ChangeSiemStream(stream=made.id, patch=patch))
    state = await carried.all_arrived(made.id)
    assert (state.state, state.last_health) == ("working", "ok")
    assert carried.numbers("/right") == carried.substance()


async def test_a_killed_audit_is_followed_by_one_that_loses_nothing(
    servers: Servers, tmp_path: Path
) -> None:
    async with Receiver() as receiver, siem(World(servers, tmp_path), receiver) as carried:
        made = await carried.create()
        await carried.all_arrived(made.id)
        await carried.world.audit.stop()
        killed: list[int] = []

        def script(got: Seen) -> Said:
            if got.headers["content-type"] == "application/x-ndjson" and not killed:
                killed.append(process.pid)
                os.kill(process.pid, signal.SIGKILL)
            return 200

        receiver.reply = script
        settings = carried.world.settings
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.audit", env=os.environ | {
                "TROTH_EGRESS_ALLOW": receiver.pair, "TROTH_OPS_PORT": "0",
                "TROTH_DATABASE_PREFIX": settings.database_prefix, "TROTH_SIEM_GATHER_S": "0.05",
                "TROTH_AUDIT_KEYS": settings.audit_keys,
                "TROTH_AUDIT_SIGNING_KEY": settings.audit_signing_key,
            },
        )  # fmt: skip
        try:
            await carried.world.note(1200)

            async def dead() -> list[int]:
                return killed

            await eventually(dead, bool, 30)
            assert await process.wait() == -signal.SIGKILL
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        receiver.reply = says(200)
        carried.world.parts = carried.world.build()
        carried.world.audit = carried.world.parts.service
        await carried.world.audit.start()
        state = await carried.all_arrived(made.id)
        came, wanted = carried.numbers(), carried.substance()
        assert set(came) == set(wanted) and state.lost == 0
        assert len(came) > len(wanted), "the batch of the killed one came again"
        again = next(n for n, (a, b) in enumerate(zip(came, wanted, strict=False)) if a != b)
        assert came[again:] == wanted[wanted.index(came[again]) :], "in order from there on"


async def test_what_is_older_than_the_window_is_lost_and_said(carried: Siem) -> None:
    made = await carried.create(loss_window_days=2)
    await carried.all_arrived(made.id)
    carried.receiver.reply = says(503)
    await carried.world.note(30)
    await carried.world.complete()
    sign = carried.world.parts.proof.signer.round
    await sign(carried.world.now)
    old, before = carried.size(), (await carried.state(made.id)).position
    carried.world.now += timedelta(days=1, hours=23)
    await carried.until(made.id, lambda s: s.failures > 0)
    assert (await carried.state(made.id)).lost == 0, "the window is not over"
    await carried.world.note(20)
    carried.world.now += timedelta(hours=2)
    state = await carried.until(made.id, lambda s: s.lost > 0)
    lost = [n for n in carried.substance() if before <= n < old]
    assert (state.lost, len(lost)) == (len(lost), len(lost)) and len(lost) >= 30
    [fact] = await told(carried, "siem-entries-lost")
    assert fact == {
        "siem_stream_id": made.id, "first": before, "last": old - 1, "count": len(lost),
        "loss_window_days": 2,
    }  # fmt: skip
    carried.receiver.reply = says(200)
    carried.world.now += timedelta(hours=2)
    await carried.all_arrived(made.id)
    assert carried.numbers() == [n for n in carried.substance() if n not in set(lost)]
    assert "siem-entries-lost" in str(carried.entries()[-1]) + str(carried.entries()[-2])
    query = FindEntries(event_type=["audit.event.siem-entries-lost"])
    [entry] = (await carried.ask(query))["data"]
    assert (entry["outcome"], entry["category"], entry["resource"]) == ("failure", "error", made.id)


async def test_no_stream_leads_inside(carried: Siem, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as inside:
        made = await carried.create()
        for host in WRITTEN_AS_ADDRESS.values():
            url = f"http://{host}:{inside.port}/"
            moved = SiemStreamPatch.model_validate({"url": url})
            for refused in (
                carried.create(url=url), carried.ask(ChangeSiemStream(stream=made.id, patch=moved)),
            ):  # fmt: skip
                with pytest.raises(DomainError) as error:
                    await refused
                assert error.value.code == "url-not-allowed", host
        names = {f"{kind}.example": found for kind, found in BEHIND_A_NAME.items()}
        lookup = backend._lookup

        def resolved(host: str, port: int) -> Sequence[str]:
            return names[host] if host in names else lookup(host, port)

        monkeypatch.setattr(backend, "_lookup", resolved)
        dialled = lead_to(inside.port, monkeypatch)
        for name in names:
            leads = await carried.create(url=f"http://{name}:{inside.port}/")
            state = await carried.until(leads.id, lambda s: s.failures > 0)
            assert state.last_error == "no-connection"
        assert inside.connections == 0
        assert not set(dialled) - {"127.0.0.1"}


async def test_a_redirect_is_not_followed(carried: Siem) -> None:
    async with Receiver() as elsewhere:
        carried.receiver.reply = says(Answer(307, headers={"location": elsewhere.url + "/"}))
        made = await carried.create()
        state = await carried.until(made.id, lambda s: s.failures > 0)
        assert (state.last_error, elsewhere.seen) == ("redirect", [])


async def test_a_stream_whose_organization_is_forgotten_ends(carried: Siem) -> None:
    made = await carried.create()
    await carried.all_arrived(made.id)
    carried.world.people.destroy(ONE)
    carried.world.audit.keys.drop(ONE)
    await carried.world.note(1, actor="system:executor")

    async def left() -> list[Any]:
        with carried.world.as_administrator() as db:
            return db.execute("select id from siem_streams").fetchall()

    await eventually(left, lambda rows: rows == [])
    [fact] = await told(carried, "siem-stream-deleted")
    assert fact["by"] == "system:audit"
