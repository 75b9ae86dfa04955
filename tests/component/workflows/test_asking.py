"""What can be asked about workflows, by whom, and what stays hidden."""

from typing import Any

import pytest
from tests_support.workflow_texts import hello, hook

from libs.common.errors import (
    DomainError,
    Forbidden,
    NotFound,
)
from libs.common.messages import decode_batch
from libs.common.testing import eventually
from services.workflows.contract import (
    CheckDocument,
    DeleteSecret,
    DisableWorkflow,
    FindDraft,
    FindHook,
    FindSchema,
    FindTrigger,
    FindVersion,
    FindVersions,
    FindWorkflow,
    FindWorkflows,
    PublishWorkflow,
)


async def found_hook(workflows: Any, path: str, org: str = "org_one") -> Any:
    return (await workflows.ask(FindHook(path=path), org)).value


async def test_the_executor_gets_a_published_document(workflows: Any) -> None:
    await workflows.draft(hook("orders", "orders"))
    with pytest.raises(NotFound):
        await workflows.ask(FindTrigger(workflow="orders"))
    await workflows.publish("orders", 1)
    by_path = (await workflows.ask(FindTrigger(path="orders"))).value
    by_name = (await workflows.ask(FindTrigger(workflow="orders", version=1))).value
    assert by_path == by_name
    stream = f"workflow-org_one-{by_path['workflow_id']}"
    opened = await workflows.service.keys.open("org_one", "content", stream, by_path["document"])
    assert opened["name"] == "orders"
    with pytest.raises(NotFound):
        await workflows.ask(FindTrigger(path="orders"), "org_two")


async def test_workflows_are_listed_by_name_label_and_state(workflows: Any) -> None:
    for name, team in (("alpha", "red"), ("beta", "blue"), ("gamma", "red")):
        await workflows.draft(hook(name, name) + f"labels: {{team: {team}}}\n")
        await workflows.publish(name, 1)
    await workflows.ask(DisableWorkflow(workflow="gamma"))

    async def names(**filters: Any) -> list[str]:
        query = FindWorkflows(order="asc", **filters)
        return [w["name"] for w in (await workflows.ask(query)).value["data"]]

    assert await names() == ["alpha", "beta", "gamma"]
    assert await names(name=["beta"]) == ["beta"]
    assert await names(q="AM") == ["gamma"]
    assert await names(q="%") == []
    assert await names(enabled=True, label=["team:red"]) == ["alpha"]
    assert await names(label=["team"]) == ["alpha", "beta", "gamma"]
    assert await names(archived=True) == []
    page = (await workflows.ask(FindWorkflows(limit=2))).value
    rest = (await workflows.ask(FindWorkflows(limit=2, after=page["next"]))).value
    assert [w["name"] for w in page["data"] + rest["data"]] == ["gamma", "beta", "alpha"]


async def test_another_organization_finds_nothing(workflows: Any) -> None:
    made = await workflows.draft(hook("orders", "orders"))
    await workflows.publish("orders", 1)
    wf = made.value["id"]
    asked = (
        FindWorkflow(workflow=wf), FindWorkflow(workflow="orders"), FindDraft(workflow=wf),
        FindVersions(workflow=wf), FindVersion(workflow=wf, version=1),
        DisableWorkflow(workflow=wf), PublishWorkflow(workflow=wf, draft_version=1),
        DeleteSecret(name="api"), FindTrigger(workflow=wf),
    )  # fmt: skip
    for message in asked:
        with pytest.raises(NotFound) as refused:
            await workflows.ask(message, "org_two")
        assert refused.value.to_wire() == NotFound().to_wire()
    assert (await workflows.ask(FindWorkflows(), "org_two")).value == {"data": [], "next": None}
    assert (await found_hook(workflows, "orders", "org_two"))["reason"] == "no-such-path"


async def test_permissions_are_checked_where_it_is_answered(workflows: Any) -> None:
    with pytest.raises(Forbidden):
        await workflows.ask(FindWorkflows(), permissions=frozenset({"workflows:edit"}))


async def test_a_check_stores_nothing(workflows: Any) -> None:
    said = await workflows.ask(CheckDocument(document=hello(), media="yaml"))
    assert (said.value["ok"], said.value["steps_count"]) == (True, 1)
    said = await workflows.ask(CheckDocument(document="a: [", media="yaml"))
    assert said.value["ok"] is False
    assert said.value["problems"][0]["line"]
    assert workflows.sql("select count(*) from log where stream like 'workflow-%'") == [(0,)]
    schema = (await workflows.ask(FindSchema())).value["json_schema"]
    assert "troth" in schema["properties"]


async def test_the_same_command_again_gives_the_recorded_answer(workflows: Any) -> None:
    await workflows.draft(hello())
    command = PublishWorkflow(workflow="hello", draft_version=1)
    once = {"command_id": "00000000-0000-7000-8000-000000000001", "command_digest": "d"}
    first = await workflows.ask(command, **once)
    again = await workflows.ask(command, **once)
    assert again.replayed
    assert again.body == first.body


async def test_the_largest_document_gets_through_the_log_and_the_bus(workflows: Any) -> None:
    text = hello().replace('"hello"', "'" + '"' * 250_000 + "'")
    await workflows.draft(text)
    await workflows.publish("hello", 1)
    assert (await workflows.ask(FindVersion(workflow="hello", version=1))).value["document"] == text
    logged = workflows.sql("select max(n) from log")[0][0]

    async def sent() -> int:
        js = workflows.service.bus.js
        info = await js.stream_info("WORKFLOWS")
        last = await js.get_msg("WORKFLOWS", info.state.last_seq)
        return decode_batch(last.data or b"[]")[-1].sequence

    await eventually(sent, lambda n: n == logged)
    with pytest.raises(DomainError) as refused:
        await workflows.save(hello("é" * 200_000), 2)
    assert refused.value.code == "body-too-large"
