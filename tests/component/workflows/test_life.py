"""A workflow's life over the real bus: drafted, saved, published, switched, put away."""

import asyncio
from typing import Any

import pytest
from tests_support.workflow_texts import hello, hook

from libs.common.bus import Answered
from libs.common.errors import (
    ChangedMeanwhile,
    Conflict,
    DomainError,
    Malformed,
    NotFound,
    PreconditionRequired,
    Rejected,
)
from services.workflows.contract import (
    ArchiveWorkflow,
    DisableWorkflow,
    DraftWorkflow,
    EnableWorkflow,
    FindDraft,
    FindHook,
    FindTriggers,
    FindVersion,
    FindVersions,
    FindWorkflow,
    PublishWorkflow,
    workflow_stream,
)


async def test_a_document_is_drafted_and_read_back_byte_for_byte(workflows: Any) -> None:
    text = "# a comment that stays\n" + hello() + "\n\n"
    made = await workflows.draft(text)
    assert made.version == 1
    assert made.value["name"] == "hello"
    assert made.value["draft"] == 1
    assert made.value["published"] is None
    assert made.value["problems"] == []
    found = await workflows.ask(FindDraft(workflow="hello"))
    assert found.value["document"] == text
    assert found.value["media"] == "yaml"
    by_id = await workflows.ask(FindWorkflow(workflow=made.value["id"]))
    assert {k: made.value[k] for k in by_id.value} == by_id.value


async def test_a_name_is_given_once(workflows: Any) -> None:
    await workflows.draft(hello())
    with pytest.raises(Conflict) as refused:
        await workflows.draft(hello("other"))
    assert refused.value.code == "workflow-exists"


async def test_what_cannot_be_read_is_refused_with_its_place(workflows: Any) -> None:
    with pytest.raises(Malformed) as refused:
        await workflows.draft("troth: 1\nname: [hello\n")
    assert refused.value.code == "malformed-yaml"
    assert refused.value.errors[0].line
    with pytest.raises(Malformed) as refused:
        await workflows.ask(DraftWorkflow(document='{"troth": 1,', media="json"))
    assert refused.value.code == "malformed-json"
    with pytest.raises(Rejected) as unnamed:
        await workflows.draft("troth: 1\nsteps: []\n")
    assert unnamed.value.code == "workflow-invalid"


async def test_a_draft_with_problems_is_kept_and_not_published(workflows: Any) -> None:
    made = await workflows.draft(hello("${{ inputt.name }}"))
    problem = made.value["problems"][0]
    assert problem["rule"] == "unknown-name"
    assert problem["line"]
    with pytest.raises(Rejected) as refused:
        await workflows.publish("hello", 1)
    assert refused.value.code == "workflow-invalid"
    assert refused.value.errors[0].pointer == problem["pointer"]
    assert refused.value.errors[0].column == problem["column"]


async def test_saving_needs_the_version_that_was_read(workflows: Any) -> None:
    await workflows.draft(hello())
    with pytest.raises(PreconditionRequired):
        await workflows.save(hello("two"), None)
    saved = await workflows.save(hello("two"), 1)
    assert (saved.version, saved.value["draft"]) == (2, 2)
    with pytest.raises(ChangedMeanwhile) as stale:
        await workflows.save(hello("three"), 1)
    assert stale.value.extra["current"] == '"2"'
    assert stale.value.extra["changed_by"] == "per_1"
    with pytest.raises(Rejected, match="for ever"):
        await workflows.save(hello("x").replace("name: hello", "name: other"), 2)
    again = await workflows.save(hello("two"), 2)
    assert again.version == 2


async def test_a_draft_is_created_by_saving_where_there_is_none(workflows: Any) -> None:
    created = await workflows.save(hello(), 0)
    assert created.version == 1
    with pytest.raises(ChangedMeanwhile):
        await workflows.save(hello("two"), 0)
    with pytest.raises(NotFound):
        await workflows.save(hello(), 3, name="nothing")


async def test_every_save_can_be_got_back_from_the_log(workflows: Any) -> None:
    texts = [hello(f"save {n}") for n in range(4)]
    workflow_id = (await workflows.draft(texts[0])).value["id"]
    for version, text in enumerate(texts[1:], 1):
        await workflows.save(text, version)
    stream = workflow_stream("org_one", workflow_id)
    sealed = [r.json()["document"] for r in await workflows.service.store.load(stream)]
    keys = workflows.service.keys
    assert [await keys.open("org_one", "content", stream, each) for each in sealed] == texts


