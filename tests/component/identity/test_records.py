"""Access records, rebuilding from the log, and what stands nowhere in the clear."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests_support.identities import PASSWORD, Identity

from libs.common.errors import DomainError, Forbidden
from libs.common.privacy import FORGOTTEN
from libs.common.testing import eventually, swept
from services.identity.contract import (
    ROLES,
    AccessReport,
    AddMember,
    CreateApiKey,
    FindApiKeys,
    FindMe,
    FindMembers,
    FindNotifications,
    FindOrganizations,
    FoundOrganization,
    OpenSession,
    RaiseNotification,
    RecordAccess,
    RegisterPerson,
    Role,
)
from services.identity.handlers.keys import destroy_keys
from services.identity.sweeping import sweep

OWNER = ROLES[Role.OWNER]
AT = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = timedelta(minutes=3)


async def test_what_gateways_count_is_one_event_for_each_minute(identity: Identity) -> None:
    person = await identity.sign_up("ann")
    org = await identity.found(person)
    who = {"organization": org, "permissions": OWNER}
    command = CreateApiKey(name="k", scopes=["workflows:read"])
    key = (await identity.ask(command, person, **who)).value["id"]
    used = AccessReport(
        organization=org, actor=key, operation="find-workflows", at=AT, status_class="2xx", count=3
    )
    refused = AccessReport(
        organization=org, actor=key, operation="draft-workflow", at=AT, reason="permission-missing",
        permission="workflows:edit",
    )  # fmt: skip
    next_minute = used.model_copy(update={"at": AT + timedelta(minutes=1)})
    await identity.ask(RecordAccess(reports=[used, used, refused, next_minute]))
    await identity.ask(RecordAccess(reports=[used, refused]))
    with pytest.raises(Forbidden):
        await identity.ask(RecordAccess(reports=[used]), person)
    await sweep(identity.parts, AT + LATER)
    rows = identity.sql(
        "select stream, type, data from log where stream like 'access-%' order by n"
    )
    assert {stream for stream, _, _ in rows} == {f"access-{org}-20270102"}
    counted = sorted((t.rpartition(".")[2], d["count"]) for _, t, d in rows)
    assert counted == [
        ("access-refused", 2), ("api-usage-recorded", 3), ("api-usage-recorded", 9),
    ]  # fmt: skip

    async def last_used() -> str | None:
        page = (await identity.ask(FindApiKeys(), person, **who)).value
        return page["data"][0]["last_used_at"]

    assert await eventually(last_used, bool) == "2027-01-02T03:05:00.000Z"


async def test_what_came_from_elsewhere_is_counted_apart_and_says_who_and_where_from(
    identity: Identity,
) -> None:
    used = AccessReport(
        organization="org_1", actor="key_1", operation="find-workflows", at=AT, status_class="2xx",
        request_id="req_1", origin="o1.1.first", origin_digest="a" * 32,
    )  # fmt: skip
    later = used.model_copy(update={"request_id": "req_2", "origin": "o1.1.second"})
    elsewhere = later.model_copy(update={"origin_digest": "b" * 32})
    await identity.ask(RecordAccess(reports=[used, later]))
    await identity.ask(RecordAccess(reports=[later, elsewhere]))
    await sweep(identity.parts, AT + LATER)
    assert identity.sql(
        "select org, actor, request_id, origin, (data->>'count')::int from log"
        " where stream like 'access-%' order by 5 desc"
    ) == [
        ("org_1", "key_1", "req_1", "o1.1.first", 3),
        ("org_1", "key_1", "req_2", "o1.1.second", 1),
    ]


async def test_counts_are_events_after_half_a_minute(identity: Identity) -> None:
    used = AccessReport(
        organization="org_1", actor="key_1", operation="find-me", at=AT, status_class="2xx"
    )
    await identity.ask(RecordAccess(reports=[used]))
    counted = "select count(*) from log where stream like 'access-%'"
    await sweep(identity.parts, AT + timedelta(seconds=29))
    assert identity.sql(counted) == [(0,)]
    await sweep(identity.parts, AT + timedelta(seconds=31))
    assert identity.sql(counted) == [(1,)]


async def test_a_refused_sign_in_says_where_it_was_tried_from(identity: Identity) -> None:
    for address, origin in (("one", "o1.1.one"), ("one", "o1.1.again"), ("two", "o1.1.two")):
        command = OpenSession(email="nobody@example.org", password="wrong one", address=address)
        with pytest.raises(DomainError):
            await identity.ask(command, "system:public", origin=origin, request_id=f"req_{address}")
    await sweep(identity.parts, datetime.now(UTC) + LATER)
    assert identity.sql(
        "select actor, request_id, origin, (data->>'count')::int from log"
        " where type = 'identity.event.sign-in-refused' order by 4 desc"
    ) == [
        ("system:public", "req_one", "o1.1.one", 2), ("system:public", "req_two", "o1.1.two", 1),
    ]  # fmt: skip


async def test_refused_sign_ins_are_folded_into_one_event_for_each_account(
    identity: Identity,
) -> None:
    person = await identity.sign_up("ann")
    for email in ("ann@example.org", "ann@example.org", "bob@example.org"):
        with pytest.raises(DomainError):
            await identity.ask(OpenSession(email=email, password="wrong one"))
    await sweep(identity.parts, datetime.now(UTC) + LATER)
    rows = identity.sql(
        "select stream, sum((data->>'count')::int) from log"
        " where type = 'identity.event.sign-in-refused' group by 1 order by 1"
    )
    streams = dict(rows)
    assert streams.pop(f"person-instance-{person}") == 2
    ((stream, count),) = streams.items()
    assert stream.startswith("signins-instance-")
    assert count == 1


async def test_a_session_that_ended_by_itself_is_closed_in_the_log(identity: Identity) -> None:
    token = await identity.sign_in(await identity.sign_up("ann"))
    session = (await identity.caller(token)).session_id
    service = identity.parts.service
    await swept(service.database, service.sweeps, datetime.now(UTC) + timedelta(days=15))
    ((data,),) = identity.sql("select data from log where type = 'identity.event.session-closed'")
    assert data == {"session_id": session, "reason": "expired"}


async def everything_shown(identity: Identity, person: str, org: str) -> list[bytes]:
    queries = (FindMe(), FindOrganizations(), FindMembers(), FindApiKeys(), FindNotifications())
    return [
        (await identity.ask(query, person, organization=org, permissions=OWNER)).body
        for query in queries
    ]


async def test_emptied_views_are_rebuilt_byte_for_byte(identity: Identity) -> None:
    ann, _ = await identity.sign_up("ann"), await identity.sign_up("bob")
    org = await identity.found(ann)
    who = {"organization": org, "permissions": OWNER}
    await identity.ask(AddMember(email="bob@example.org", role=Role.BUILDER), ann, **who)
    await identity.ask(CreateApiKey(name="k", scopes=["workflows:read"]), ann, **who)
    note = RaiseNotification(category="usage", template="usage-at-80")
    await identity.ask(note, "system:billing", organization=org)
    token = await identity.sign_in(ann)
    before = await everything_shown(identity, ann, org)
    reader = identity.parts.service.readers[0]
    head = identity.sql("select n from heads")[0][0]
    await reader.reset()
    assert await reader.reached(head, 10)
    assert await everything_shown(identity, ann, org) == before
    assert (await identity.caller(token)).person_id == ann


async def test_a_forgotten_person_is_shown_as_forgotten_and_the_log_stays_whole(
    identity: Identity,
) -> None:
    ann, bob = await identity.sign_up("ann"), await identity.sign_up("bob")
    org = await identity.found(ann)
    who = {"organization": org, "permissions": OWNER}
    await identity.ask(AddMember(email="bob@example.org", role=Role.BUILDER), ann, **who)
    before = identity.sql("select l::text from log l order by n")
    await destroy_keys(identity.parts, bob)

    async def names() -> dict[str, str]:
        page = (await identity.ask(FindMembers(), ann, **who)).value
        return {member["person"]: member["name"] for member in page["data"]}

    assert await names() == {ann: "Name of ann", bob: FORGOTTEN}
    assert identity.sql("select l::text from log l order by n")[: len(before)] == before
    assert identity.types()[-1] == "keys-destroyed"
    reader, head = identity.parts.service.readers[0], identity.sql("select n from heads")[0][0]
    await reader.reset()
    assert await reader.reached(head, 10)
    assert await names() == {ann: "Name of ann", bob: FORGOTTEN}


async def test_one_organizations_rows_are_all_that_its_callers_can_read(
    identity: Identity,
) -> None:
    ann = await identity.sign_up("ann")
    org, other = await identity.found(ann), await identity.found(ann)
    for mine, seen in ((org, 1), (other, 1), ("org_none", 0)):
        async with identity.parts.service.database.read(mine) as db:
            for table in ("organizations", "members"):
                found = (await db.execute(text(f"select org from {table}"))).all()
                assert [row.org for row in found] == [mine] * seen
            assert (await db.execute(text("select count(*) from people"))).scalar_one() == 0


async def test_nothing_personal_or_secret_stands_in_the_clear(
    identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    markers = [f"mark3r{what}q7" for what in ("name", "mail", "pass", "team", "apikey")]
    name, mail, password, team, key = markers
    command = RegisterPerson(
        name=name, email=f"{mail}@example.org", password=password, old_enough=True, policies={}
    )
    person = (await identity.once(command, "sign-up")).value["id"]
    sign_in = OpenSession(email=f"{mail}@example.org", password=password)
    token = (await identity.once(sign_in, "sign-in")).value["token"]
    org = (await identity.once(FoundOrganization(name=team), "found", person)).value["id"]
    made = await identity.once(
        CreateApiKey(name=key, scopes=["workflows:read"]), "key", person, organization=org,
        permissions=OWNER,
    )  # fmt: skip
    with pytest.raises(DomainError):
        await identity.ask(OpenSession(email=f"{mail}@example.org", password=f"{password}x"))
    stored = dump(identity) + await published(identity) + caplog.text
    stored += (identity.folder / "keys" / "keys.db").read_bytes().decode("latin-1")
    assert person in stored
    for secret in [*markers, token, made.value["token"], PASSWORD]:
        for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert form.lower() not in stored.lower()


def dump(identity: Identity) -> str:
    """Every row of every table."""
    tables = identity.sql(
        "select table_name from information_schema.tables where table_schema = 'public'"
    )
    rows: list[Any] = [identity.sql(f"select t::text from {table} t") for (table,) in tables]
    return json.dumps(rows)


async def published(identity: Identity) -> str:
    """All that JetStream keeps of identity, once the relay has said everything."""
    js, head = identity.parts.service.bus.js, identity.sql("select n from heads")[0][0]

    async def relayed() -> int:
        return identity.sql("select n from readers where name = 'relay'")[0][0]

    await eventually(relayed, lambda n: n >= head)
    state = (await js.stream_info("IDENTITY")).state
    messages = [await js.get_msg("IDENTITY", n) for n in range(1, state.last_seq + 1)]
    return " ".join((message.data or b"").decode() for message in messages)
