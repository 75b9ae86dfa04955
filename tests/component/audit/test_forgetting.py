"""A day of the trail is forgotten at ninety days: counts, receipts, clocks, digests."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from cli import audit_verify
from libs.common.errors import NotFound
from libs.common.messages import Event
from services.audit.batch import trail_name
from services.audit.contract import (
    DayForgotten,
    DetailMissing,
    FindEntries,
    FindProof,
    FindReceipt,
    ForgettingStopped,
)
from services.audit.forget_ledger import spelled

from .conftest import ONE, TWO, Past

LEDGER = "select subject, why from forget_ledger where kind = 'day' order by 1"
PARTITIONS = """
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'audit_detail'::regclass
"""


class Refused(Event):
    """Of the class `authentication`."""

    type: ClassVar[str] = "identity.event.sign-in-refused"


class Paid(Event):
    """Of the class `billing`."""

    type: ClassVar[str] = "billing.event.plan-changed"


def trail_of(past: Past, organization: str = ONE) -> str:
    ((trail,),) = past.rows("select trail from trails where org = %s", organization)
    return trail_name(trail)


async def test_what_is_ninety_days_old_is_forgotten_and_nothing_younger(past: Past) -> None:
    kept = past.today - 89
    await past.on(past.first, 6)
    await past.on(kept, 4)
    await past.begin()

    assert await past.forget() == 1

    past.parts.keys.refresh()
    assert past.parts.keys.oldest == kept
    assert past.days_kept()[0] == kept
    assert f"audit_detail_{past.first}" not in {name for (name,) in past.rows(PARTITIONS)}
    # On the five days behind it nothing was entered: nothing is destroyed, nothing told.
    assert past.rows(LEDGER) == [(spelled(past.first), "ninety-days")]
    found = (await past.ask(FindEntries(event_type=["executor.event.noted"])))["data"]
    assert len(found) == 4
    assert await past.forget() == 0


async def test_counts_are_told_and_groups_under_five_are_not(past: Past) -> None:
    await past.on(past.first, 7)
    await past.on(past.first, 6, Paid)
    await past.on(past.first, 3, Refused)
    await past.on(past.first, 2, organization=TWO)
    await past.begin()

    await past.forget()

    (told,) = past.told(DayForgotten, ONE)
    assert (told["day"], told["entries"]) == (spelled(past.first), 16)
    # The sum would give away the one small group, so the next smallest is not told either.
    assert told["counts"] == [
        {"entry_class": "authentication", "entries": None, "how": "de-identified"},
        {"entry_class": "billing", "entries": None, "how": "anonymized"},
        {"entry_class": "execution", "entries": 7, "how": "anonymized"},
    ]
    (few,) = past.told(DayForgotten, TWO)
    group = {"entry_class": "execution", "entries": None, "how": "de-identified"}
    assert (few["entries"], few["counts"]) == (None, [group])
    empty = past.told(DayForgotten, "instance")
    assert [(one["day"], one["entries"]) for one in empty] == [(spelled(past.first), 0)]


async def test_what_was_told_stands_in_the_trail_itself(past: Past) -> None:
    await past.on(past.first, 5)
    await past.begin()
    await past.forget()
    await past.complete()

    found = (await past.ask(FindEntries(event_type=["audit.event.day-forgotten"])))["data"]

    assert [shown["category"] for shown in found] == ["privacy"]
    assert found[0]["resource"].startswith("rcp_")


async def test_the_receipt_is_signed_and_the_organizations_own(past: Past) -> None:
    await past.on(past.first, 5)
    await past.begin()
    proof = past.parts.proof
    await proof.signer.round(past.now)
    ((size, before),) = past.rows(
        "select c.size, encode(c.root, 'base64') from checkpoints c join trails t using (trail)"
        " where t.org = %s order by c.size desc limit 1", ONE,
    )  # fmt: skip
    await past.forget()
    (told,) = past.told(DayForgotten, ONE)
    assert (told["size"], told["root"]) == (size, before)

    shown = await past.ask(FindReceipt(receipt_id=told["receipt"]), permission="audit:read")

    lines = proof.signer.verifier.open(shown["note"]).splitlines()
    ((at,),) = past.rows("select at from forget_ledger where subject = %s", spelled(past.first))
    assert lines == [
        "troth/receipts", told["receipt"], trail_of(past), f"day {spelled(past.first)}",
        f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z", f"{size} {before}", "5",
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await past.ask(FindReceipt(receipt_id=told["receipt"]), TWO, "audit:read")


async def test_a_receipt_verifies_alone_and_with_the_proof_of_its_event(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await past.on(past.first, 5)
    await past.begin()
    signer = past.parts.proof.signer
    await signer.round(past.now)
    await past.forget()
    await past.complete()
    await signer.round(past.now)
    (found,) = (await past.ask(FindEntries(event_type=[DayForgotten.type])))["data"]
    proof = (await past.ask(FindProof(event_id=found["id"]), permission="audit:read"))["proof"]
    receipt = await past.ask(FindReceipt(receipt_id=found["resource"]), permission="audit:read")
    (tmp_path / "receipt").write_text(receipt["note"])
    (tmp_path / "proof").write_text(proof)
    key = ("--key", str(signer.verifier), "--memory", str(tmp_path / "memory"))
    held = ("--receipt", str(tmp_path / "receipt"))

    assert audit_verify.main(["receipt", str(tmp_path / "receipt"), *key]) == 0
    assert audit_verify.main(["proof", str(tmp_path / "proof"), *held, *key]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in said] == [f"sound: {trail_of(past)}"] * 2


@pytest.mark.parametrize("ahead", [timedelta(minutes=6), timedelta(minutes=-6)])
async def test_when_clocks_differ_nothing_is_destroyed_and_it_is_told_once(
    past: Past, ahead: timedelta
) -> None:
    await past.on(past.first, 5)
    await past.begin()
    past.add_digests(1, later=timedelta(hours=0))
    past.now += ahead

    assert [await past.forget() for _ in range(2)] == [0, 0]

    assert past.parts.keys.oldest == past.first
    assert past.rows(LEDGER) == []
    (told,) = past.told(ForgettingStopped)
    assert told["day"] == spelled(past.first)


async def test_a_digest_from_the_future_stops_it_too(past: Past) -> None:
    await past.on(past.first, 5)
    await past.begin()
    past.add_digests(1, later=timedelta(hours=2))

    assert await past.forget() == 0
    assert len(past.told(ForgettingStopped)) == 1


async def test_a_clock_that_jumps_while_the_process_runs_stops_it(past: Past) -> None:
    await past.on(past.first, 5)
    await past.begin()
    watch: Any = past.parts.forgetting.anonymizer._watch
    watch._zero -= timedelta(days=91)

    assert await past.forget() == 0
    assert len(past.told(ForgettingStopped)) == 1


async def test_without_the_digests_of_a_day_no_day_with_entries_is_forgotten(past: Past) -> None:
    await past.on(past.first, 5)
    await past.begin(digests=23)

    assert await past.forget() == 0
    assert past.parts.keys.oldest == past.first

    past.add_digests(1, later=timedelta(hours=0))
    assert await past.forget() == 1


async def test_without_the_digest_of_the_last_hour_nothing_happens_and_nothing_is_told(
    past: Past,
) -> None:
    await past.on(past.first, 5)
    await past.begin(digests=0)
    past.add_digests(24, later=timedelta(hours=-3))

    assert await past.forget() == 0
    assert past.told(ForgettingStopped) == []


async def test_one_digest_over_many_hours_is_worth_one_day_only(past: Past) -> None:
    for day in range(3):
        await past.on(past.first + day, 5)
    await past.begin(digests=0)
    past.add_digests(1, hours=91 * 24)

    assert await past.forget() == 1

    assert past.parts.keys.oldest == past.first + 1
    assert past.days_kept()[0] == past.first + 1


async def test_after_an_outage_days_that_are_late_take_half_as_long(past: Past) -> None:
    for day in range(3):
        await past.on(past.first + day, 5)
    await past.begin()
    assert await past.forget() == 1  # the first of three: then no hour was counted since

    with past.as_administrator() as admin:
        admin.execute("update forget_ledger set at = at - interval '11 hours'")
    assert await past.forget() == 0
    with past.as_administrator() as admin:
        admin.execute("update forget_ledger set at = at - interval '1 hour 30 minutes'")
    assert await past.forget() == 1  # the second; the third is the only late one, and takes a day
    assert past.parts.keys.oldest == past.first + 2


async def test_details_that_somebody_dropped_early_are_told_and_no_digest_is_complete(
    past: Past,
) -> None:
    await past.on(past.today - 3, 5)
    await past.begin(digests=0)
    with past.as_administrator() as admin:
        admin.execute(f"drop table audit_detail_{past.today - 3}".encode())

    for _ in range(2):
        past.now += timedelta(hours=1)
        await past.parts.proof.digests.due(past.now)

    assert past.told(DetailMissing) == [{"day": spelled(past.today - 3)}]
    complete = past.rows("select complete from digests order by number desc limit 2")
    assert complete == [(False,), (False,)]


async def test_a_day_that_was_forgotten_in_its_time_is_not_missing(past: Past) -> None:
    await past.on(past.first, 5)
    await past.begin()
    await past.forget()
    past.now += timedelta(hours=1)
    await past.parts.proof.digests.due(past.now)

    assert past.told(DetailMissing) == []
    assert past.rows("select complete from digests order by number desc limit 1") == [(True,)]


async def drop_as_the_writer(past: Past, day: int) -> None:
    async with past.audit.database.work() as connection:
        row = text("insert into forget_ledger values ('day', :day, :at, 'because', null)")
        await connection.execute(row, {"day": spelled(day), "at": past.now})
        await connection.execute(text(f"select drop_detail_day({day})"))


async def test_the_writer_drops_no_day_before_its_time_whatever_it_writes(past: Past) -> None:
    await past.on(past.today - 3, 5)
    await past.begin()
    for day in (past.today - 3, past.today - 89):
        with pytest.raises(ProgrammingError, match="not to be forgotten"):
            await drop_as_the_writer(past, day)
    for statement in ("delete from forget_ledger", "update forget_ledger set why = 'x'",
                      "insert into receipts select * from receipts",
                      "insert into detail_days values (1)"):  # fmt: skip
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with past.audit.database.work() as connection:
                await connection.execute(text(statement))
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with past.audit.database.read(ONE) as connection:
            await connection.execute(text(f"select drop_detail_day({past.first})"))
