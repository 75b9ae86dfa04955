"""The examples of single blocks and settings do what their first lines say."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from libs.common.testing import eventually
from tests.fakes.receiver import Answer, Receiver, Seen

from .installed import WITHIN_S, Installation


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def asked(receiver: Receiver) -> list[tuple[str, str]]:
    return [(seen.method, seen.path.removeprefix("/receiver")) for seen in receiver.seen]


async def run(installation: Installation, workflow: str, given: Any = None) -> Any:
    """What comes out of it, started by hand."""
    execution = await asyncio.to_thread(installation.run, workflow, given)
    return await asyncio.to_thread(installation.output, execution)


async def came(receiver: Receiver, path: str) -> list[Seen]:
    """The requests of a path, as soon as there is one."""

    async def found() -> list[Seen]:
        return receiver.at(f"/receiver{path}")

    return await eventually(found, bool, WITHIN_S)


def shop(refuses: str) -> Callable[[Seen], Answer]:
    """Gives each thing an id; one kind of thing is refused."""

    def reply(seen: Seen) -> Answer:
        if seen.path.endswith(refuses):
            return Answer(409)
        return answer({"id": seen.path.rpartition("/")[2][0]})

    return reply


async def test_an_order_goes_on_without_a_gift_card(installation, receiver):
    receiver.reply = shop("/gift-card")

    assert await run(installation, "order-saga", {"order": 7, "amount": 40}) == {
        "parcel": "p", "gift": "none",
    }  # fmt: skip
    assert asked(receiver) == [("POST", path) for path in (
        "/stock", "/gift-card", "/log", "/charges", "/parcels",
    )]  # fmt: skip


async def test_an_order_that_fails_is_undone_and_told_at_the_one_place_for_errors(
    installation, receiver
):
    receiver.reply = shop("/parcels")

    execution = await asyncio.to_thread(installation.run, "order-saga", {"order": 7, "amount": 40})
    shown = await asyncio.to_thread(installation.ended, execution)
    (told,) = await came(receiver, "/failures")

    assert (shown["status"], shown["rollback"]) == ("failed", "done")
    assert [one for one in asked(receiver) if one[1] != "/failures"][4:] == [
        ("POST", "/parcels"), ("DELETE", "/charges/c"), ("DELETE", "/stock/s"), ("POST", "/sorry"),
    ]  # fmt: skip
    assert told.json == {"execution": execution, "type": "client-error", "path": "shipped"}


async def test_a_supplier_that_is_away_is_left_out(installation, receiver):
    prices = {"north": 3, "east": 4}

    def reply(seen: Seen) -> Answer:
        name = seen.path.partition("?")[0].rpartition("/")[2]
        return answer({"price": prices[name]}) if name in prices else Answer(500)

    receiver.reply = reply

    assert await run(installation, "quotes", {"article": "bolt"}) == {
        "best": {"supplier": "north", "price": 3}, "missing": ["server-error"],
    }  # fmt: skip


async def test_two_people_agree_and_what_one_of_them_lowers_is_paid(installation, receiver):
    ann, bob = (installation.person(name, "admin") for name in ("ann", "bob"))
    execution = await asyncio.to_thread(
        installation.run, "invoice-approval", {"supplier": "Mill", "amount": 1200}
    )

    async def waits() -> list[str]:
        pending = ann.get("/v1/approvals", params={"status": "pending"}).json()["data"]
        return [one["id"] for one in pending if one["execution"] == execution]

    (approval,) = await eventually(waits, bool, WITHIN_S)
    place = f"/v1/approvals/{approval}/approve"
    assert installation.api.post(place, json={}).status_code == 403, "the one who started it"
    assert bob.post(place, json={"input": {"amount": 1100}}).status_code == 200
    assert ann.post(place, json={}).status_code == 200

    assert await asyncio.to_thread(installation.output, execution) == {
        "paid": True, "decision": "approved", "amount": 1100,
    }  # fmt: skip
    (payment,) = receiver.at("/receiver/payments")
    assert payment.json == {"supplier": "Mill", "amount": 1100}


async def test_an_order_goes_on_when_its_payment_is_said(installation):
    executions = [await asyncio.to_thread(installation.run, "order-paid", {"order": n})
                  for n in (1, 2)]  # fmt: skip
    for n in (2, 1):
        data = {"order": n, "amount": n * 10}
        await asyncio.to_thread(installation.said, "custom.order-paid", data)

    for n, execution in enumerate(executions, 1):
        output = await asyncio.to_thread(installation.output, execution)
        assert output == {"order": n, "paid": True, "amount": n * 10}


async def test_one_sub_workflow_is_waited_for_and_the_other_goes_its_own_way(
    installation, receiver
):
    output = await run(installation, "onboarding", {"customer": "Ada", "orders": 3})
    letter = await asyncio.to_thread(installation.output, output["letter"])

    assert (output["limit"], letter) == (150, 200)
    assert [seen.body for seen in receiver.at("/receiver/letters")] == [b"Welcome, Ada!"]


async def test_python_reads_chapter_by_chapter(installation, receiver):
    chapters = {
        "/source/chapters/one": {"numbers": [4, 1, 2], "next": "two"},
        "/source/chapters/two": {"numbers": [3, 9], "next": None},
    }
    receiver.reply = lambda seen: answer(chapters[seen.path])

    assert await run(installation, "summarize") == {
        "count": 5, "mean": 3.8, "median": 3, "longest_rise": 3,
    }  # fmt: skip
    assert len(receiver.seen) == 2


async def test_a_paper_goes_out_as_a_file_and_its_picture_is_kept_as_one(
    installation, receiver, tmp_path
):
    paper, picture = bytes(range(256)) * 4096, b"\x89PNG" * 100_000
    receiver.reply = lambda seen: (
        Answer(body=picture, headers={"content-type": "image/png"})
        if seen.path.endswith("/render")
        else answer({})
    )
    file = tmp_path / "paper.pdf"
    file.write_bytes(paper)
    sent = json.loads(await asyncio.to_thread(installation.troth, "files", "send", str(file)))

    output = await run(installation, "paper-archive", {"paper": sent})

    assert output["size_bytes"] == len(picture)
    assert [(seen.headers["content-type"], seen.body) for seen in receiver.seen] == [
        ("application/pdf", paper), ("image/png", picture),
    ]  # fmt: skip


async def test_pages_hands_on_what_every_page_holds(installation, receiver):
    pages = {
        "/source/customers?page=1": {"rows": [{"n": 1}, {"n": 2}], "next": 2},
        "/source/customers?page=2": {"rows": [{"n": 3}], "next": None},
    }
    receiver.reply = lambda seen: answer(pages.get(seen.path, {}))

    assert await run(installation, "pages") == {"customers": 3}
    assert sorted(seen.json["n"] for seen in receiver.at("/receiver/customers")) == [1, 2, 3]
    assert [seen.path for seen in receiver.seen if seen.method == "GET"] == list(pages)


async def test_a_digest_is_sent_when_there_is_something(installation, receiver):
    news = [{"title": "one"}, {"title": "two"}]
    receiver.reply = lambda seen: answer(news) if "/news" in seen.path else Answer()

    assert await run(installation, "hourly-digest", {"at": "2026-01-01T10:00:00Z"}) == {"told": 2}
    assert [seen.body for seen in receiver.at("/receiver/digest")] == [b"one; two"]


async def test_bookings_of_one_account_come_in_turn(installation, receiver):
    receiver.reply = lambda seen: Answer(after_s=0.05)
    given = [{"account": "ab"[n % 2], "amount": n} for n in range(8)]

    outputs = await asyncio.gather(*(run(installation, "one-at-a-time", one) for one in given))

    assert outputs == [200] * len(given)
    for account in "ab":
        order = [path.split("/")[1] for _, path in asked(receiver) if path.endswith(f"/{account}")]
        assert order == ["open", "close"] * 4


async def test_a_burst_of_changes_becomes_one_execution(installation):
    fields = ["name", "city", "name"]
    given = [{"customer": "a", "field": field} for field in fields]

    executions = {
        await asyncio.to_thread(installation.run, "burst", one) for one in given
    }  # fmt: skip

    assert len(executions) == 1
    output = await asyncio.to_thread(installation.output, executions.pop())
    assert output == {"customer": "a", "fields": ["city", "name"]}
