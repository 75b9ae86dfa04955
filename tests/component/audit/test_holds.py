"""Legal holds: what a case names outlives its day and its person, and ends with the case."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.errors import Forbidden, NotFound
from libs.common.messages import Meta
from libs.common.testing import eventually
from libs.trail.notes import b64
from services.audit.contract import (
    DayForgotten,
    FindAllHolds,
    FindEntries,
    FindHeldEntries,
    FindHolds,
    FindReceipt,
    HoldLifted,
    HoldPlaced,
    LiftHold,
    PlaceHold,
)
from services.audit.forget_ledger import begins
from services.audit.forget_tables import holds

from .conftest import ONE, TWO, Past

NOTED = "executor.event.noted"


async def hold(past: Past, **more: Any) -> dict[str, Any]:
    """On what `per_1` did on the oldest day, unless something else is said."""
    given: dict[str, Any] = {
        "organization_id": ONE, "reason": "a quarrel about an invoice",
        "from_at": begins(past.first), "to_at": begins(past.first + 1),
        "expires_at": past.now + timedelta(days=30), "actor": ["per_1"],
    } | more  # fmt: skip
    return await past.ask(PlaceHold.model_validate(given), permission="instance")


async def held(past: Past, made: dict[str, Any]) -> list[Any]:
    query = FindHeldEntries(hold_id=made["id"], limit=200)
    return (await past.ask(query, permission="instance"))["data"]


async def seen(
    past: Past, organization: str = ONE, permission: str = "audit:read", of: str | None = None
) -> list[Any]:
    query = FindHolds(organization_id=of)
    return (await past.ask(query, organization, permission))["data"]


async def prepared(past: Past) -> None:
    await past.on(past.first, 3, actor="per_1")
    await past.on(past.first, 2, actor="per_2")
    await past.on(past.first + 1, 2, actor="per_1")
    await past.begin()


async def test_what_is_on_hold_is_read_through_the_case_when_its_day_is_forgotten(
    past: Past,
) -> None:
    await prepared(past)
    made = await hold(past)
    past.add_digests(1)  # of the second day, which waits for twelve more
    assert await past.forget() >= 1

    found = await held(past, made)

    assert [one["entry"]["actor"] for one in found] == ["per_1"] * 3
    assert {one["entry"]["type"] for one in found} == {NOTED}
    leaves = past.rows(
        "select substring(l.leaves from (32 * (%s - l.first) + 1)::int for 32) from audit_leaf l"
        " join trails t using (trail) where t.org = %s and l.first <= %s"
        " order by l.first desc limit 1", found[0]["seq"], ONE, found[0]["seq"],
    )  # fmt: skip
    assert [b64(leaf) for (leaf,) in leaves] == [found[0]["leaf"]]
    past.parts.keys.refresh()
    assert past.first not in past.days_kept()
    elsewhere = (await past.ask(FindEntries(event_type=[NOTED])))["data"]
    assert len(elsewhere) == (2 if past.parts.keys.oldest == past.first + 1 else 0)
    assert len(past.told(DayForgotten, ONE)) >= 1


async def test_a_case_outlives_the_persons_key(past: Past) -> None:
    await prepared(past)
    made = await hold(past)
    await past.parts.forgetting.keeper.turn()
    gone = past.people.destroy("per_1")
    past.parts.people.drop("per_1", gone)
    await past.forget()

    assert [one["entry"]["actor"] for one in await held(past, made)] == ["per_1"] * 3


async def test_what_comes_after_the_hold_was_placed_is_kept_too(past: Past) -> None:
    await prepared(past)
    made = await hold(past, from_at=past.now - timedelta(hours=1),
                      to_at=past.now + timedelta(days=1), actor=None,
                      event_type=["executor.event.*"])  # fmt: skip
    assert await held(past, made) == []
    await past.note(4, actor="per_9")
    await past.complete()
    past.now += timedelta(hours=1)
    await past.parts.forgetting.keeper.turn()

    assert [one["entry"]["actor"] for one in await held(past, made)] == ["per_9"] * 4


async def test_the_operator_lists_the_holds_of_all_organizations_or_of_one(past: Past) -> None:
    await past.on(past.first, 1, organization=TWO)
    await prepared(past)
    mine, theirs = await hold(past), await hold(past, organization_id=TWO)

    async def of(organization: str | None) -> set[str]:
        query = FindAllHolds(organization_id=organization)
        return {one["id"] for one in (await past.ask(query, "instance", "instance"))["data"]}

    assert await of(None) == {mine["id"], theirs["id"]}
    assert await of(ONE) == {mine["id"]}
    assert await of(TWO) == {theirs["id"]}
    assert await of("org_none") == set()
    with pytest.raises(Forbidden):
        await past.ask(FindAllHolds(), ONE, "audit:read")


async def test_the_organization_sees_that_there_is_a_hold_and_not_what_it_names(
    past: Past,
) -> None:
    await prepared(past)
    made = await hold(past)
    await past.parts.forgetting.keeper.turn()

    (shown,) = await seen(past)
    assert (shown["reason"], shown["from_at"]) == (made["reason"], made["from_at"])
    assert (shown["actor"], shown["event_type"], shown["entries"]) == (None, None, None)
    assert await seen(past, TWO) == []
    assert await seen(past, TWO, of=ONE) == []
    (all_of_it,) = (await past.ask(FindAllHolds(), "instance", "instance"))["data"]
    assert (all_of_it["actor"], all_of_it["entries"]) == (["per_1"], 3)
    with pytest.raises(Forbidden):
        await seen(past, ONE, "executions:read")
    for message in (FindHeldEntries(hold_id=made["id"]), LiftHold(hold_id=made["id"])):
        with pytest.raises(Forbidden):
            await past.ask(message, permission="audit:read")
    operator = Meta(actor="per_operator", permissions=frozenset({"instance"}))
    await past.producers["identity"].bus.ask(FindHeldEntries(hold_id=made["id"]), operator)
    await eventually(past.looks, lambda found: found == [{"what": "case"}])
    (told,) = past.told(HoldPlaced, ONE)
    assert "quarrel" not in str(told)
    assert "per_1" not in str(told)


async def test_lifting_destroys_key_and_rows_and_leaves_a_receipt(past: Past) -> None:
    await prepared(past)
    made = await hold(past)
    await past.parts.forgetting.keeper.turn()
    files = [place.with_name("audit-holds") / made["id"] for place in past.places]
    assert [file.exists() for file in files] == [True, True]

    lift = LiftHold(hold_id=made["id"])
    lifted = await past.ask(lift, permission="instance")
    assert (lifted["how"], lifted["entries"]) == ("lifted", 3)
    assert await past.ask(lift, permission="instance") == lifted  # and nothing more happens

    assert [file.exists() for file in files] == [False, False]
    assert past.rows("select 1 from hold_entries") == []
    assert await held(past, made) == []
    (told,) = past.told(HoldLifted, ONE)
    assert (told["hold_id"], told["entries"]) == (made["id"], 3)
    ledger = past.rows("select subject, why, receipt from forget_ledger where kind = 'hold'")
    assert ledger == [(made["id"], "lifted", lifted["receipt"])]
    receipt = await past.ask(FindReceipt(receipt_id=lifted["receipt"]), permission="audit:read")
    lines = past.parts.proof.signer.verifier.open(receipt["note"]).splitlines()
    assert lines[3] == f"hold {made['id']}"
    assert lines[5:] == ["lifted", "3"]


async def test_a_hold_that_is_over_ends_by_itself(past: Past) -> None:
    await prepared(past)
    made = await hold(past, expires_at=past.now + timedelta(hours=2))
    keeper = past.parts.forgetting.keeper
    await keeper.turn()
    past.now += timedelta(hours=3)
    await keeper.turn()

    (shown,) = await seen(past)
    assert (shown["how"], shown["receipt"] is None) == ("expired", False)
    assert datetime.fromisoformat(shown["ended_at"]) >= datetime.fromisoformat(shown["expires_at"])
    assert await held(past, made) == []


async def test_a_crash_between_the_decision_and_the_destruction_is_finished(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared(past)
    made = await hold(past)
    keeper = past.parts.forgetting.keeper
    await keeper.turn()

    async def dies(_: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(keeper, "finish", dies)
        with pytest.raises(InterruptedError):
            await keeper.end(await past_row(past, made), "lifted", Meta.system("audit", ONE))
    assert len(past.rows("select 1 from hold_entries")) == 3
    await keeper.turn()

    assert past.rows("select 1 from hold_entries") == []
    assert len(past.rows("select 1 from receipts")) == 1
    assert len(past.told(HoldLifted)) == 1


async def test_what_cannot_be_held_is_refused(past: Past) -> None:
    await prepared(past)
    with pytest.raises(NotFound):
        await hold(past, organization_id="org_nobody")
    for wrong in ({"to_at": begins(past.first)}, {"expires_at": past.now}):
        with pytest.raises(Exception, match=r"is before|later than now"):
            await hold(past, **wrong)
    with pytest.raises(NotFound):
        await past.ask(LiftHold(hold_id="hold_" + "0" * 26), permission="instance")


async def past_row(past: Past, made: dict[str, Any]) -> Any:
    async with past.audit.database.work() as connection:
        found = await connection.execute(select(holds).where(holds.c.id == made["id"]))
        return found.one()