async def test_of_20_writers_at_once_one_wins(workflows: Any) -> None:
    await workflows.draft(hello())

    outcomes = await asyncio.gather(
        *[workflows.save(hello(f"writer {n}"), 1) for n in range(20)], return_exceptions=True
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, Answered)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, ChangedMeanwhile)]
    assert ([o.version for o in won], len(lost)) == ([2], 19)
    kept = (await workflows.ask(FindDraft(workflow="hello"))).value["document"]
    assert kept == hello(f"writer {outcomes.index(won[0])}")
    assert workflows.sql("select count(*) from log where stream like 'workflow-%'") == [(2,)]


async def test_a_published_version_never_changes(workflows: Any) -> None:
    await workflows.draft(hello("first"))
    note = PublishWorkflow(workflow="hello", draft_version=1, note="the first one")
    published = await workflows.ask(note)
    assert published.value["published"] == 1
    first = await workflows.ask(FindVersion(workflow="hello", version=1))
    assert first.value["document"] == hello("first")
    assert first.value["note"] == "the first one"
    with pytest.raises(Rejected) as refused:
        await workflows.publish("hello", 2)
    assert refused.value.code == "nothing-to-publish"
    await workflows.save(hello("second"), 2)
    with pytest.raises(ChangedMeanwhile):
        await workflows.publish("hello", 1)
    assert (await workflows.publish("hello", 3)).value["published"] == 2
    assert (await workflows.ask(FindVersion(workflow="hello", version=1))).body == first.body
    listed = (await workflows.ask(FindVersions(workflow="hello"))).value
    assert [v["version"] for v in listed["data"]] == [2, 1]
    whole = await workflows.ask(FindWorkflow(workflow="hello", expand=["draft", "published"]))
    assert whole.value["draft"]["document"] == hello("second")
    assert whole.value["published"]["version"] == 2
    with pytest.raises(NotFound):
        await workflows.ask(FindVersion(workflow="hello", version=3))


async def test_a_workflow_is_switched_off_and_on_and_put_away(workflows: Any) -> None:
    await workflows.draft(hook("orders", "orders"))
    assert (await found_hook(workflows, "orders"))["reason"] == "no-such-path"
    await workflows.publish("orders", 1)
    seen = await found_hook(workflows, "orders")
    assert (seen["reason"], seen["workflow_version"], seen["scheme"]) == (None, 1, "none")
    off = await workflows.ask(DisableWorkflow(workflow="orders"))
    assert off.value["enabled"] is False
    assert (await workflows.ask(DisableWorkflow(workflow="orders"))).version == off.version
    assert (await found_hook(workflows, "orders"))["reason"] == "disabled"
    assert (await workflows.ask(EnableWorkflow(workflow="orders"))).value["enabled"] is True
    gone = await workflows.ask(ArchiveWorkflow(workflow="orders"))
    assert gone.value["archived"] is True
    assert (await found_hook(workflows, "orders"))["reason"] == "archived"
    with pytest.raises(Conflict) as refused:
        await workflows.ask(EnableWorkflow(workflow="orders"))
    assert refused.value.code == "workflow-archived"


async def found_hook(workflows: Any, path: str, org: str = "org_one") -> Any:
    return (await workflows.ask(FindHook(path=path), org)).value


async def test_a_hook_path_belongs_to_one_workflow_until_it_is_given_up(workflows: Any) -> None:
    await workflows.draft(hook("orders", "orders"))
    await workflows.publish("orders", 1)
    await workflows.draft(hook("thief", "orders"))
    with pytest.raises(Conflict) as refused:
        await workflows.publish("thief", 1)
    assert refused.value.code == "path-taken"
    await workflows.draft(hook("thief", "orders"), "org_two")
    await workflows.publish("thief", 1, "org_two")
    await workflows.save(hook("orders", "elsewhere"), 2, name="orders")
    await workflows.publish("orders", 3)
    assert (await found_hook(workflows, "orders"))["reason"] == "no-such-path"
    await workflows.publish("thief", 1)
    triggers = (await workflows.ask(FindTriggers(workflow=["thief"]))).value["data"]
    assert [t["address"] for t in triggers] == ["/hooks/org_one/orders"]


async def test_two_publish_the_same_path_at_once_and_one_gets_it(workflows: Any) -> None:
    names = [f"w{n}" for n in range(6)]
    for name in names:
        await workflows.draft(hook(name, "same"))
    outcomes = await asyncio.gather(
        *[workflows.publish(name, 1) for name in names], return_exceptions=True
    )
    refused = [o for o in outcomes if isinstance(o, DomainError)]
    assert {r.code for r in refused} == {"path-taken"}
    assert len(refused) == len(names) - 1
