"""Secrets and variables over the real bus: sealed, versioned, guarded while they are used."""

import base64
import json
from typing import Any

import pytest
from psycopg import sql
from tests_support.workflow_texts import hello, hook

from libs.common.errors import Conflict, DomainError, NotFound, Rejected
from libs.common.testing import eventually
from services.workflows.contract import (
    ArchiveWorkflow,
    DeleteSecret,
    DeleteVariable,
    FindHook,
    FindSecrets,
    FindVariables,
    OpenSecrets,
    PublishWorkflow,
    SetVariable,
    secret_stream,
)

SIGNED = '{scheme: github, secret: "${{ secret.orders_key }}"}'


async def listed(workflows: Any) -> list[dict[str, Any]]:
    return (await workflows.ask(FindSecrets(order="asc"))).value["data"]


async def opened(workflows: Any, name: str, org: str = "org_one") -> dict[str, Any] | None:
    found = (await workflows.ask(OpenSecrets(names=[name, "nobody"]), org)).value["secrets"]
    if not found:
        return None
    keys, stream = workflows.service.keys, secret_stream(org, name)
    plain = await keys.open(org, "secrets", stream, found[0]["value"])
    return {"version": found[0]["secret_version"], "value": plain}


async def test_a_secret_goes_in_and_only_its_name_comes_out(workflows: Any) -> None:
    made = await workflows.store("api", "s3cret-one")
    assert (made.value["name"], made.value["version"]) == ("api", 1)
    assert "value" not in made.value
    await workflows.store("api", "s3cret-two")
    assert [(s["name"], s["version"], s["last_used_at"]) for s in await listed(workflows)] == [
        ("api", 2, None)
    ]
    assert await opened(workflows, "api") == {"version": 2, "value": "s3cret-two"}
    assert await opened(workflows, "api", "org_two") is None


async def test_a_version_is_not_given_twice_after_a_deletion(workflows: Any) -> None:
    await workflows.store("api", "one")
    assert (await workflows.ask(DeleteSecret(name="api"))).value == {}
    assert await listed(workflows) == []
    assert await opened(workflows, "api") is None
    with pytest.raises(NotFound):
        await workflows.ask(DeleteSecret(name="api"))
    await workflows.store("api", "two")
    assert await opened(workflows, "api") == {"version": 2, "value": "two"}


async def test_a_secret_in_use_is_not_deleted(workflows: Any) -> None:
    await workflows.store("orders_key", "k" * 24)
    await workflows.draft(hook("orders", "orders", SIGNED))
    await workflows.publish("orders", 1)
    await workflows.save(hook("orders", "orders"), 2, name="orders")
    with pytest.raises(Conflict) as refused:
        await workflows.ask(DeleteSecret(name="orders_key"))
    assert refused.value.code == "secret-in-use"
    used = [(w["name"], w["in"]) for w in refused.value.extra["workflows"]]
    assert used == [("orders", "published")]
    assert await opened(workflows, "orders_key") is not None
    await workflows.ask(ArchiveWorkflow(workflow="orders"))
    await workflows.ask(DeleteSecret(name="orders_key"))


async def test_a_secret_that_is_missing_keeps_a_draft_from_being_published(workflows: Any) -> None:
    made = await workflows.draft(hook("orders", "orders", SIGNED))
    assert made.value["problems"] == []
    assert [w["rule"] for w in made.value["warnings"]] == ["unknown-secret"]
    with pytest.raises(Rejected) as refused:
        await workflows.publish("orders", 1)
    assert [e.rule for e in refused.value.errors] == ["unknown-secret"]
    await workflows.store("orders_key", "k" * 24)
    await workflows.publish("orders", 1)
    found = (await workflows.ask(FindHook(path="orders"))).value
    assert (found["secret_name"], found["secret_version"]) == ("orders_key", 1)
    stream = secret_stream("org_one", "orders_key")
    sealed = found["secret"]
    assert await workflows.service.keys.open("org_one", "secrets", stream, sealed) == "k" * 24


async def test_secrets_are_bounded_in_size_and_number(workflows: Any) -> None:
    for value in ("", "é" * 40_000):
        with pytest.raises(Rejected) as refused:
            await workflows.store("api", value)
        assert refused.value.errors[0].pointer == "/value"
    workflows.sql(
        "insert into secret_values select 'org_one', 's' || n, 1, 'sealed'"
        " from generate_series(1, 200) n returning 1"
    )
    with pytest.raises(DomainError) as full:
        await workflows.store("api", "value")
    assert (full.value.code, full.value.extra["limit"]) == ("limit-reached", 200)
    await workflows.store("s7", "a new version of one that exists")


async def test_variables_are_read_as_they_were_set(workflows: Any) -> None:
    value = {"limit": 5, "to": ["a", None, 1.5]}
    made = await workflows.ask(SetVariable(name="mail", value=value))
    assert (made.value["value"], made.value["version"]) == (value, 1)
    found = (await workflows.ask(FindVariables())).value
    assert found["data"] == [made.value]
    assert (await workflows.ask(FindVariables(), "org_two")).value["data"] == []
    await workflows.ask(DeleteVariable(name="mail"))
    with pytest.raises(NotFound):
        await workflows.ask(DeleteVariable(name="mail"))
    with pytest.raises(Rejected):
        await workflows.ask(SetVariable(name="mail", value="x" * 65_536))


def everything(workflows: Any) -> str:
    """Every row of every table, as text."""
    tables = workflows.sql("select tablename from pg_tables where schemaname = 'public'")
    rows = [
        workflows.sql(sql.SQL("select row_to_json(t)::text from {} t").format(
            sql.Identifier(name)).as_string())
        for (name,) in tables
    ]  # fmt: skip
    return json.dumps(rows)


async def test_nothing_that_was_written_stands_anywhere_in_the_clear(workflows: Any) -> None:
    marks = {kind: f"zq{kind}marker7vx" for kind in ("secret", "variable", "document", "note")}
    await workflows.store("api", marks["secret"])
    await workflows.ask(SetVariable(name="mail", value=marks["variable"]))
    once = {"command_id": "00000000-0000-7000-8000-000000000002", "command_digest": "d"}
    await workflows.draft(hello(marks["document"]))
    publish = PublishWorkflow(workflow="hello", draft_version=1, note=marks["note"])
    await workflows.ask(publish, **once)
    logged = workflows.sql("select max(n) from log")[0][0]

    async def sent() -> int:
        return (await workflows.service.bus.js.stream_info("WORKFLOWS")).state.messages

    await eventually(sent, lambda n: n > 0)
    await eventually(lambda: stream_text(workflows), lambda t: f'"sequence":{logged}' in t)
    stored = everything(workflows) + await stream_text(workflows)
    assert "workflow-published" in stored
    for mark in marks.values():
        assert mark not in stored
        for shift in range(3):
            inner = base64.b64encode(b" " * shift + mark.encode())[4:-4].decode()
            assert inner not in stored


async def stream_text(workflows: Any) -> str:
    js = workflows.service.bus.js
    state = (await js.stream_info("WORKFLOWS")).state
    found = [
        (await js.get_msg("WORKFLOWS", seq)).data or b""
        for seq in range(max(state.first_seq, 1), state.last_seq + 1)
    ]
    return b"\n".join(found).decode()
