"""Forgetting after a crash and after a restore: the same end, each thing once."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libs.common.errors import Forbidden
from libs.common.testing import eventually
from services.audit import anonymizing, daykeys
from services.audit.anonymizing import Anonymizer
from services.audit.contract import DayForgotten, FindDestroyedKeys, FindEntries
from services.audit.daykeys import DayKeys
from services.audit.forget_ledger import is_destroyed, spelled
from services.audit.receipts import Receipts
from services.audit.signing import CheckpointSigner
from services.identity.contract import KeysDestroyed

from .conftest import ONE, TWO, Past

Breaks = Callable[[pytest.MonkeyPatch], None]


class PowerCut(Exception):
    """What the process would not have lived to see."""


def _dies(*_: Any, **__: Any) -> Any:
    raise PowerCut


def _at(owner: Any, name: str) -> Breaks:
    return lambda patch: patch.setattr(owner, name, _dies)


def _between_the_places(patch: pytest.MonkeyPatch) -> None:
    replace, seen = daykeys.replace, set[Path]()

    def once(place: Path, file: Any) -> None:
        seen.add(place)
        if len(seen) > 1:
            raise PowerCut
        replace(place, file)

    patch.setattr(daykeys, "replace", once)


def _between_two_receipts(patch: pytest.MonkeyPatch) -> None:
    write, calls = Receipts.write, list[int]()

    async def once(self: Receipts, *given: Any) -> str:
        if calls:
            raise PowerCut
        calls.append(1)
        return await write(self, *given)

    patch.setattr(Receipts, "write", once)


POINTS = {
    "before the key steps": _at(DayKeys, "forget_until"),
    "between the two places of the key": _between_the_places,
    "before the details are dropped": _at(anonymizing, "drop_day"),
    "before it is told": _at(Anonymizer, "_tell"),
    "before it is signed": _at(CheckpointSigner, "now"),
    "between two receipts": _between_two_receipts,
}


async def prepared(past: Past) -> None:
    await past.on(past.first, 6)
    await past.on(past.first, 5, organization=TWO)
    await past.begin()


async def is_forgotten(past: Past) -> None:
    """All that has to be so when the day with entries of two trails is forgotten."""

    async def receipts() -> int:
        return past.rows("select count(*) from receipts")[0][0]

    assert await eventually(receipts, lambda count: count >= 3, 30) == 3
    days = [spelled(past.first)]
    assert [day for (day,) in past.rows("select subject from forget_ledger order by 1")] == days
    for organization in (ONE, TWO):
        (told,) = past.told(DayForgotten, organization)
        assert told["day"] == days[0]
        assert told["entries"] == {ONE: 6, TWO: 5}[organization]
    assert [told["day"] for told in past.told(DayForgotten, "instance")] == days

    async def oldest() -> int:
        past.parts.keys.refresh()
        return past.parts.keys.oldest

    await eventually(oldest, lambda day: day == past.today - 89, 30)
    assert past.places[0].read_bytes() == past.places[1].read_bytes()
    assert past.days_kept()[0] >= past.today - 89


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_anywhere_ends_in_the_same(
    past: Past, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared(past)
    with monkeypatch.context() as patch:
        POINTS[point](patch)
        with pytest.raises(PowerCut):
            await past.forget()
        await past.audit.stop()
    await past.restart_audit()
    await past.forget()
    await is_forgotten(past)


async def test_a_restored_partition_and_older_key_files_are_forgotten_again_before_serving(
    past: Past,
) -> None:
    await prepared(past)
    older = [place.read_bytes() for place in past.places]
    sealed = past.rows("select * from audit_detail where day = %s", past.first)
    await past.forget()
    await is_forgotten(past)
    await past.audit.stop()
    for place, content in zip(past.places, older, strict=True):
        place.write_bytes(content)
    restore_partition(past, sealed)

    await past.restart_audit()

    assert past.parts.keys.oldest > past.first
    assert past.rows("select 1 from audit_detail where day = %s", past.first) == []
    found = (await past.ask(FindEntries(event_type=["executor.event.noted"])))["data"]
    assert found == []
    await is_forgotten(past)


async def test_a_database_from_before_is_forgotten_again_for_its_keys_are_gone(past: Past) -> None:
    await prepared(past)
    sealed = past.rows("select * from audit_detail where day = %s", past.first)
    await past.forget()
    await past.audit.stop()
    restore_partition(past, sealed)
    with past.as_administrator() as admin:
        for table in ("forget_ledger", "forgotten_days", "receipts"):
            admin.execute(f"truncate {table}".encode())

    await past.restart_audit()
    await past.forget()

    assert past.rows("select 1 from audit_detail where day = %s", past.first) == []
    assert past.rows("select subject, why from forget_ledger order by 1") == [
        (spelled(past.first), "restored")
    ]


async def test_a_reader_in_the_way_is_not_waited_for_and_does_not_stop_it(past: Past) -> None:
    await prepared(past)
    with past.as_administrator() as admin:
        admin.execute("begin")
        admin.execute("select * from audit_detail limit 1")

        forgetting = asyncio.create_task(past.forget())
        await past.note(3)
        await past.complete()  # whoever writes is not held up by who waits for the lock
        assert not forgetting.done()
        admin.execute("commit")
        await forgetting
    await is_forgotten(past)


async def test_destroyed_keys_stand_in_the_ledger_by_their_ids_and_stay_destroyed(
    past: Past,
) -> None:
    await past.on(past.today - 3, 2)
    await past.begin()
    (first, *_) = (await past.ask(FindEntries(event_type=["executor.event.noted"])))["data"]
    assert first["actor"] == "per_1"
    key = await past.people.fetch("per_1", "audit")
    assert key is not None
    kid = key.kid
    fact = KeysDestroyed(owner_id="per_1", kids=[kid])

    await past.producers["identity"].append_system("keys-instance-per_1", fact)
    await past.complete()

    ledger = past.rows("select kind, subject, why from forget_ledger")
    assert ledger == [("person", kid, "keys-destroyed")]
    assert await is_destroyed(past.audit, kid)
    asked = FindDestroyedKeys(kids=["knever", kid])
    assert (await past.ask(asked, actor="system:identity"))["kids"] == [kid]
    with pytest.raises(Forbidden):
        await past.ask(asked)
    # A key store that was restored has the key still; the trail takes it no more.
    past.parts.people.drop("per_1", [kid])
    (shown, *_) = (await past.ask(FindEntries(event_type=["executor.event.noted"])))["data"]
    assert shown["actor"] == "forgotten"


def restore_partition(past: Past, sealed: list[Any]) -> None:
    with past.as_administrator() as admin:
        partition = f"audit_detail_{past.first}"
        statement = (
            f"create table {partition} partition of audit_detail for values in ({past.first})"
        )
        admin.execute(statement.encode())
        admin.execute(f"alter table {partition} owner to audit_anonymizer".encode())
        for row in sealed:
            marks = ", ".join(["%s"] * len(row))
            admin.execute(f"insert into audit_detail values ({marks})".encode(), row)
