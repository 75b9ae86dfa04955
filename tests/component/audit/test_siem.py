"""A trail carried live to a SIEM over a real socket: all of it, in order, and nobody else's."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError
from tests_support.ocsf_checks import complete
from tests_support.servers import Servers
from tests_support.siem import Siem, siem, verified

from libs.common.errors import DomainError, NotFound
from libs.common.testing import eventually
from services.audit.batch import trail_name
from services.audit.contract import (
    STREAMS_MAX,
    ChangeSiemStream,
    CreateSiemStream,
    DeleteSiemStream,
    FindCheckpoint,
    FindSiemState,
    FindSiemStream,
    FindSiemStreams,
    RotateSiemSecret,
    SiemStreamPatch,
    SiemStreamShown,
)
from tests.fakes.receiver import Receiver, says

from .conftest import ONE, TWO, World


@pytest.fixture
async def carried(servers: Servers, tmp_path: Path) -> AsyncIterator[Siem]:
    async with Receiver() as receiver, siem(World(servers, tmp_path), receiver) as made:
        yield made


def change(stream: str, **fields: object) -> ChangeSiemStream:
    return ChangeSiemStream(stream=stream, patch=SiemStreamPatch.model_validate(fields))


async def test_entries_arrive_in_order_and_each_once_as_events_of_ocsf(carried: Siem) -> None:
    made = await carried.create()
    for count in (3, 700, 1, 600):
        await carried.world.note(count)
    state = await carried.all_arrived(made.id)
    assert (state.state, state.lag_s, state.lost) == ("working", 0, 0)
    assert carried.numbers() == carried.substance()
    assert len(carried.numbers()) >= 1304
    for event in carried.entries():
        complete(event)
    posts = carried.posts()
    assert len(posts) > 2
    assert all(len(post.body.splitlines()) <= 500 for post in posts)
    assert len({post.id for post in posts}) == len(posts)
    span = [e["metadata"]["sequence"] for e in map(json.loads, posts[1].body.splitlines())]
    assert posts[1].id == f"{made.id}_{span[0]}_{span[-1]}"


async def test_lines_are_those_of_an_export(carried: Siem) -> None:
    made = await carried.create(format="jsonl")
    await carried.world.note(5)
    await carried.all_arrived(made.id)
    lines = carried.entries()
    assert carried.numbers() == carried.substance()
    assert {"seq", "day", "class", "leaf", "fields"} == set(lines[0])
    assert lines[0]["fields"]["type"]["value"] == "audit.event.siem-stream-created"
    assert {line["fields"]["actor"]["value"] for line in lines} >= {"per_1"}


async def test_every_post_is_signed_and_a_changed_byte_is_noticed(carried: Siem) -> None:
    made = await carried.create()
    await carried.world.note(9)
    await carried.all_arrived(made.id)
    seen = [*carried.posts(), *carried.checks()]
    assert len(seen) >= 2
    for post in seen:
        verified(made.signing_secret, post)
        changed = type(post)(post.method, post.path, post.headers, post.body + b" ", post.at)
        with pytest.raises(WebhookVerificationError):
            verified(made.signing_secret, changed)
    shown = SiemStreamShown.model_validate(await carried.ask(FindSiemStream(stream=made.id)))
    assert shown == made.model_copy(update={"signing_secret": None, "trail": shown.trail})


async def test_the_receiver_of_the_documentation_takes_what_comes(carried: Siem) -> None:
    page = (Path(__file__).parents[3] / "docs" / "siem.md").read_text()
    names: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    made = await carried.create(format="jsonl")
    await carried.world.note(3)
    await carried.all_arrived(made.id)
    taken = [
        names["entries"](s.headers, s.body, made.signing_secret) for s in carried.receiver.seen
    ]
    assert [entry for some in taken for entry in some] == carried.entries()
    assert [] in taken, "a health check has no entries"
    post = carried.posts()[0]
    with pytest.raises(ValueError, match="not signed"):
        names["entries"](post.headers, post.body + b" ", made.signing_secret)


async def test_the_authorization_goes_where_it_is_wanted_and_is_shown_nowhere(
    carried: Siem,
) -> None:
    secret = "Splunk 11112222-3333-4444-5555-666677778888"
    made = await carried.create(authorization=secret)
    assert made.authorized
    await carried.all_arrived(made.id)
    assert {s.headers["authorization"] for s in carried.receiver.seen} == {secret}
    key = change(made.id, authorization="key-2", authorization_header="dd-api-key")
    await carried.ask(key)
    before = len(carried.receiver.seen)
    await carried.world.note(1)
    await carried.all_arrived(made.id)
    assert {s.headers["dd-api-key"] for s in carried.receiver.seen[before:]} == {"key-2"}
    assert all("authorization" not in s.headers for s in carried.receiver.seen[before:])
    none = await carried.ask(change(made.id, authorization=None))
    assert (none["authorized"], "key-2" in str(none), "Splunk" in str(none)) == (False,) * 3
    with carried.world.as_administrator() as db:
        stored = str(db.execute("select s::text from siem_streams s").fetchall())
        stored += str(db.execute("select s::text from siem_secrets s").fetchall())
        stored += str(db.execute("select data::text from log").fetchall())
    for hidden in (secret, "key-2", str(made.signing_secret), "127.0.0.1:"):
        assert hidden not in stored
    before = len(carried.receiver.seen)
    await carried.world.note(1)
    await carried.all_arrived(made.id)
    assert all("dd-api-key" not in s.headers for s in carried.receiver.seen[before:])


async def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(carried: Siem) -> None:
    made = await carried.create()
    await carried.all_arrived(made.id)
    new = (await carried.ask(RotateSiemSecret(stream=made.id)))["signing_secret"]
    await carried.world.note(1)
    await carried.all_arrived(made.id)
    for secret in (made.signing_secret, new):
        verified(secret, carried.posts()[-1])
    carried.world.now += timedelta(hours=25)
    await carried.world.note(1)
    await carried.all_arrived(made.id)
    verified(new, carried.posts()[-1])
    with pytest.raises(WebhookVerificationError):
        verified(made.signing_secret, carried.posts()[-1])


async def test_another_organizations_entries_never_arrive(carried: Siem) -> None:
    mine, theirs = await carried.create("/one"), await carried.create("/two", TWO)
    for n in range(5):
        await carried.world.note(20 + n, TWO if n % 2 else ONE)
    await carried.all_arrived(mine.id)
    await carried.all_arrived(theirs.id, TWO)
    assert carried.numbers("/one") == carried.substance(ONE)
    assert carried.numbers("/two") == carried.substance(TWO)
    one, two = ({e["metadata"]["log_name"] for e in carried.entries(p)} for p in ("/one", "/two"))
    assert len(one) == len(two) == 1 and one != two
    ids = [{e["metadata"]["uid"] for e in carried.entries(p)} for p in ("/one", "/two")]
    assert not ids[0] & ids[1]


async def test_a_stream_is_its_organizations_alone(carried: Siem) -> None:
    made = await carried.create()
    for message in (
        FindSiemStream(stream=made.id), FindSiemState(stream=made.id),
        RotateSiemSecret(stream=made.id), DeleteSiemStream(stream=made.id),
        change(made.id, format="jsonl"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await carried.ask(message, TWO)
        with pytest.raises(DomainError) as refused:
            await carried.ask(message, permissions=frozenset({"members:read"}))
        assert refused.value.code == "permission-missing"
    assert (await carried.ask(FindSiemStreams(), TWO))["data"] == []
    [shown] = (await carried.ask(FindSiemStreams()))["data"]
    assert (shown["id"], shown["url"]) == (made.id, made.url)


async def test_the_instances_trail_goes_where_its_operator_says(carried: Siem) -> None:
    operator = {"permissions": frozenset({"audit:read", "audit:export", "instance"})}
    await carried.world.note(1)
    await carried.world.note(30, "instance", actor="system:executor")
    await carried.world.complete()
    trail = (await eventually(lambda: _instance_trail(carried), bool)) or ""
    with pytest.raises(NotFound):
        await carried.create(trail=trail)
    given = {"url": carried.receiver.url + "/op", "format": "ocsf", "trail": trail}
    made = await carried.ask(CreateSiemStream.model_validate(given), ONE, **operator)
    assert made["trail"] == trail
    await carried.world.note(12, "instance", actor="system:executor")
    await carried.world.complete()

    async def state() -> dict[str, object]:
        return await carried.ask(FindSiemState(stream=made["id"]), ONE, **operator)

    await eventually(state, lambda s: not s["waiting"] and len(carried.numbers("/op")) >= 12, 30)
    came = carried.numbers("/op")
    assert came == [n for n in carried.substance("instance") if came[0] <= n <= came[-1]]
    assert {e["metadata"]["log_name"] for e in carried.entries("/op")} == {trail}
    with pytest.raises(NotFound):
        await carried.ask(FindSiemState(stream=made["id"]))
    assert (await carried.ask(FindSiemStreams()))["data"] == []
    listed = await carried.ask(FindSiemStreams(trail=trail), ONE, **operator)
    assert [one["id"] for one in listed["data"]] == [made["id"]]


async def _instance_trail(carried: Siem) -> str | None:
    with carried.world.as_administrator() as db:
        row = db.execute("select trail from trails where org = 'instance'").fetchone()
    return trail_name(row[0]) if row else None


async def test_a_receiver_that_hangs_holds_up_no_other(carried: Siem) -> None:
    carried.receiver.replies["/hangs"] = says(None)
    await carried.create("/hangs")
    made = await carried.create("/b")
    await carried.world.note(50)
    await carried.all_arrived(made.id)
    assert carried.numbers("/b") == carried.substance()[1:]


async def test_what_was_deleted_gets_nothing_any_more(carried: Siem) -> None:
    made, other = await carried.create("/a"), await carried.create("/b")
    await carried.all_arrived(made.id)
    await carried.ask(DeleteSiemStream(stream=made.id))
    before = carried.numbers("/a")
    await carried.world.note(20)
    await carried.all_arrived(other.id)
    assert carried.numbers("/a") == before
    with carried.world.as_administrator() as db:
        left = db.execute("select distinct stream from siem_secrets").fetchall()
        told = db.execute("select count(*) from log where type like '%siem-delivered'").fetchall()
    assert (left, told) == ([(other.id,)], [(1,)])
    with pytest.raises(NotFound):
        await carried.state(made.id)


async def test_an_organization_has_so_many_streams(carried: Siem) -> None:
    for n in range(STREAMS_MAX):
        await carried.create(f"/{n}")
    with pytest.raises(DomainError) as refused:
        await carried.create("/more")
    assert refused.value.code == "limit-reached"
    await carried.create("/theirs", TWO)


async def test_the_health_check_shows_the_last_checkpoint(carried: Siem) -> None:
    await carried.world.note(4)
    await carried.world.complete()
    await carried.world.parts.proof.signer.round(carried.world.now)
    note = (await carried.ask(FindCheckpoint()))["checkpoint"]
    made = await carried.create()
    await carried.all_arrived(made.id)
    [check] = carried.checks()
    assert check.json["type"] == "troth.siem.health"
    assert check.json["data"]["checkpoint"] == note
    assert check.json["data"]["trail"] == note.splitlines()[0].rpartition("/")[2]
